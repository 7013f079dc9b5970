"""What matters, and what changes when one thing is changed: shares and differences with their intervals."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bench.report.colour import DIM, EFFECT, SEED
from bench.report.drawing import blank, folded, percent_axis, plain
from bench.report.figures.rates import row_height, row_margin
from bench.report.words import percent

LABEL, VALUE, LOW, HIGH, MARKED = "label", "value", "low", "high", "marked"


def shares(table: pd.DataFrame, xlabel: str, *, most: float) -> Figure:
    """Draw a bar with its interval for each row: the seed's in one colour (``marked``), the others in another."""
    names = [folded(str(name)) for name in table[LABEL]]
    figure, axes = blank(
        4.2, 0.55 + row_height(names) * len(table), left=row_margin(names), right=0.5, top=0.06, bottom=0.44
    )
    places = np.arange(len(table))
    colours = [SEED if marked else EFFECT for marked in table[MARKED]]
    axes.barh(places, table[VALUE], height=0.62, color=colours)
    ends = table[[VALUE, HIGH]].max(axis=1).clip(upper=min(most, 1.0))
    for place, (value, end) in enumerate(zip(table[VALUE], ends, strict=True)):
        axes.annotate(
            percent(value), (end, place), xytext=(3, 0), textcoords="offset points", va="center", fontsize=6.5,
            color=DIM, annotation_clip=False,
        )  # fmt: skip
    known = table[LOW].notna() & table[HIGH].notna()
    axes.hlines(places[known], table[LOW][known], table[HIGH][known], color=DIM, linewidth=1.2)
    axes.set_yticks(places, [plain(name) for name in names])
    axes.set_ylim(len(table) - 0.4, -0.6)
    percent_axis(axes, "x", room=0)
    axes.set_xlim(0, min(most, 1.0) * 1.04)
    if most < 0.5:
        ticks = [t for t in (0, 0.1, 0.2, 0.3, 0.4) if t <= most]
        axes.set_xticks(ticks, [f"{100 * t:.0f} %" for t in ticks])
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(xlabel)
    return figure


def differences(table: pd.DataFrame, xlabel: str, sides: Sequence[str], most: float) -> Figure:
    """Draw a dot with its interval for each row around zero; filled where it is ``marked`` as significant.

    ``sides`` are the words for what is left and right of zero.
    """
    names = [folded(str(name)) for name in table[LABEL]]
    figure, axes = blank(
        4.2, 0.72 + row_height(names) * len(table), left=row_margin(names), right=0.15, top=0.24, bottom=0.44
    )
    places = np.arange(len(table))
    axes.axvline(0, color=DIM, linewidth=0.9)
    axes.hlines(places, table[LOW], table[HIGH], color=EFFECT, linewidth=2, alpha=0.5)
    marked = table[MARKED].to_numpy(dtype=bool)
    axes.plot(table[VALUE][marked], places[marked], "o", color=EFFECT, markersize=4.5)
    axes.plot(table[VALUE][~marked], places[~marked], "o", color=EFFECT, markersize=4.5, mfc="none")
    axes.set_yticks(places, [plain(name) for name in names])
    axes.set_ylim(len(table) - 0.4, -0.6)
    axes.set_xlim(-most, most)
    ticks = np.array([-1, -0.5, 0, 0.5, 1]) * most
    axes.set_xticks(ticks, [f"{100 * tick:+.3g}" if tick else "0" for tick in ticks])
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(xlabel)
    for place, (side, align) in enumerate(zip(sides, ("left", "right"), strict=True)):
        axes.annotate(plain(side), (place, 1), xycoords="axes fraction", xytext=(0, 4), textcoords="offset points",
                      ha=align, fontsize=7, color=DIM)  # fmt: skip
    return figure
