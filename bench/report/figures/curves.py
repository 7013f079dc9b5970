"""Training curves: quantile fans over seeds, and single trainings in the colours of their outcomes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bench.analysis.curves import ITERATION
from bench.report.colour import EFFECT, OUTCOMES
from bench.report.drawing import area, blank, end_margin, folded, line, log_axis, name_ends, plain, plain_number
from bench.tracking import columns as c

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
