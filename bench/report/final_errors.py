"""Final errors: where every training ends, on a logarithmic axis, with all modes visible."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bench.metrics import columns as c
from bench.model.outcome import Result
from bench.report import drawing
from bench.report.charts import Chart, Content
from bench.report.colours import OUTCOMES, outcome_legend
from bench.report.drawing import Floats, panel
from bench.report.layout import MOST_FOLDED, MOST_PANELS, layout, only_shown
from bench.report.number_format import counted, percent
from bench.stats.block_analysis import NAME, BlockAnalysis

BINS = 56
FEW = 24  # trainings of a row that are drawn one by one
ROW = 0.34  # inches
LOWEST = 1e-9  # errors below are drawn here: they are solved to more digits than matter
MOST_ROWS = 12
DECADE = "log10_mse_from"


def errors(block: BlockAnalysis, key: str) -> Content | None:
    """Return the ridges of final errors by trial, or None where no error is finite."""
    finite = block.trained[np.isfinite(block.trained[c.FINAL_MSE])]
    if finite.empty:
        return None
    finite = finite.assign(**{c.TRIAL_ID: finite[c.TRIAL_ID].astype(str)})
    by_trial = dict(iter(finite.groupby(c.TRIAL_ID, sort=False)))
    positive = finite[c.FINAL_MSE][finite[c.FINAL_MSE] > 0]
    low = max(float(positive.min()), LOWEST) if len(positive) else LOWEST
    ends = (10 ** np.floor(np.log10(low)), 1.0)
    plan = layout(block)
    trials = block.trials.reset_index()
    drawn = []
    shown = only_shown(block, trials, MOST_ROWS) if plan.is_list else trials
    for title, rows in plan.panels(shown)[: MOST_PANELS + MOST_FOLDED]:
        own = [(name, by_trial.get(row[c.TRIAL_ID])) for name, row in plan.rows(rows)]
        kept = [(name, trainings) for name, trainings in own if trainings is not None]
        if kept:
            drawn.append(panel(title, ridges(kept, ends)))
    legend = outcome_legend(finite[c.OUTCOME])
    chart = Chart(
        name=f"errors-{key}",
        title=_title(finite),
        subtitle=f"Mean squared error after the last iteration, logarithmic; {counted(finite)}.",
        alt=f"Distribution of final errors by trial: {', '.join(name for name, _ in legend)}.",
        panels=drawn[:MOST_PANELS],
        more=drawn[MOST_PANELS:],
        data=_histogram(block, finite),
        legend=legend,
    )
    return {"chart": chart}


def _title(finite: pd.DataFrame) -> str:
    """Say what became of the trainings whose errors these are."""
    words = {
        Result.SOLVED: ("All trainings end at a solution", " end at a solution"),
        Result.STUCK: ("All trainings end stuck on a plateau", " stuck on a plateau"),
        Result.SLOW: ("All trainings were still on their way when the budget ended", " were still on their way"),
    }
    shares = {name: float((finite[c.OUTCOME] == name).mean()) for name in words}
    whole = [words[name][0] for name, share in shares.items() if share == 1]
    return (
        whole[0] if whole else ", ".join(f"{percent(share)}{words[name][1]}" for name, share in shares.items() if share)
    )


def _histogram(block: BlockAnalysis, finite: pd.DataFrame) -> pd.DataFrame:
    """Return how many trainings of each trial and outcome end in each tenth of a decade."""
    values = finite[c.FINAL_MSE].to_numpy(dtype=np.float64).clip(LOWEST, None)
    table = finite[[c.TRIAL_ID]].assign(
        **{c.OUTCOME: finite[c.OUTCOME].astype(str), DECADE: np.floor(np.log10(values) * 10) / 10}
    )
    counts = table.groupby([c.TRIAL_ID, c.OUTCOME, DECADE], sort=False).size().reset_index(name="trainings")
    return counts.assign(**{NAME: counts[c.TRIAL_ID].map(block.trials[NAME])})


# ------------------------------------------------------------------ ridges


def ridges(rows: Sequence[tuple[str, pd.DataFrame]], ends: tuple[float, float]) -> Figure:
    """Draw a ridge for each row: how many trainings end at which error, stacked by outcome; few are drawn singly.

    Each row's ridge has its own height. Errors at and beyond the ends of the axis are drawn at its ends.
    """
    names = [drawing.folded(name) for name, _ in rows]
    left = drawing.row_margin(names)
    size = max(drawing.WIDTH, left + 2.1), 0.55 + ROW * len(rows)
    figure, axes = drawing.blank(*size, left=left, right=0.2, top=0.08, bottom=0.44)
    drawing.log_axis(axes, "x", *ends)
    edges = np.geomspace(*ends, BINS + 1)
    for base, (_, trainings) in zip(reversed(range(len(rows))), rows, strict=True):
        values = trainings[c.FINAL_MSE].to_numpy(dtype=np.float64).clip(*ends)
        outcomes = trainings[c.OUTCOME].to_numpy(dtype=np.str_)
        (_strip if len(trainings) <= FEW else _ridge)(axes, base, values, outcomes, edges)
    axes.set_yticks(np.arange(len(rows)), [drawing.plain(name) for name in reversed(names)])
    axes.set_ylim(-0.12, len(rows) - 0.05)
    axes.set_xlabel("final mean squared error")
    return figure


def _ridge(axes: Axes, base: float, values: Floats, outcomes: NDArray[np.str_], edges: Floats) -> None:
    counts = {name: np.histogram(values[outcomes == name], edges)[0] for name in OUTCOMES if (outcomes == name).any()}
    scale = 0.82 / max(int(np.sum(list(counts.values()), axis=0).max()), 1)
    below = np.zeros(len(edges) - 1)
    for name, count in counts.items():
        floor, top = (np.append(base + some * scale, base) for some in (below, below + count))
        x, low, high = drawing.stepped(edges, floor, top)
        drawing.area(axes, x, low, high, OUTCOMES[name])
        below = below + count


def _strip(axes: Axes, base: float, values: Floats, outcomes: NDArray[np.str_], edges: Floats) -> None:
    """Draw a mark for each training, marks of the same bin above each other."""
    ordered = np.argsort(values, kind="stable")
    bins = np.clip(np.searchsorted(edges, values[ordered], side="right") - 1, 0, len(edges) - 2)
    height = pd.Series(bins).groupby(bins).cumcount().to_numpy()
    step = 0.8 / max(height.max(initial=0) + 1, 8)
    colours = [OUTCOMES[name] for name in outcomes[ordered]]
    middles = np.sqrt(edges[bins] * edges[bins + 1])
    axes.scatter(middles, base + 0.06 + height * step, c=colours, s=9, linewidths=0)
