"""Loss curves: single trainings first, then quantile fans over the seeds."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.metrics import columns as c
from bench.metrics.measures import time_to_solution
from bench.report import drawing
from bench.report.charts import Chart, Content, four_digits
from bench.report.colours import EFFECT, OUTCOMES, outcome_legend
from bench.report.drawing import Panel, panel
from bench.report.number_format import from_to, plural, short
from bench.report.panel_layout import is_single, shown_trials
from bench.stats.curves import CURVES, ITERATION, QUANTILES, recorded
from bench.stats.grid_analysis import NAME, GridAnalysis, highest, in_words

FAN = ((0.05, 0.95, 0.13), (0.25, 0.75, 0.22))  # from, to, how dense
LABEL, PANEL = "label", "panel"
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
MOST_DOCUMENTS = 4


def curves(block: GridAnalysis, key: str) -> Content | None:
    """Return the chart of single curves, or of fans with what the page needs to draw the other trials."""
    curved = block.trained[block.trained[c.CURVE].notna()]
    if curved.empty:
        return None
    return _singles(block, curved, key) if is_single(block) else _fans(block, curved, key)


def loss_axes(axes: Axes, ends: tuple[float, float], iterations: int) -> None:
    """Let axes show a loss between two ends, logarithmic, over so many iterations."""
    drawing.log_axis(axes, "y", *ends)
    axes.set_xlim(0, max(iterations, 1))
    ticks = np.array([0, 0.5, 1]) * iterations
    axes.set_xticks(ticks, [drawing.plain_number(tick) if tick < 1e6 else f"{tick / 1e6:g} M" for tick in ticks])
    axes.set_xlabel("iteration")


# ------------------------------------------------------------------ single trainings


def _singles(block: GridAnalysis, curved: pd.DataFrame, key: str) -> Content | None:
    lines = _lines(block, curved)
    if lines.empty:
        return None
    ends = drawing.log_range(lines[c.CURVE])
    shown = lines[LABEL].nunique()
    chart = Chart(
        name=f"curves-{key}",
        title=_singles_title(curved),
        subtitle=f"Loss before each iteration, logarithmic; each line is one training, {shown:,} in all.",
        note="" if shown == len(curved) else f" The first {shown:,} of {len(curved):,} trainings.",
        alt=f"Loss of {plural(shown, 'single training')} against iterations.",
        panels=[panel("", single_curves(some, ends), wide=True) for _, some in lines.groupby(PANEL, sort=False)],
        data=lines[[LABEL, c.OUTCOME, ITERATION, c.CURVE]].rename(columns={c.CURVE: c.LOSS}),
        legend=outcome_legend(lines[c.OUTCOME]),
    )
    return {"chart": chart, "single": True, "others": None}


def _singles_title(curved: pd.DataFrame) -> str:
    outcomes = curved.groupby(c.TRIAL_ID, sort=False, observed=True)[c.OUTCOME].nunique()
    if (outcomes > 1).any():
        return "The same network, another start, another outcome"
    return "Training by training" if len(curved) > 1 else "One training"


def _lines(block: GridAnalysis, curved: pd.DataFrame) -> pd.DataFrame:
    """Return the drawable curves, a row per training and recorded iteration, named by what tells them apart."""
    several = (curved[c.SEED] != curved[c.SEED].iloc[0]).any()
    parts = []
    for place, (_, row) in enumerate(curved.head(MOST_CURVES * 2).iterrows()):
        seed = f"seed {row[c.SEED]}" if several or not block.names else ""
        words = f"{in_words(block.trial(row[c.TRIAL_ID]), block.names)} {seed}".strip()
        loss = np.asarray(row[c.CURVE], dtype=np.float64)
        if (np.isfinite(loss) & (loss > 0)).any():
            own = pd.DataFrame({ITERATION: recorded(row.to_frame().T), c.CURVE: loss})
            facts = {LABEL: words, c.OUTCOME: str(row[c.OUTCOME]), c.ITERATIONS: row[c.ITERATIONS]}
            parts.append(own.assign(**facts, **{PANEL: place // MOST_CURVES}))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def single_curves(lines: pd.DataFrame, ends: tuple[float, float]) -> Figure:
    """Draw each training's own loss, in the colour of its outcome, named at its end; ``label`` tells lines apart."""
    right = drawing.end_margin(lines[LABEL].unique())
    figure, axes = drawing.blank(max(4.3, right + 2.6), 2.8, right=right, left=0.5)
    loss_axes(axes, ends, int(lines[c.ITERATIONS].iloc[0]))
    named = []
    for place, (label, rows) in enumerate(lines.groupby(LABEL, sort=False)):
        colour = OUTCOMES[str(rows[c.OUTCOME].iloc[0])]
        kept = rows[np.isfinite(rows[c.CURVE])]
        axes.plot(kept[ITERATION], kept[c.CURVE], ("-", "--", ":", "-.")[place % 4], color=colour, linewidth=1.4)
        last = np.log(max(kept[c.CURVE].iloc[-1], ends[0]))
        named.append({"name": drawing.plain(drawing.folded(str(label))), "colour": colour, "y": last})
    drawing.name_ends(axes, named, np.log(ends[0]), np.log(ends[1]), gap=0.058)
    return figure


# ------------------------------------------------------------------ fans


def _fans(block: GridAnalysis, curved: pd.DataFrame, key: str) -> Content | None:
    fans = block.fans
    finite = fans[list(QUANTILES)].replace([np.inf, -np.inf], np.nan)
    if not (finite > 0).to_numpy().any():
        return None
    chosen = _chosen(block)
    whole = len(chosen) == len(block.trials)
    drawn = _panels(block, curved[curved[c.TRIAL_ID].isin(chosen)], fans)
    every = -(-len(fans) // MOST_ROWS)
    chart = Chart(
        name=f"curves-{key}",
        title=_fans_title(block),
        subtitle=f"Loss before each iteration, logarithmic; blue: median, 25–75 % and 5–95 % of "
        f"n = {from_to(fans.groupby(c.TRIAL_ID, observed=True)[CURVES].max())} seeds. Losses of different kinds have "
        "different units.",
        alt=f"Quantile fans of the loss of {plural(len(drawn), 'trial')} against iterations.",
        panels=drawn,
        data=block.named(four_digits(_thinned(fans, every), list(QUANTILES)))[[NAME, ITERATION, *QUANTILES]],
        legend=[("median and quantiles", EFFECT), *outcome_legend(curved[c.OUTCOME])],
    )  # fmt: skip
    others = None if whole else [str(name) for name in block.trials[NAME]]
    return {"chart": chart, "single": False, "singles": SINGLES, "every": every, "others": others}


def _thinned(fans: pd.DataFrame, every: int) -> pd.DataFrame:
    """Return one recorded iteration in so many of each trial, and its last."""
    trials = fans.groupby(c.TRIAL_ID, sort=False, observed=True)
    return fans[(trials.cumcount() % every == 0) | (trials.cumcount(ascending=False) == 0)]


def _fans_title(block: GridAnalysis) -> str:
    """Say how far apart the first and the last to solve it are, in the trial where that is furthest."""
    times = pd.Series(time_to_solution(block.begun), index=block.begun[c.TRIAL_ID].astype(str))
    at = times[np.isfinite(times)].groupby(level=0)
    spans = pd.DataFrame({"early": at.quantile(0.05), "late": at.quantile(0.95)})[at.size() >= ENOUGH]
    if spans.empty:
        return "How the loss falls"
    widest = highest(spans.assign(span=spans["late"] - spans["early"]).reset_index(), "span")
    return (
        f"Same network, other start: with {block.trial(widest[c.TRIAL_ID])[NAME]}, the earliest 5 % of those that "
        f"solve it need up to {short(widest['early'])} iterations, the latest 5 % {short(widest['late'])} or more"
    )


def _chosen(block: GridAnalysis) -> Sequence[str]:
    """Return the trials with a panel: all of a few, else the highest, the lowest and the documents' own."""
    ids = [str(name) for name in block.trials.index]
    own = [name for name in ids if _is_documents(block, name)][:MOST_DOCUMENTS]
    if len(ids) <= MOST_FANS:
        return ids
    chosen = {*shown_trials(block, MOST_FANS - len(own)), *own}
    return [name for name in ids if name in chosen]


def _is_documents(block: GridAnalysis, trial_id: str) -> bool:
    row = block.trial(trial_id)
    return any(
        str(row[c.GATE]) == values[c.GATE]
        and all(str(row[name]) == str(values.get(name, row[name])) for name in block.names)
        for values in DOCUMENTS
    )


def _panels(block: GridAnalysis, curved: pd.DataFrame, fans: pd.DataFrame) -> list[Panel]:
    quantiles = dict(iter(fans.groupby(fans[c.TRIAL_ID].astype(str), sort=False)))
    ends = {str(loss): drawing.log_range(rows[list(QUANTILES)]) for loss, rows in block.named(fans).groupby(c.LOSS)}
    drawn = []
    for trial_id, rows in curved.groupby(c.TRIAL_ID, sort=False, observed=True):
        trial = block.trial(trial_id)
        figure = fan(quantiles[str(trial_id)], rows.head(SINGLES), ends[str(trial[c.LOSS])], int(trial[c.ITERATIONS]))
        drawn.append(panel(str(trial[NAME]), figure))
    return drawn


def fan(quantiles: pd.DataFrame, singles: pd.DataFrame, ends: tuple[float, float], iterations: int) -> Figure:
    """Draw a trial's median loss with bands from 5 to 95 % and from 25 to 75 %, and single trainings over it.

    ``singles`` has a row per training with its outcome and its curve at the same iterations.
    """
    figure, axes = drawing.blank(2.9, 2.1, left=0.47, right=0.24)
    loss_axes(axes, ends, iterations)
    at = quantiles[ITERATION]
    shown = quantiles[list(QUANTILES)].replace(np.inf, np.nan)
    for low, high, alpha in FAN:
        known = (shown[low].notna() & shown[high].notna()).to_numpy()
        drawing.area(axes, at[known], shown[low][known], shown[high][known], EFFECT, alpha)
    for outcome, curve in zip(singles[c.OUTCOME], singles[c.CURVE], strict=True):
        finite = np.where(np.isfinite(curve), curve, np.nan)
        axes.plot(at, finite, color=OUTCOMES[str(outcome)], linewidth=0.8, alpha=0.9)
    axes.plot(at, shown[0.5], color=EFFECT, linewidth=1.8)
    return figure
