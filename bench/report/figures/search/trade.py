"""What one objective costs in another: all trials, and those that no trial beats in everything (Pareto 1896)."""

from collections.abc import Sequence
from itertools import combinations, product

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bench.experiment.search.objective import MAXIMIZE
from bench.report.colour import DIM, EFFECT, INK
from bench.report.drawing import blank, plain
from bench.report.figures.search.scales import (
    NUMBER,
    Floats,
    clipped,
    column,
    mark_style,
    numbers,
    objective_values,
    title_axis,
    value_axis,
)

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
