"""Loss curves: single trainings first, then quantile fans over the seeds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bench.metrics import columns as c
from bench.report.charts import Chart, four_digits
from bench.report.colours import EFFECT, OUTCOMES
from bench.report.drawing import (
    Panel,
    area,
    blank,
    end_margin,
    folded,
    line,
    log_axis,
    log_range,
    name_ends,
    panel,
    plain,
    plain_number,
)
from bench.report.layout import shown_trials
from bench.report.number_format import from_to, plural, short
from bench.stats.block_analysis import FEW_SEEDS, NAME, BlockAnalysis, highest, in_words
from bench.stats.curves import ITERATION, QUANTILES, recorded

FAN = ((0.05, 0.95, 0.13), (0.25, 0.75, 0.22))  # from, to, how dense
LABEL = "label"


def fan(quantiles: pd.DataFrame, singles: pd.DataFrame, ends: tuple[float, float], iterations: int) -> Figure:
    """Draw a trial's median loss with bands from 5 to 95 % and from 25 to 75 %, and single trainings over it.

    ``singles`` has a row per training with its outcome and its curve at the same iterations.
    """
    figure, axes = blank(2.9, 2.1, left=0.47, right=0.24)
    _loss_axes(axes, ends, iterations)
    at = quantiles[ITERATION]
    shown = quantiles.drop(columns=[ITERATION]).replace(np.inf, np.nan)
    for low, high, alpha in FAN:
        known = (shown[low].notna() & shown[high].notna()).to_numpy()
        area(axes, at[known], shown[low][known], shown[high][known], EFFECT, alpha)
    for outcome, curve in zip(singles[c.OUTCOME], singles[c.CURVE], strict=True):
        finite = np.where(np.isfinite(curve), curve, np.nan)
        axes.plot(at, finite, color=OUTCOMES[str(outcome)], linewidth=0.8, alpha=0.9)
    axes.plot(at, shown[0.5], color=EFFECT, linewidth=1.8)
    return figure


def single_curves(lines: pd.DataFrame, ends: tuple[float, float], iterations: int) -> Figure:
    """Draw each training's own loss, in the colour of its outcome, named at its end; ``label`` tells lines apart."""
    right = end_margin(lines[LABEL].unique())
    figure, axes = blank(max(4.3, right + 2.6), 2.8, right=right, left=0.5)
    _loss_axes(axes, ends, iterations)
    named = []
    for place, (label, rows) in enumerate(lines.groupby(LABEL, sort=False)):
        colour = OUTCOMES[str(rows[c.OUTCOME].iloc[0])]
        kept = rows[np.isfinite(rows[c.CURVE])]
        if kept.empty:
            continue
        axes.plot(kept[ITERATION], kept[c.CURVE], ("-", "--", ":", "-.")[place % 4], color=colour, linewidth=1.4)
        last = np.log(max(kept[c.CURVE].iloc[-1], ends[0]))
        named.append({"name": plain(folded(str(label))), "colour": colour, "y": last})
    name_ends(axes, named, np.log(ends[0]), np.log(ends[1]), gap=0.058)
    return figure


@dataclass(frozen=True, eq=False)
class Line:
    """A line of a figure: what ends in it, its colour, and its loss at recorded iterations."""

    names: list[str]
    colour: str
    iterations: NDArray[np.int64]
    loss: NDArray[np.float64]

    @property
    def budget(self) -> int:
        """The iteration after the last recorded one that a recorded one would be at."""
        step = self.iterations[1] - self.iterations[0] if len(self.iterations) > 1 else 0
        return int(self.iterations[-1] + step)

    @property
    def name(self) -> str:
        """Its first two names, and how many there are more."""
        more = f" +{len(self.names) - 2}" if len(self.names) > 2 else ""
        return "\n".join(self.names[:2]) + more


def typical(lines: Sequence[Line], ends: tuple[float, float]) -> Figure:
    """Draw the median loss of the trainings that end at each pattern."""
    figure, axes = blank(3.9, 2.5, right=end_margin(part for one in lines for part in one.name.split("\n")))
    last = max(
        int(one.iterations[-1] + (one.iterations[1] - one.iterations[0] if len(one.iterations) > 1 else 0))
        for one in lines
    )
    _loss_axes(axes, ends, last)
    named = []
    for one in lines:
        line(axes, one.iterations, one.loss, one.colour)
        at_end = one.loss[np.isfinite(one.loss)][-1:]
        if at_end.size:
            named.append({"name": one.name, "colour": one.colour, "y": np.log(max(float(at_end[0]), ends[0]))})
    name_ends(axes, named, np.log(ends[0]), np.log(ends[1]))
    return figure


def _loss_axes(axes: Axes, ends: tuple[float, float], iterations: int) -> None:
    log_axis(axes, "y", *ends)
    axes.set_xlim(0, max(iterations, 1))
    ticks = np.array([0, 0.5, 1]) * iterations
    axes.set_xticks(ticks, [plain_number(tick) if tick < 1e6 else f"{tick / 1e6:g} M" for tick in ticks])
    axes.set_xlabel("iteration")


# ------------------------------------------------------------------ curves


MOST_FANS = 12
MOST_CURVES = 16  # single trainings in one panel
SINGLES = 8  # trainings drawn over a fan
MOST_ROWS = 30_000  # of a download: 2 MB
ENOUGH = 20  # solved trainings, to tell early from late ones
DOCUMENTS = (  # what the two documents train: these values where they vary, whatever is fixed
    {c.GATE: "xor", c.HIDDEN: "3", "activation": "sigmoid", c.LOSS: "mse", c.LEARNING_RATE: 0.05},
    {c.GATE: "or", c.HIDDEN: "3", "activation": "sigmoid", c.LOSS: "mse", c.LEARNING_RATE: 0.05},
    {c.GATE: "xor", c.HIDDEN: "0", c.LOSS: "l1", c.LEARNING_RATE: 0.05},
    {c.GATE: "xor", c.HIDDEN: "4", "activation": "relu", c.LOSS: "mse", c.LEARNING_RATE: 0.1},
)


def is_single(study: BlockAnalysis) -> bool:
    """Whether a study has so few seeds that its trainings are shown one by one."""
    return bool(study.seeds.max() <= FEW_SEEDS) if len(study.seeds) else True


def curves(study: BlockAnalysis, key: str) -> dict[str, Any]:
    """Return the chart of single curves, or of fans with what the page needs to draw the other trials."""
    curved = study.trained[study.trained[c.CURVE].notna()]
    if curved.empty:
        return {"chart": None, "others": None}
    if is_single(study):
        return {"chart": _singles(study, curved, key), "others": None}
    return _fans(study, curved, key)


# ------------------------------------------------------------------ single trainings


def _singles(study: BlockAnalysis, curved: pd.DataFrame, key: str) -> Chart | None:
    lines = _lines(study, curved)
    if lines.empty:
        return None
    ends = log_range(lines[c.CURVE])
    drawn = [
        panel("", single_curves(some, ends, int(some[c.ITERATIONS].iloc[0])), wide=True)
        for _, some in lines.groupby(["panel"], sort=False)
    ]
    outcomes = [name for name in OUTCOMES if (lines[c.OUTCOME] == name).any()]
    shown = lines[LABEL].nunique()
    return Chart(
        name=f"curves-{key}",
        title=_singles_title(curved),
        subtitle=f"Loss before each iteration, logarithmic; each line is one training, {shown:,} in all.",
        caption="The same trial from another start is another line: its colour is what became of it."
        + ("" if shown == len(curved) else f" The first {shown:,} of {len(curved):,} trainings."),
        alt=f"Loss of {plural(shown, 'single training')} against iterations.",
        panels=drawn,
        data=lines[[LABEL, c.OUTCOME, ITERATION, c.CURVE]].rename(columns={c.CURVE: c.LOSS}),
        legend=[(name, OUTCOMES[name]) for name in outcomes],
    )


def _singles_title(curved: pd.DataFrame) -> str:
    split = curved.groupby(c.TRIAL_ID, sort=False, observed=True)[c.OUTCOME].nunique()
    if (split > 1).any():
        return "The same network, another start, another outcome"
    return "Training by training" if len(curved) > 1 else "One training"


def _lines(study: BlockAnalysis, curved: pd.DataFrame) -> pd.DataFrame:
    """Return the drawable curves, a row per training and recorded iteration, named by what tells them apart."""
    several = (curved[c.SEED] != curved[c.SEED].iloc[0]).any()
    parts = []
    for place, (_, row) in enumerate(curved.head(MOST_CURVES * 2).iterrows()):
        trial = study.trial(row[c.TRIAL_ID])
        seed = f"seed {row[c.SEED]}" if several or not study.names else ""
        words = " ".join(part for part in (in_words(trial, study.names), seed) if part)
        loss = np.asarray(row[c.CURVE], dtype=np.float64)
        if (np.isfinite(loss) & (loss > 0)).any():
            own = pd.DataFrame({ITERATION: recorded(row.to_frame().T), c.CURVE: loss})
            facts = {LABEL: words, c.OUTCOME: str(row[c.OUTCOME]), c.ITERATIONS: row[c.ITERATIONS]}
            parts.append(own.assign(**facts, panel=place // MOST_CURVES))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


# ------------------------------------------------------------------ fans


def _fans(study: BlockAnalysis, curved: pd.DataFrame, key: str) -> dict[str, Any]:
    fans = study.fans
    finite = fans[list(QUANTILES)].replace([np.inf, -np.inf], np.nan)
    if not (finite > 0).to_numpy().any():
        return {"chart": None, "others": None}
    chosen = _chosen(study)
    whole = len(chosen) == len(study.trials)
    drawn = _panels(study, curved[curved[c.TRIAL_ID].isin(chosen)], fans)
    outcomes = [name for name in OUTCOMES if (curved[c.OUTCOME] == name).any()]
    every = -(-len(fans) // MOST_ROWS)
    named = study.named(four_digits(_thinned(fans, every), list(QUANTILES)))[[NAME, ITERATION, *QUANTILES]]
    chart = Chart(
        name=f"curves-{key}",
        title=_fans_title(study),
        subtitle=f"Loss before each iteration, logarithmic; blue: median, 25–75 % and 5–95 % of "
        f"n = {from_to(fans.groupby(c.TRIAL_ID, observed=True)['n'].max())} seeds. Losses of different kinds have "
        "different units.",
        caption=f"Thin lines are the first {SINGLES} seeds, each in the colour of its outcome; early and late, in the "
        "title, are 5 and 95 % of those that solve it."
        + ("" if whole else f" Shown are the {len(drawn)} trials with the highest and the lowest solved rates and "
           "those that the documents train; any other can be drawn below.")
        + (f" Its numbers are of one recorded iteration in {every}." if every > 1 else ""),
        alt=f"Quantile fans of the loss of {plural(len(drawn), 'trial')} against iterations.",
        panels=drawn,
        data=named,
        legend=[("median and quantiles", EFFECT), *((name, OUTCOMES[name]) for name in outcomes)],
    )  # fmt: skip
    others = [str(name) for name in study.trials[NAME]] if not whole else None
    return {"chart": chart, "others": others}


def _thinned(fans: pd.DataFrame, every: int) -> pd.DataFrame:
    """Return one recorded iteration in so many of each trial, and its last."""
    trials = fans.groupby(c.TRIAL_ID, sort=False, observed=True)
    return fans[(trials.cumcount() % every == 0) | (trials.cumcount(ascending=False) == 0)]


def _fans_title(study: BlockAnalysis) -> str:
    """Say how far apart the first and the last to solve it are, in the trial where that is furthest."""
    solved = study.begun[study.begun[c.SOLVED].astype(bool) & study.begun[c.SOLVED_AT].notna()]
    at = solved[c.SOLVED_AT].astype(float).groupby(solved[c.TRIAL_ID].astype(str))
    sizes = at.size()
    spans = pd.DataFrame({"early": at.quantile(0.05), "late": at.quantile(0.95)})[sizes >= ENOUGH]
    if spans.empty:
        return "How the loss falls"
    widest = highest(spans.assign(span=spans["late"] - spans["early"]).reset_index(), "span")
    return (
        f"Same network, other start: with {study.trial(widest[c.TRIAL_ID])[NAME]}, early solvers need "
        f"{short(widest['early'])} iterations and late ones {short(widest['late'])}"
    )


def _chosen(study: BlockAnalysis) -> list[str]:
    """Return the trials with a panel: all of a few, else the highest, the lowest and the documents' own."""
    ids = [str(name) for name in study.trials.index]
    own = [name for name in ids if _is_documents(study, name)][:4]
    if len(ids) <= MOST_FANS:
        return ids
    chosen = {*shown_trials(study, MOST_FANS - len(own))[0], *own}
    return [name for name in ids if name in chosen]


def _is_documents(study: BlockAnalysis, trial_id: str) -> bool:
    row = study.trial(trial_id)
    return any(
        all(str(row[name]) == str(values.get(name, row[name])) for name in study.names)
        and str(row[c.GATE]) == values[c.GATE]
        for values in DOCUMENTS
    )


def _panels(study: BlockAnalysis, curved: pd.DataFrame, fans: pd.DataFrame) -> list[Panel]:
    by_trial = dict(iter(fans.assign(**{c.TRIAL_ID: fans[c.TRIAL_ID].astype(str)}).groupby(c.TRIAL_ID, sort=False)))
    singles = curved.groupby(c.TRIAL_ID, sort=False, observed=True).head(SINGLES)
    ends_of = {str(loss): log_range(rows[list(QUANTILES)]) for loss, rows in study.named(fans).groupby(c.LOSS)}
    drawn = []
    for trial_id, rows in singles.groupby(c.TRIAL_ID, sort=False, observed=True):
        trial = study.trial(trial_id)
        quantiles = by_trial[str(trial_id)][[ITERATION, *QUANTILES]]
        figure = fan(quantiles, rows[[c.OUTCOME, c.CURVE]], ends_of[str(trial[c.LOSS])], int(trial[c.ITERATIONS]))
        drawn.append(panel(str(trial[NAME]), figure))
    return drawn
