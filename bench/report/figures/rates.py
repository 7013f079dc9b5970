"""How surely: solved rates with their intervals."""

import pandas as pd
from matplotlib.figure import Figure

from bench.analysis.solved import HIGH, LOW, RATE
from bench.report.colour import DIM, EFFECT
from bench.report.drawing import WIDTH, blank, percent_axis, plain, shortened

ROW = 0.19  # inches
CHARACTER = 0.067  # inches


def interval_rows(table: pd.DataFrame, label: str, *, xlabel: str, width: float = WIDTH) -> Figure:
    """Draw a dot with its interval for each row, the first on top; the columns are rate, low and high."""
    names = [shortened(str(name)) for name in table[label]]
    left = 0.2 + CHARACTER * max(map(len, names))
    figure, axes = blank(width, 0.55 + ROW * len(table), left=left, right=0.22, top=0.06, bottom=0.44)
    places = range(len(table))
    axes.hlines(places, table[LOW], table[HIGH], color=EFFECT, linewidth=2, alpha=0.55)
    axes.plot(table[RATE], places, "o", color=EFFECT, markersize=4)
    axes.set_yticks(places, [plain(name) for name in names])
    axes.set_ylim(len(table) - 0.4, -0.6)
    percent_axis(axes, "x", room=0.02)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(xlabel, color=DIM)
    return figure
