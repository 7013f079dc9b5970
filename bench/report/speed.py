"""Figures of speed: frame in, figure out."""

from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.analysis import timing
from bench.problem.trial import BACKENDS
from bench.report.figures import LABEL, PALETTE, finished, in_panels, plain
from bench.tracking import columns as c

LABEL_GAP = 0.055  # of the axis's height between two names at the ends of their lines


def backend_colour(backend: str) -> str:
    """Return a backend's colour, the same in every figure and table."""
    return PALETTE[BACKENDS.index(backend) % len(PALETTE)]


def throughput(table: pd.DataFrame, rest: list[str]) -> Figure:
    """Draw iterations of one training per second against the trainings side by side, both axes logarithmic.

    A line per side with the quartiles over the rounds, named at its end; dashed, hollow and marked ≠ where it
    disagrees with the numpy loop. A panel for each combination of the rest.
    """
    figure, panels = in_panels(table, rest)
    sizes = sorted(table[c.TOGETHER].unique())
    low, high = np.log10([table[timing.PER_S_LOW].min(), table[timing.PER_S_HIGH].max()])
    room = max(high - low, 1.0)
    for axes, panel in panels:
        axes.set(xscale="log", yscale="log", xlabel="trainings side by side")
        axes.set_ylim(10 ** (low - 0.15 * room), 10 ** (high + 0.15 * room))
        axes.set_xlim(sizes[0] / 1.5, sizes[-1] * max(2.2, (sizes[-1] / sizes[0]) ** 0.45))
        axes.set_xticks(sizes, [f"{size:,}" for size in sizes], fontsize="small")
        axes.xaxis.set_minor_locator(mpl.ticker.NullLocator())
        axes.yaxis.set_major_formatter(mpl.ticker.EngFormatter(sep=" "))
        axes.yaxis.set_minor_locator(mpl.ticker.LogLocator(subs=(2, 5)))
        axes.yaxis.set_minor_formatter(mpl.ticker.NullFormatter() if room > 1.5 else mpl.ticker.EngFormatter(sep=" "))
        axes.tick_params(axis="y", which="minor", labelsize="x-small")
        ends = [_line(axes, str(side), rows) for side, rows in panel.groupby(timing.SIDE, sort=False)]
        _name_lines(axes, ends, LABEL_GAP * 1.3 * room)
    panels[0][0].set_ylabel("iterations of a training per second")
    return finished(figure, panels, None)


def _line(axes: Axes, side: str, rows: pd.DataFrame) -> dict[str, Any]:
    """Draw one side's line; return its name, its colour and where it ends."""
    rows = rows.sort_values(c.TOGETHER)
    colour = backend_colour(rows[c.BACKEND].iloc[0])
    disagrees = (rows[timing.VERDICT] == timing.DISAGREES).any()
    errors = [
        np.clip(rows[timing.PER_S] - rows[timing.PER_S_LOW], 0, None),
        np.clip(rows[timing.PER_S_HIGH] - rows[timing.PER_S], 0, None),
    ]
    axes.errorbar(
        rows[c.TOGETHER], rows[timing.PER_S], yerr=errors, fmt="o--" if disagrees else "o-", color=colour,
        mfc="white" if disagrees else colour, markersize=4.5, linewidth=1.4, capsize=2, elinewidth=1,
    )  # fmt: skip
    last = rows.iloc[-1]
    name = f"{side} ≠" if disagrees else side
    return {"name": name, "colour": colour, "x": last[c.TOGETHER], "y": np.log10(last[timing.PER_S])}


def _name_lines(axes: Axes, ends: list[dict[str, Any]], gap: float) -> None:
    """Write every line's name at its end, moved up where it would cover the one below."""
    floor = -np.inf
    for end in sorted(ends, key=lambda end: end["y"]):
        place = max(end["y"], floor)
        floor = place + gap
        axes.annotate(
            end["name"], (end["x"], 10**place), xytext=(6, 0), textcoords="offset points", va="center",
            fontsize="small", color=end["colour"], fontweight="bold",
        )  # fmt: skip


def iteration_times(times: pd.DataFrame) -> Figure:
    """Draw the median time per iteration with its quartiles, a row per trial, a colour per backend, log axis."""
    figure = Figure(figsize=(7.2, 0.9 + 0.34 * len(times)))
    axes = figure.subplots()
    for place, (_, row) in enumerate(times.iterrows()):
        colour = backend_colour(row[c.BACKEND])
        axes.plot([row[timing.LOW], row[timing.HIGH]], [place, place], color=colour, linewidth=3, alpha=0.5)
        axes.plot(row[timing.MEDIAN], place, "o", color=colour)
    axes.set(
        xscale="log", xlabel="microseconds per iteration", yticks=range(len(times)), yticklabels=times[LABEL].map(plain)
    )
    axes.xaxis.set_major_formatter(mpl.ticker.FormatStrFormatter("%g"))
    axes.xaxis.set_minor_formatter(mpl.ticker.FormatStrFormatter("%g"))
    axes.tick_params(axis="x", which="minor", labelsize="x-small")
    axes.invert_yaxis()
    sns.despine(figure)
    return figure
