"""Figures of speed: frame in, figure out."""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.analysis import timing
from bench.report.colour import BACKEND
from bench.report.drawing import blank, end_margin, folded, log_axis, log_range, name_ends, plain
from bench.report.figures.rates import row_height, row_margin
from bench.tracking import columns as c

LABEL = "label"


def throughput(panel: pd.DataFrame, sizes: Sequence[int], ends: tuple[float, float]) -> Figure:
    """Draw iterations of one training per second against the trainings side by side, both axes logarithmic.

    A line per side with the quartiles over the rounds, named at its end; dashed, hollow and marked ≠ where it
    disagrees with the numpy loop. ``sizes`` and ``ends`` are those of all panels.
    """
    right = end_margin(f"{side} ≠" for side in panel[timing.SIDE])
    figure, axes = blank(3.9, 2.7, left=0.56, right=right)
    axes.set(xscale="log", xlabel="trainings side by side")
    axes.set_xlim(sizes[0] / 1.5, sizes[-1] * 1.5)
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes], fontsize=6.5 if len(sizes) > 3 else 8)
    axes.xaxis.set_minor_locator(mpl.ticker.NullLocator())
    log_axis(axes, "y", *ends)
    lines = [_line(axes, str(side), rows) for side, rows in panel.groupby(timing.SIDE, sort=False)]
    name_ends(axes, lines, *np.log10(ends))
    return figure


def _line(axes: Axes, side: str, rows: pd.DataFrame) -> dict[str, Any]:
    """Draw one side's line; return its name, its colour and where it ends."""
    rows = rows.sort_values(c.TOGETHER)
    colour = BACKEND[str(rows[c.BACKEND].iloc[0])]
    disagrees = (rows[timing.VERDICT] == timing.DISAGREES).any()
    errors = [
        np.clip(rows[timing.PER_S] - rows[timing.PER_S_LOW], 0, None),
        np.clip(rows[timing.PER_S_HIGH] - rows[timing.PER_S], 0, None),
    ]
    axes.errorbar(
        rows[c.TOGETHER], rows[timing.PER_S], yerr=errors, fmt="o--" if disagrees else "o-", color=colour,
        mfc="white" if disagrees else colour, markersize=4, linewidth=1.4, capsize=2, elinewidth=1,
    )  # fmt: skip
    name = f"{side} ≠" if disagrees else side
    return {"name": plain(name), "colour": colour, "y": np.log10(rows[timing.PER_S].iloc[-1])}


def iteration_times(times: pd.DataFrame) -> Figure:
    """Draw the median time per iteration with its quartiles, a row per trial, in its backend's colour, log axis."""
    names = [folded(str(name)) for name in times[LABEL]]
    figure, axes = blank(5.2, 0.55 + row_height(names) * len(times), left=row_margin(names), top=0.06)
    log_axis(axes, "x", *log_range(times[timing.LOW], times[timing.HIGH]))
    for place, row in enumerate(times.to_dict("records")):
        colour = BACKEND[str(row[c.BACKEND])]
        axes.plot([row[timing.LOW], row[timing.HIGH]], [place, place], color=colour, linewidth=3, alpha=0.5)
        axes.plot(row[timing.MEDIAN], place, "o", color=colour, markersize=4)
    axes.set_yticks(range(len(times)), [plain(name) for name in names])
    axes.set_ylim(len(times) - 0.4, -0.6)
    axes.set_xlabel("microseconds per iteration")
    axes.grid(visible=False, axis="y")
    return figure
