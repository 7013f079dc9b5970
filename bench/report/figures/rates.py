"""How surely: solved rates with their intervals."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from bench.analysis.solved import HIGH, LOW, RATE
from bench.report.colour import DIM, EFFECT
from bench.report.drawing import CHARACTER, WIDTH, blank, folded, longest, percent_axis, plain

ROW = 0.19  # inches, of one line


def interval_rows(table: pd.DataFrame, label: str, *, xlabel: str, width: float = WIDTH) -> Figure:
    """Draw a dot with its interval for each row, the first on top; the columns are rate, low and high."""
    names = [folded(str(name)) for name in table[label]]
    left = row_margin(names)
    height = 0.5 + row_height(names) * len(table)
    figure, axes = blank(max(width, left + 2.1), height, left=left, right=0.24, top=0.06, bottom=0.44)
    places = range(len(table))
    axes.hlines(places, table[LOW], table[HIGH], color=EFFECT, linewidth=2, alpha=0.55)
    axes.plot(table[RATE], places, "o", color=EFFECT, markersize=4, clip_on=False)
    axes.set_yticks(places, [plain(name) for name in names])
    axes.set_ylim(len(table) - 0.4, -0.6)
    percent_axis(axes, "x", room=0.02)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(xlabel, color=DIM)
    return figure


def row_margin(names: Sequence[str]) -> float:
    """Return the inches that the names of rows need."""
    return 0.2 + CHARACTER * longest(names)


def row_height(names: Sequence[str]) -> float:
    """Return the inches of a row: more where a name takes two lines."""
    return ROW * (1.7 if any("\n" in name for name in names) else 1)
