"""A search's values by the number of the trial, and against each other."""

from collections.abc import Sequence
from itertools import combinations, product
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from bench.metrics.objectives import MAXIMIZE, SOLVED_RATE
from bench.report.colours import DIM, EFFECT, INK
from bench.report.drawing import area, blank, end_margin, line, name_ends, plain
from bench.report.number_format import percent, short
from bench.report.search_scales import (
    BEST,
    FEASIBLE,
    NUMBER,
    PRUNED,
    STATE,
    Floats,
    clipped,
    column,
    mark_style,
    numbers,
    objective_values,
    title_axis,
    value_axis,
)

BAND = 0.16
SAMPLERS = (EFFECT, DIM)  # of the search that was asked for, and of what it is compared with
Mask = NDArray[np.bool_]
MARKS: dict[str, dict[str, Any]] = {  # and what they are called
    "": {"marker": "o", "markerfacecolor": EFFECT, "markeredgewidth": 0, "alpha": 0.7},
    "○ given up": {"marker": "o", "markerfacecolor": "none", "markeredgewidth": 0.8},
    "△ no finite value": {"marker": "^", "markerfacecolor": "none", "markeredgewidth": 0.8},
    "× breaks a limit": {"marker": "x", "markeredgewidth": 0.9, "markeredgecolor": DIM},
}


def history(history: pd.DataFrame, objective: str, direction: str) -> Figure:
    """Draw each trial's value by its number, and the best so far as steps whose last value is named.

    Hollow: given up early; crosses: trials that break a limit; triangles: infinite, drawn at the worst finite value.
    """
    values = objective_values(history, objective)
    at = numbers(column(history, NUMBER))
    best = numbers(column(history, BEST))
    last = best[~np.isnan(best)][-1:]
    names = [f"best {percent(float(value)) if objective == SOLVED_RATE else short(float(value))}" for value in last]
    figure, axes = blank(4.4, 2.7, left=0.6, right=max(end_margin(names), 0.2), top=0.26)
    ends = value_axis(axes, "y", values)
    _marks(axes, at, clipped(values), _kinds(history, values))
    _running(axes, at, np.clip(best, *_finite_ends(values)), ends, names)
    axes.set_xlim(*_number_ends(at))
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.set_xlabel("trial number", loc="left")  # at its right, what the marks are
    title_axis(axes, f"{objective} ({'more' if direction == 'maximize' else 'less'} is better)")
    return figure


def _kinds(history: pd.DataFrame, values: NDArray[np.float64]) -> list[Mask]:
    """Return for each kind of marks which trials have it: exactly one each."""
    infeasible = ~column(history, FEASIBLE).fillna(1).to_numpy(dtype=bool)
    endless = ~np.isfinite(values) & ~infeasible
    pruned = (column(history, STATE) == PRUNED).to_numpy(dtype=bool) & ~endless & ~infeasible
    return [~(infeasible | endless | pruned), pruned, endless, infeasible]


def _marks(axes: Axes, at: NDArray[np.float64], values: NDArray[np.float64], kinds: list[Mask]) -> None:
    for own, (_, marks) in zip(kinds, MARKS.items(), strict=True):
        if own.any():
            axes.plot(
                at[own], values[own], linestyle="", color=EFFECT,
                **{"markeredgecolor": EFFECT, **marks, **mark_style(len(at))},
            )  # fmt: skip
    named = [name for own, name in zip(kinds, MARKS, strict=True) if name and own.any()]
    axes.annotate(
        "   ".join(named), (1, 0), xycoords="axes fraction", xytext=(0, -29), textcoords="offset points", ha="right",
        va="bottom", fontsize=6.5, color=DIM, annotation_clip=False,
    )  # fmt: skip


def _running(axes: Axes, at: Any, best: Any, ends: tuple[float, float], names: list[str]) -> None:
    """Draw the best so far, and name its last value at its end."""
    known = ~np.isnan(best)
    axes.step(at[known], best[known], where="post", color=INK, linewidth=1.5)
    heights = np.log10(best[known]) if axes.get_yscale() == "log" else best[known]
    name_ends(axes, [{"name": name, "colour": INK, "y": heights[-1]} for name in names], *ends)


def repeated(running: pd.DataFrame, objective: str) -> Figure:
    """Draw each sampler's mean of the best so far by the number of trials, with its 95 % band, named at its end."""
    groups = list(running.groupby("sampler", sort=False, observed=True)) if len(running) else []
    figure, axes = blank(4.4, 2.6, left=0.6, right=end_margin(str(name) for name, _ in groups), top=0.26)
    every = np.concatenate([numbers(column(running, name)) for name in ("mean", "low", "high")])
    ends = value_axis(axes, "y", every)
    finite = _finite_ends(every)
    axes.set_xlim(*_number_ends(numbers(column(running, NUMBER)), room=0))
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    named = []
    for place, (name, rows) in enumerate(groups):
        colour = SAMPLERS[min(place, len(SAMPLERS) - 1)]
        ordered = rows.sort_values(NUMBER, kind="stable")
        at, mean, low, high = (
            np.clip(numbers(ordered[one]), *((-np.inf, np.inf) if one == NUMBER else finite))
            for one in (NUMBER, "mean", "low", "high")
        )
        banded = ~np.isnan(low) & ~np.isnan(high)
        area(axes, at[banded], low[banded], high[banded], colour, BAND)
        known = ~np.isnan(mean)
        line(axes, at[known], mean[known], colour)
        if known.any():
            y = float(np.log10(mean[known][-1]) if axes.get_yscale() == "log" else mean[known][-1])
            named.append({"name": plain(str(name)), "colour": colour, "y": y})
    name_ends(axes, named, *ends)
    axes.set_xlabel("trial number")
    title_axis(axes, f"best {objective} so far")
    return figure


def _finite_ends(values: NDArray[np.float64]) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.5, 0.5)


def _number_ends(at: NDArray[np.float64], room: float = 0.02) -> tuple[float, float]:
    """Return the ends of an axis of numbers of trials."""
    finite = at[np.isfinite(at)]
    if not finite.size:
        return 0.0, 1.0
    pad = room * float(np.ptp(finite)) or (0.0 if np.ptp(finite) else 0.5)
    return float(finite.min()) - pad, float(finite.max()) + pad


# ------------------------------------------------------------------ trade


MOST_NAMED = 8
WIDTH, HEIGHT = 4.2, 2.9  # inches of a pair of objectives
LEFT, RIGHT, TOP, BOTTOM = 0.6, 0.16, 0.26, 0.46
LETTER, TALL = 0.068, 0.13  # inches of a name's letters
STEPS_OUT = (0.11, 0.17, 0.25, 0.36, 0.5, 0.7, 0.95)  # inches from a point to its name
AROUND = np.arange(16) * np.pi / 8 + np.pi / 4


def front(history: pd.DataFrame, front: pd.DataFrame, objectives: Sequence[str], directions: Sequence[str]) -> Figure:
    """Draw each pair of objectives below each other: all trials, and the front as steps with its points named.

    Of three objectives and more, steps go through what no other trial beats in both of a pair. Of more than eight
    points, eight are named. Infinite values are drawn at the worst finite ones.
    """
    pairs = list(combinations(range(len(objectives)), 2))
    height = HEIGHT * max(len(pairs), 1)
    figure, axes = blank(WIDTH, height, left=LEFT, right=RIGHT, top=TOP, bottom=BOTTOM)
    if len(pairs) != 1:
        axes.remove()
    for place, (one, other) in enumerate(pairs):
        if len(pairs) > 1:
            corner = (LEFT / WIDTH, (BOTTOM + HEIGHT * (len(pairs) - 1 - place)) / height)
            size = (1 - (LEFT + RIGHT) / WIDTH, (HEIGHT - TOP - BOTTOM) / height)
            axes = figure.add_axes((*corner, *size))
            axes.patch.set_alpha(0)
        _pair(axes, history, front, [objectives[one], objectives[other]], [directions[one], directions[other]])
    return figure


def _pair(
    axes: Axes, history: pd.DataFrame, front: pd.DataFrame, objectives: Sequence[str], directions: Sequence[str]
) -> None:
    """Draw two objectives."""
    every = pd.concat([history, front]) if len(history) and len(front) else history
    ends = [
        value_axis(axes, which, objective_values(every, name)) for which, name in zip("xy", objectives, strict=True)
    ]
    all_T2, own_T2 = (_places(some, every, objectives) for some in (history, front))
    look = mark_style(len(all_T2))
    axes.plot(*all_T2.T, "o", markerfacecolor=DIM, markeredgewidth=0, alpha=0.45, **look)
    signs = np.array([-1.0 if direction == MAXIMIZE else 1.0 for direction in directions])
    steps = unbeaten(own_T2 * signs)
    axes.step(*own_T2[steps].T, where="post", color=EFFECT, linewidth=1.4)
    axes.plot(*own_T2.T, "o", markersize=4.6, color=EFFECT)
    _name_points(axes, own_T2, steps, [f"#{number:.0f}" for number in numbers(column(front, NUMBER))], ends)
    axes.set_xlabel(plain(_with_direction(objectives[0], directions[0])))
    title_axis(axes, _with_direction(objectives[1], directions[1]))


def unbeaten(costs_P2: Floats) -> NDArray[np.int64]:
    """Return the places of points that no other beats in both, by the first; both are better when less."""
    ordered = np.lexsort((costs_P2[:, 1], costs_P2[:, 0]))
    least = np.minimum.accumulate(costs_P2[ordered, 1])
    return ordered[np.append(True, costs_P2[ordered[1:], 1] < least[:-1])] if len(ordered) else ordered


def _places(some: pd.DataFrame, every: pd.DataFrame, objectives: Sequence[str]) -> Floats:
    """Return two objectives of some trials [T, 2], the infinite ones at the ends of all."""
    found = []
    for name in objectives:
        whole = objective_values(every, name)
        finite = whole[np.isfinite(whole)]
        low, high = (finite.min(), finite.max()) if finite.size else (clipped(whole[:1]), clipped(whole[:1]))
        found.append(np.clip(objective_values(some, name), low, high) if len(some) else np.zeros(0))
    return np.column_stack(found)


def _with_direction(objective: str, direction: str) -> str:
    return f"{objective} ({'more' if direction == MAXIMIZE else 'less'} is better)"


def _name_points(
    axes: Axes, own_T2: Floats, steps: NDArray[np.int64], names: Sequence[str], ends: Sequence[tuple[float, float]]
) -> None:
    """Write names beside points, each at the nearest place that is free, with a line to its point where that is far."""
    size = np.array([WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM])
    low, high = np.array(ends).T
    logs = np.array([axes.get_xscale() == "log", axes.get_yscale() == "log"])
    scaled = np.where(logs, np.log10(np.where(logs, own_T2, 1.0)), own_T2)
    inches = (scaled - low) / (high - low) * size
    drawn = np.vstack([inches, _along(inches[steps])])
    rest = [place for place in range(len(own_T2)) if place not in set(steps)]
    line = np.array([*steps, *rest], dtype=int)
    chosen = line[np.unique(np.linspace(0, len(line) - 1, MOST_NAMED).round().astype(int))] if len(line) else line
    boxes: list[Floats] = []  # left, bottom, right, top
    for place in chosen:
        half = np.array([LETTER * len(names[place]), TALL]) / 2
        centre = _free(inches[place], half, np.array(boxes).reshape(-1, 4), drawn, size)
        boxes.append(np.concatenate([centre - half, centre + half]))
        far = np.hypot(*(centre - inches[place])) > STEPS_OUT[2] + half[0]
        axes.annotate(
            names[place], inches[place] / size, xycoords="axes fraction", xytext=tuple(centre / size),
            textcoords="axes fraction", ha="center", va="center", fontsize=7, color=INK, annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": DIM, "linewidth": 0.6, "shrinkB": 3} if far else None,
        )  # fmt: skip


def _along(corners: Floats) -> Floats:
    """Return places close to each other on the steps between points, where no name should stand."""
    if len(corners) < 2:
        return corners
    bends = np.column_stack([corners[1:, 0], corners[:-1, 1]])
    every = np.vstack([np.stack([corners[:-1], bends], axis=1).reshape(-1, 2), corners[-1:]])
    share = np.linspace(0, 1, 12)[:, None, None]
    return np.asarray((every[:-1] * (1 - share) + every[1:] * share).reshape(-1, 2))


def _free(point: Floats, half: Floats, boxes: Floats, points: Floats, size: Floats) -> Floats:
    """Return the middle of the nearest place for a name that meets no other name, no point and no end of the axes.

    Where all places near it meet a point, one that meets no name; then the last one tried.
    """
    best, least = point, np.inf
    for out, angle in product(STEPS_OUT, AROUND):
        centre = point + np.array([np.cos(angle), np.sin(angle)]) * (out + half * (0.9, 0.3))
        on_names = ((centre - half < boxes[:, 2:]) & (centre + half > boxes[:, :2])).all(axis=1).sum()
        on_points = (np.abs(points - centre) < half + 0.04).all(axis=1).sum()
        outside = ((centre < half) | (centre > size - half)).any()
        bad = 1000 * on_names + 100 * outside + on_points
        if bad < least:
            best, least = centre, bad
        if not bad:
            break
    return best
