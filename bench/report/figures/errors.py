"""Where trainings end up: final errors on a logarithmic axis, with their modes visible."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bench.report.colour import OUTCOMES
from bench.report.drawing import area, blank, folded, log_axis, plain, stepped
from bench.report.figures.rates import row_margin
from bench.tracking import columns as c

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
