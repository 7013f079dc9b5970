"""Parallel coordinates: each trial a line through its parameters to its value (Inselberg 1985)."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bench.config.search_space import Dimension
from bench.metrics import columns as c
from bench.metrics.objectives import OBJECTIVES
from bench.report.charts import Chart
from bench.report.colours import DIM, INK, PAPER, QUALITY, SHADES, STEPS
from bench.report.drawing import Floats, blank, panel, plain
from bench.report.number_format import axis_words, plural
from bench.report.search_scales import Scale, Trials
from bench.stats.holdout import NUMBER
from bench.stats.search_results import SearchResults

MOST = 300  # trials that are all drawn; of more, as many, and the best
BEST_SHARE, MOST_BEST = 0.1, 100
NOT_SEARCHED = -0.13  # where a line passes an axis of a parameter that the trial did not search
NARROWEST, WIDEST = 0.54, 1.1  # inches between axes
LENGTH = 2.2  # inches of an axis
LETTER = 0.06  # inches
LONG = 9  # letters of a name that stands in two lines, where it has two words
NARROW = 3  # parameters, whose axes have room beside each other on a small screen


def parallel_chart(found: SearchResults, name: str) -> Chart:
    """Return the chart of an objective over all parameters together."""
    names, trials = list(found.space), len(found.history)
    some = f"; {shown(trials):,} of them are drawn, the best among them" if shown(trials) < trials else ""
    conditional = any(over.only_if for over in found.space.values())
    return Chart(
        name="search-parallel-1",
        title="Which values the best trials share",
        subtitle=f"A line per proposal through {plural(len(names), 'parameter')} to its {axis_words(name)}; "
        f"n = {trials:,}{some}.",
        note=" A line below an axis did not search that parameter." if conditional else "",
        alt=f"Parallel coordinates of {', '.join(names)} and {OBJECTIVES[name].measures}.",
        panels=[panel("", draw_parallel(found.history, names, found.space, name), wide=len(names) > NARROW)],
        data=found.history[[NUMBER, c.TRIAL_ID, *names, name]],
        legend=QUALITY,
    )


def shown(trials: int) -> int:
    """Return how many of so many trials parallel coordinates show."""
    return min(trials, MOST + _best_count(trials)) if trials > MOST else trials


def draw_parallel(
    history: pd.DataFrame, names: Sequence[str], space: Mapping[str, Dimension], objective: str
) -> Figure:
    """Draw a line per trial through an axis per parameter to the objective, in the shade of its value; best on top.

    A line passes below an axis whose parameter the trial did not search, or whose value is not finite. Of more than
    300 trials, an even sample and the best tenth are drawn; ``shown`` says how many.
    """
    trials = Trials(history, objective)
    columns = [trials.column(name) for name in names]
    scales = [Scale.of_parameter(space[name], one) for name, one in zip(names, columns, strict=True)]
    columns, scales = [*columns, pd.Series(trials.results)], [*scales, Scale.of_values(trials.results)]
    places_AT = np.array([scale.places(one) for scale, one in zip(scales, columns, strict=True)])  # A axes, T trials
    room = float(np.clip(4.3 / max(len(names), 1), NARROWEST, WIDEST))  # inches between axes
    tight = max(len(one) for name in (*names, objective) for one in _two_lines(name).split("\n")) * LETTER > room - 0.05
    top = 0.42 + 0.25 * tight
    lowest = NOT_SEARCHED - 0.05 if np.isnan(places_AT).any() else -0.02
    size = (max(room * len(names) + 1.25, 3.0), (1.02 - lowest) * LENGTH + top + 0.12)
    figure, axes = blank(*size, left=0.62, right=0.63, top=top, bottom=0.12)
    axes.set(xlim=(0, max(len(names), 1)), ylim=(lowest, 1.02))
    axes.axis("off")
    ordered, best = _chosen(trials)
    _lines(axes, places_AT[:, ordered], best[ordered], maximized=trials.is_maximized)
    for place, (name, scale) in enumerate(zip([*names, objective], scales, strict=True)):
        is_last = place == len(names)
        _axis(axes, place, name, scale, is_last=is_last, up=tight and place % 2 == 1, room=room)
    for place in np.flatnonzero(np.isnan(places_AT).any(axis=1)).tolist():
        is_last = place == len(names)
        _tick(axes, place, NOT_SEARCHED, "no value" if is_last else "not searched", is_last=is_last, room=room)
    return figure


def _best_count(trials: int) -> int:
    return min(int(np.ceil(BEST_SHARE * trials)), MOST_BEST)


def _chosen(trials: Trials) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the places of the trials that are drawn, from worst to best, and for all trials whether they are best.

    The best are of those that were not given up and break no limit.
    """
    costs, count = trials.results * (-1 if trials.is_maximized else 1), len(trials.results)
    comparable = ~trials.is_pruned & trials.is_feasible & trials.is_finite
    ranked = np.lexsort((costs, ~comparable))
    best = np.zeros(count, dtype=bool)
    best[ranked[: min(_best_count(count), int(comparable.sum()))]] = True
    rest = np.flatnonzero(~best)
    wanted = min(shown(count) - int(best.sum()), len(rest))
    kept = best.copy()
    kept[rest[np.linspace(0, len(rest) - 1, wanted).astype(int)]] = True
    return ranked[::-1][kept[ranked[::-1]]], best


def _lines(axes: Axes, places_AT: Floats, best: NDArray[np.bool_], *, maximized: bool) -> None:
    """Draw lines, the last one on top; the best have an outline, which tells them from the rest on any ground."""
    goodness = np.nan_to_num(places_AT[-1] if maximized else 1 - places_AT[-1], nan=0.0)
    shade = np.minimum((goodness * STEPS).astype(int), STEPS - 1)
    passing = np.where(np.isnan(places_AT), NOT_SEARCHED, places_AT).T
    corners = [np.column_stack([np.arange(len(places_AT)), line]) for line in passing]
    faint = 0.5 if len(passing) <= 60 else 0.28
    strong = 1.3 if best.sum() <= 30 else 0.8
    for own, width, alpha in ((~best, 0.7, faint), (best, strong, 1.0)):
        few = [corners[place] for place in np.flatnonzero(own)]
        if alpha == 1:
            axes.add_collection(LineCollection(few, colors=INK, linewidths=1.7 * width, alpha=0.75), autolim=False)
        colours = [SHADES[step] for step in shade[own]]
        axes.add_collection(LineCollection(few, colors=colours, linewidths=width, alpha=alpha), autolim=False)


def _axis(axes: Axes, place: int, name: str, scale: Scale, *, is_last: bool, up: bool, room: float) -> None:
    """Draw an axis with its name above, ``up`` over its neighbours' if need be, and its ticks beside it."""
    axes.plot([place, place], [0, 1], color=DIM, linewidth=0.8, clip_on=False)
    for y, word in scale.ticks(4):
        axes.plot(place, y, "_", color=DIM, markersize=4, markeredgewidth=0.8, clip_on=False)
        _tick(axes, place, y, word, is_last=is_last, room=room)
    axes.annotate(
        plain(_two_lines(name)), (place, 1), xytext=(0, 6 + 18 * up), textcoords="offset points", ha="center",
        va="bottom", fontsize=7.5, color=INK, fontweight="bold" if is_last else "normal", annotation_clip=False,
        linespacing=1.05,
    )  # fmt: skip


def _tick(axes: Axes, place: int, y: float, word: str, *, is_last: bool, room: float) -> None:
    """Write a tick over the lines: left of its axis, that of the last one right, as long as there is room."""
    letters = max(int((room - 0.05) / LETTER), 4)
    lines = [word] if len(word) <= letters else _two_lines(word).replace(" ", "\n").split("\n")
    text = "\n".join(one if len(one) <= letters else f"{one[: letters - 1]}…" for one in lines)
    axes.annotate(
        plain(text), (place, y), xytext=(4 if is_last else -4, 0), textcoords="offset points",
        ha="left" if is_last else "right", va="center", fontsize=7, color=INK, annotation_clip=False, linespacing=1,
        bbox={"facecolor": PAPER, "edgecolor": "none", "alpha": 0.72, "pad": 0.6},
    )  # fmt: skip


def _two_lines(name: str) -> str:
    """Return a name of several words in two lines, if it is long."""
    cuts = [k for k, letter in enumerate(name) if letter == "_"]
    if len(name) < LONG or not cuts:
        return name
    middle = min(cuts, key=lambda cut: abs(cut - len(name) / 2))
    return f"{name[: middle + 1]}\n{name[middle + 1 :]}"
