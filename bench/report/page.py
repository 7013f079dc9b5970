"""The page: what a sweep asked, what became of every training, and what that shows, in one HTML file."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import DictLoader, Environment, StrictUndefined, select_autoescape

from bench.analysis import timing
from bench.analysis.claims import Verdict
from bench.analysis.curves import ITERATION, curve_quantiles, recorded
from bench.analysis.solved import outcome_ledger, solved_rates
from bench.problem.label import labels, varying, word
from bench.problem.outcome import Result
from bench.report import figures
from bench.tracking import columns as c

FEW_SEEDS = 3  # up to here a trial's curves are drawn one by one, and no rate is drawn
MANY_CURVES = 24  # single curves in one figure
MANY_PANELS = 16
MANY_TRIALS = 60  # beyond this a block's figures would be unreadable: the table has them all
PLACES = (c.GATE, c.HIDDEN, c.LOSS)


@dataclass(frozen=True, eq=False)
class Swept:
    """Everything that the page shows of one sweep, as plain data."""

    sweep: str
    status: str
    started: datetime
    plan: dict[str, Any]
    environment: dict[str, Any]
    figures: dict[str, float]
    trainings: pd.DataFrame
    verdicts: Sequence[Verdict]
    claims_left_out: bool = False


@dataclass(frozen=True)
class Picture:
    """A figure on the page: its title, how to read it, the words for those who cannot see it, and itself."""

    title: str
    caption: str
    alt: str
    uri: str


def render(swept: Sequence[Swept]) -> str:
    """Return the HTML of one sweep's report, or of several one after the other."""
    source = files("bench.report").joinpath("templates/report.html").read_text(encoding="utf-8")
    jinja = Environment(
        loader=DictLoader({"report.html": source}),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    with figures.style():
        return jinja.get_template("report.html").render(sections=[_section(one) for one in swept])


def _section(swept: Swept) -> dict[str, Any]:
    """Return what the template needs for one sweep."""
    trials = swept.plan["trials"]
    data = swept.trainings.assign(
        **{c.TRIAL_ID: swept.trainings[c.TRIAL_ID], c.HIDDEN: swept.trainings[c.HIDDEN].astype(str)}
    )
    first = {trial[c.TRIAL_ID]: trial["blocks"][0] for trial in trials}
    found = labels([t["parameters"] for t in trials], [t["blocks"][0] for t in trials])
    name_of = dict(zip([t[c.TRIAL_ID] for t in trials], found, strict=True))
    blocks = [
        {"title": title or "The grid", "pictures": _pictures(data[data[c.TRIAL_ID].map(first) == place])}
        for place, title in enumerate(swept.plan["blocks"])
    ]
    few = _few_seeds(data)
    if not few.empty:
        blocks.append({"title": "Trainings drawn one by one", "pictures": [_single_curves(few)]})
    trained = data.dropna(subset=[c.ITERATION_US])
    done = len(data)
    planned = sum(trial["trainings"] for trial in trials)
    return {
        "swept": swept,
        "plan": swept.plan,
        "done": done,
        "planned": planned,
        "varying": _varying(trials),
        "fixed": _fixed(trials),
        "outcomes": {str(r): int((data[c.OUTCOME] == r).sum()) for r in Result},
        "occurred": [str(r) for r in Result if (data[c.OUTCOME] == r).any()],
        "colours": figures.OUTCOME_COLOURS,
        "trials": _trial_rows(data, trials, name_of),
        "blocks": [block for block in blocks if block["pictures"]],
        "times": _times(trained, name_of),
        "warnings": _warnings(swept, data, planned),
    }


def _varying(trials: Sequence[dict[str, Any]]) -> dict[str, str]:
    parameters = [trial["parameters"] for trial in trials]
    return {name: ", ".join(dict.fromkeys(str(values[name]) for values in parameters)) for name in varying(parameters)}


def _fixed(trials: Sequence[dict[str, Any]]) -> dict[str, str]:
    varied = varying([trial["parameters"] for trial in trials])
    return {name: str(value) for name, value in trials[0]["parameters"].items() if name not in varied}


def _trial_rows(data: pd.DataFrame, trials: Sequence[dict[str, Any]], names: dict[str, str]) -> list[dict[str, Any]]:
    """Return a row for every planned trial, those without a finished training included."""
    rates = solved_rates(data, [c.TRIAL_ID]).set_index(c.TRIAL_ID)
    counts = outcome_ledger(data)
    medians = data.groupby(c.TRIAL_ID)[[c.FINAL_MSE, c.SOLVED_AT, c.ITERATION_US]].median()
    return [
        {
            "id": trial_id,
            "block": trial["blocks"][0],
            "name": names[trial_id],
            "seeds": trial["seeds"],
            "planned": trial["trainings"],
            "done": int(counts.loc[trial_id].sum()) if trial_id in counts.index else 0,
            "counts": {k: int(v) for k, v in counts.loc[trial_id].items()} if trial_id in counts.index else {},
            "rate": rates.loc[trial_id].to_dict() if trial_id in rates.index else None,
            "medians": medians.loc[trial_id].to_dict() if trial_id in medians.index else {},
        }
        for trial in trials
        for trial_id in [trial[c.TRIAL_ID]]
    ]


def _pictures(block: pd.DataFrame) -> list[Picture]:
    """Return the figures of one block of the grid: none where there are too few seeds, or too many trials."""
    trained = block[~block[c.OUTCOME].isin([Result.FAILED, Result.UNSUPPORTED])]
    trials = trained.drop_duplicates(c.TRIAL_ID)
    seeds = trained.groupby(c.TRIAL_ID).size()
    if trained.empty or len(trials) > MANY_TRIALS or seeds.max() <= FEW_SEEDS or trained[c.ALONE].all():
        return []
    rest = [name for name in varying(_parameters(trials)) if name not in PLACES[1:]]
    if rest and len(trials.drop_duplicates(rest)) > MANY_PANELS:
        return []
    return [_rates(block, rest), _bands(trained, rest), _errors(trained, rest)]


def _few_seeds(data: pd.DataFrame) -> pd.DataFrame:
    """Return the trainings of trials that have so few seeds that each curve can be drawn by itself."""
    curved = data.dropna(subset=[c.CURVE])
    sizes = curved.groupby(c.TRIAL_ID)[c.SEED].transform("size")
    few = curved[(sizes <= FEW_SEEDS) & ~curved[c.ALONE].astype(bool)]
    return few if len(few) <= MANY_CURVES else few.iloc[:0]


def _parameters(trials: pd.DataFrame) -> list[dict[str, Any]]:
    return [dict(zip(c.PARAMETERS, row, strict=True)) for row in trials[list(c.PARAMETERS)].itertuples(index=False)]


def _rates(block: pd.DataFrame, rest: list[str]) -> Picture:
    rates = solved_rates(block, [*PLACES, *(name for name in rest if name not in PLACES)])
    return Picture(
        "How surely does it learn?",
        "Share of seeds whose every prediction ends within the tolerance of its target, with Wilson's 95 % interval. "
        f"Seeds per point: {_from_to(rates['trainings'])}.",
        f"Solved rate by hidden neurons and loss; the highest is {rates['rate'].max():.0%}.",
        figures.data_uri(figures.solved_rates(rates, rest)),
    )


def _from_to(counts: pd.Series) -> str:
    low, high = int(counts.min()), int(counts.max())
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _bands(trained: pd.DataFrame, rest: list[str]) -> Picture:
    parts = []
    for _, rows in trained.groupby(c.TRIAL_ID, sort=False):
        table = curve_quantiles(rows)
        first = rows.iloc[0]
        parts.append(table.assign(**{name: first[name] for name in c.PARAMETERS}))
    panels = _with_loss(trained, rest)
    return Picture(
        "How does the loss fall?",
        "Median over the seeds of the loss before each iteration, with a band from the 5 % to the 95 % quantile; "
        "logarithmic axis. Different losses have different units: compare within a panel.",
        "Training curves: loss against iteration, a colour for each hidden layer.",
        figures.data_uri(figures.curve_bands(pd.concat(parts), panels)),
    )


def _errors(trained: pd.DataFrame, rest: list[str]) -> Picture:
    finite = trained[np.isfinite(trained[c.FINAL_MSE])]
    panels = _with_loss(trained, rest)
    figure, raster = figures.final_errors(finite, panels)
    return Picture(
        "Where do they end up?",
        f"Every training's mean squared error after its last iteration, one mark each (n = {len(finite):,}); "
        "logarithmic axis. Clumps are attractors: solutions, and the plateaus that trainings stay on.",
        "Distribution of final errors by hidden neurons, coloured by outcome.",
        figures.data_uri(figure, raster=raster),
    )


def _with_loss(trained: pd.DataFrame, rest: list[str]) -> list[str]:
    """Return the parameters that a figure needs a panel for: losses have different units."""
    return list(dict.fromkeys([*rest, *([c.LOSS] if len(trained[c.LOSS].unique()) > 1 else [])]))


def _single_curves(trained: pd.DataFrame) -> Picture:
    parts = []
    for _, panel in trained.groupby(c.GATE, sort=False):
        varied = varying(_parameters(panel.drop_duplicates(c.TRIAL_ID)))
        names = [name for name in (c.HIDDEN, c.LOSS, c.BACKEND) if name in varied]
        for _, row in panel.iterrows():
            words = " ".join(word(name, row[name]) for name in names)
            curve = pd.DataFrame({ITERATION: recorded(row.to_frame().T), c.CURVE: row[c.CURVE]})
            parts.append(curve.assign(**{figures.LABEL: f"{words} seed {row[c.SEED]}".strip(), c.GATE: row[c.GATE]}))
    return Picture(
        "How does the loss fall?",
        "The loss of each training before each iteration, on a logarithmic axis; one line is one seed.",
        "Training curves of single trainings: loss against iteration.",
        figures.data_uri(figures.single_curves(pd.concat(parts), [c.GATE])),
    )


def _times(trained: pd.DataFrame, names: dict[str, str]) -> dict[str, Any] | None:
    """Return the timing section: trainings that ran alone if there are any, else all with a warning."""
    if trained.empty:
        return None
    times = timing.iteration_times(trained)
    alone = bool(times[c.ALONE].any())
    shown = times[times[c.ALONE]] if alone else times
    shown = shown.assign(**{figures.LABEL: shown[c.TRIAL_ID].map(names)}).head(MANY_TRIALS)
    return {
        "alone": alone,
        "rows": shown.to_dict("records"),
        "picture": Picture(
            "How long does an iteration take?",
            "Median time per iteration of one training, with quartiles; logarithmic axis.",
            "Microseconds per iteration by trial, coloured by backend.",
            figures.data_uri(figures.iteration_times(shown)),
        ),
    }


def _warnings(swept: Swept, data: pd.DataFrame, planned: int) -> list[str]:
    """Return in plain words whatever a reader must know before trusting the rest."""
    found = []
    if len(data) < planned:
        found.append(
            f"This sweep is not finished: {len(data):,} of {planned:,} planned trainings are here. "
            f"Go on with: {swept.plan['command']} --resume"
        )
    for result in (Result.FAILED, Result.UNSUPPORTED):
        rows = data[data[c.OUTCOME] == result]
        for reason, some in rows.groupby(c.REASON):
            found.append(f"{len(some):,} trainings {result}: {reason}")
    most = max((trial["trainings"] for trial in swept.plan["trials"]), default=0)
    if most > c.CURVES_PER_TRIAL:
        found.append(f"Curves are kept for the first {c.CURVES_PER_TRIAL:,} seeds of a trial; rates count all seeds.")
    if swept.claims_left_out:
        found.append(
            "The experiment's claims speak of the file as written; with other values given they were not checked."
        )
    return found
