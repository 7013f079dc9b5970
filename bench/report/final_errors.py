"""Final errors: where every training ends, on a logarithmic axis, with all modes visible."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bench.metrics import columns as c
from bench.model.outcome import Result
from bench.report.charts import Chart
from bench.report.colours import OUTCOMES
from bench.report.drawing import area, blank, folded, log_axis, panel, plain, stepped
from bench.report.layout import MOST_FOLDED, MOST_PANELS, layout, shown_trials, sort_by
from bench.report.number_format import counted, percent
from bench.report.solved_rates import row_margin
from bench.stats.block_analysis import NAME, BlockAnalysis

Floats = NDArray[np.float64]
BINS = 56
FEW = 24  # trainings of a row that are drawn one by one
ROW = 0.34  # inches


def final_errors(rows: Sequence[tuple[str, pd.DataFrame]], ends: tuple[float, float]) -> Figure:
    """Draw a ridge for each row: how many trainings end at which error, stacked by outcome; few are drawn singly.

    Each row's ridge has its own height. Errors at and beyond the ends of the axis are drawn at its ends.
    """
    names = [folded(name) for name, _ in rows]
    left = row_margin(names)
    figure, axes = blank(max(3.5, left + 2.1), 0.55 + ROW * len(rows), left=left, right=0.2, top=0.08, bottom=0.44)
    log_axis(axes, "x", *ends)
    edges = np.geomspace(*ends, BINS + 1)
    for place, (_, trainings) in enumerate(rows):
        base = len(rows) - 1 - place
        values = trainings[c.FINAL_MSE].to_numpy(dtype=np.float64).clip(*ends)
        outcomes = trainings[c.OUTCOME].to_numpy(dtype=np.str_)
        (_strip if len(trainings) <= FEW else _ridge)(axes, base, values, outcomes, edges)
    axes.set_yticks(np.arange(len(rows)), [plain(name) for name in reversed(names)])
    axes.set_ylim(-0.12, len(rows) - 0.05)
    axes.set_xlabel("final mean squared error")
    return figure


def _ridge(axes: Axes, base: float, values: Floats, outcomes: NDArray[np.str_], edges: Floats) -> None:
    counts = {name: np.histogram(values[outcomes == name], edges)[0] for name in OUTCOMES if (outcomes == name).any()}
    scale = 0.82 / max(int(np.sum(list(counts.values()), axis=0).max()), 1)
    below = np.zeros(len(edges) - 1)
    for name, count in counts.items():
        floor, top = (np.append(base + some * scale, base) for some in (below, below + count))
        x, low, high = stepped(edges, floor, top)
        area(axes, x, low, high, OUTCOMES[name])
        below = below + count


def _strip(axes: Axes, base: float, values: Floats, outcomes: NDArray[np.str_], edges: Floats) -> None:
    """Draw a mark for each training, marks of the same bin above each other."""
    ordered = np.argsort(values, kind="stable")
    bins = np.clip(np.searchsorted(edges, values[ordered], side="right") - 1, 0, len(edges) - 2)
    first = np.concatenate([[0], np.flatnonzero(np.diff(bins)) + 1]) if len(bins) else np.array([], dtype=int)
    height = np.arange(len(bins)) - np.repeat(first, np.diff([*first, len(bins)]))
    step = 0.8 / max(height.max(initial=0) + 1, 8)
    colours = [OUTCOMES[name] for name in outcomes[ordered]]
    middles = np.sqrt(edges[bins] * edges[bins + 1])
    axes.scatter(middles, base + 0.06 + height * step, c=colours, s=9, linewidths=0)


# ------------------------------------------------------------------ errors


LOWEST = 1e-9  # errors below are drawn here: they are solved to more digits than matter
MOST_ROWS = 12


def errors(study: BlockAnalysis, key: str) -> Chart | None:
    """Return the ridges of final errors by trial, or None where no error is finite and above zero."""
    finite = study.trained[np.isfinite(study.trained[c.FINAL_MSE])]
    if finite.empty:
        return None
    finite = finite.assign(**{c.TRIAL_ID: finite[c.TRIAL_ID].astype(str)})
    by_trial = dict(iter(finite.groupby(c.TRIAL_ID, sort=False)))
    positive = finite[c.FINAL_MSE][finite[c.FINAL_MSE] > 0]
    low = max(float(positive.min()), LOWEST) if len(positive) else LOWEST
    ends = (10 ** np.floor(np.log10(low)), 1.0)
    outcomes = [name for name in OUTCOMES if (finite[c.OUTCOME] == name).any()]
    plan = layout(study)
    trials = study.trials.reset_index()
    if plan.lines == NAME and not plan.facets:
        trials = trials[trials[c.TRIAL_ID].isin(shown_trials(study, MOST_ROWS)[0])]
    drawn = []
    for title, rows in plan.panels(trials)[: MOST_PANELS + MOST_FOLDED]:
        ordered = sort_by(rows, [plan.lines]) if plan.lines != NAME else rows
        own = [(plan.called(row[plan.lines]), by_trial.get(row[c.TRIAL_ID])) for row in ordered.to_dict("records")]
        kept = [(name, trainings) for name, trainings in own if trainings is not None]
        if kept:
            drawn.append(panel(title, final_errors(kept, ends)))
    return Chart(
        name=f"errors-{key}",
        title=_title(finite),
        subtitle=f"Mean squared error after the last iteration, logarithmic; {counted(finite)}.",
        caption="A row is a trial; its height is how many of its trainings end there, in the colour of their outcome "
        "(few are drawn one by one). Separate heaps are different endings: solutions on the left, plateaus on the "
        "right. Errors below 10⁻⁹ stand at the left edge.",
        alt=f"Distribution of final errors by trial: {', '.join(outcomes)}.",
        panels=drawn[:MOST_PANELS],
        more=drawn[MOST_PANELS:],
        data=_histogram(study, finite),
        legend=[(name, OUTCOMES[name]) for name in outcomes],
    )


def _title(finite: pd.DataFrame) -> str:
    """Say what became of the trainings whose errors these are."""
    shares = {name: float((finite[c.OUTCOME] == name).mean()) for name in (Result.SOLVED, Result.STUCK, Result.SLOW)}
    if 1.0 in shares.values():
        whole = next(name for name, share in shares.items() if share == 1)
        return {
            Result.SOLVED: "All trainings end at a solution",
            Result.STUCK: "All trainings end stuck on a plateau",
            Result.SLOW: "All trainings were still on their way when the budget ended",
        }[whole]
    ends = (" end at a solution", " stuck on a plateau", " were still on their way")
    parts = [f"{percent(share)}{end}" for share, end in zip(shares.values(), ends, strict=True) if share]
    return ", ".join(parts)


def _histogram(study: BlockAnalysis, finite: pd.DataFrame) -> pd.DataFrame:
    """Return how many trainings of each trial and outcome end in each tenth of a decade."""
    values = finite[c.FINAL_MSE].to_numpy(dtype=np.float64).clip(LOWEST, None)
    decade = np.floor(np.log10(values) * 10) / 10
    table = pd.DataFrame(
        {c.TRIAL_ID: finite[c.TRIAL_ID], c.OUTCOME: finite[c.OUTCOME].astype(str), "log10_mse_from": decade}
    )
    counts = table.groupby([c.TRIAL_ID, c.OUTCOME, "log10_mse_from"], sort=False).size().reset_index(name="trainings")
    return counts.assign(**{NAME: counts[c.TRIAL_ID].map(study.trials[NAME])})
