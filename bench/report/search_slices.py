"""A search's values over one parameter, and over two of them."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.tri import Triangulation
from numpy.typing import NDArray

from bench.config.search_space import Dimension
from bench.report.colours import DIM, EFFECT, INK, STEPS, THEME, order
from bench.report.drawing import blank, folded, percent_axis, plain
from bench.report.number_format import percent, short
from bench.report.search_scales import (
    ENDLESS,
    NUMBER,
    PRUNED,
    STATE,
    Floats,
    Scale,
    clipped,
    column,
    is_maximized,
    is_turned,
    mark_style,
    numbers,
    objective_values,
    parameter_scale,
    show_scale,
    spread,
    title_axis,
    value_axis,
    value_scale,
)
from bench.report.solved_rates import row_height, row_margin

SHADES = order(STEPS)
AGES = (("first trials", SHADES[0]), ("last trials", SHADES[-1]))  # a legend
EVALUATORS = (EFFECT, DIM)
BINS = 8
FEW_NUMBERS = 10  # that each have a median of their own
FEW = 12  # trials with too little to show a trend
TURNED = 0.35  # inches that turned names need


def slice_(history: pd.DataFrame, name: str, dimension: Dimension, objective: str) -> Figure:
    """Draw the trials' values over one parameter, from the first trials' shade to the last ones', and their medians.

    The line goes through the medians of even parts of the axis or of its few whole numbers, or marks those of choices.
    Trials that did not search the parameter are left out. Hollow: given up early.
    """
    scale = parameter_scale(dimension, column(history, name))
    turned = TURNED * is_turned(scale)
    figure, axes = blank(3.3, 2.4 + turned, left=0.6, top=0.26, bottom=0.42 + turned)
    values = objective_values(history, objective)
    places = scale.places(column(history, name))
    value_axis(axes, "y", values)
    apart = 0.6 * spread(len(history))[:, 0] / len(scale.names) if scale.names else 0.0
    _points(axes, history, places + apart, clipped(values))
    if np.isfinite(places).sum() >= FEW:
        _medians(axes, scale, places, clipped(values))
    show_scale(axes, "x", scale)
    axes.set_xlabel(plain(name))
    title_axis(axes, objective)
    return figure


def _points(axes: Axes, history: pd.DataFrame, x: Floats, y: Floats) -> None:
    """Draw a mark per trial, one artist for all of a shade and a kind: a page has room for many."""
    age = pd.Series(numbers(column(history, NUMBER))).rank(pct=True).fillna(1).to_numpy()
    shade = np.minimum((age * STEPS).astype(int), STEPS - 1)
    pruned = (column(history, STATE) == PRUNED).to_numpy(dtype=bool)
    for step, colour in enumerate(SHADES):
        for own, fill in ((~pruned, colour), (pruned, "none")):
            chosen = (shade == step) & own & np.isfinite(x)
            if chosen.any():
                axes.plot(
                    x[chosen], y[chosen], "o", markerfacecolor=fill, markeredgecolor=colour,
                    markeredgewidth=0.7 if fill == "none" else 0, alpha=0.8, **mark_style(len(x)),
                )  # fmt: skip


def _medians(axes: Axes, scale: Scale, places: Floats, values: Floats) -> None:
    """Draw the median of each choice, or of each part of the axis that has trials."""
    parts = len(scale.names) or BINS
    known = np.isfinite(places)
    if scale.whole and len(np.unique(places[known])) <= FEW_NUMBERS:
        middles = places[known]  # a part of its own for each number: between them there is nothing
    else:
        middles = (np.minimum((places[known] * parts).astype(int), parts - 1) + 0.5) / parts
    medians = pd.Series(values[known]).groupby(middles).median()
    middles = medians.index.to_numpy()
    if scale.names:
        axes.hlines(medians, middles - 0.3 / parts, middles + 0.3 / parts, color=INK, linewidth=1.6)
    else:
        axes.plot(middles, medians, color=INK, linewidth=1.4)


def importance(importances: pd.DataFrame) -> Figure:
    """Draw each parameter's share of what matters by each evaluator, one bar under the other; the greatest mean first.

    PED-ANOVA: Watanabe, Bansal & Hutter (2023); fANOVA: Hutter, Hoos & Leyton-Brown (2014).
    """
    table = _by_parameter(importances)
    names = [folded(str(name)) for name in table.index]
    height = 0.72 + max(row_height(names), 0.15 * len(table.columns) + 0.06) * len(table)
    figure, axes = blank(4.2, height, left=row_margin(names), right=0.5, top=0.24, bottom=0.44)
    thick = 0.8 / max(len(table.columns), 1)
    for place, evaluator in enumerate(table.columns):
        at = np.arange(len(table)) + (place + 0.5) * thick - 0.4
        colour = EVALUATORS[min(place, len(EVALUATORS) - 1)]
        known = table[evaluator].notna().to_numpy()
        axes.barh(at[known], table[evaluator][known], height=0.9 * thick, color=colour)
        for y, share in zip(at[known], table[evaluator][known], strict=True):
            axes.annotate(
                percent(float(share), 0), (share, y), xytext=(3, 0), textcoords="offset points", va="center",
                fontsize=6.5, color=DIM, annotation_clip=False,
            )  # fmt: skip
    percent_axis(axes, "x", room=0)
    axes.set_yticks(range(len(table)), [plain(name) for name in names])
    axes.set_ylim(max(len(table), 1) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("share of what matters")
    _name_evaluators(axes, [str(name) for name in table.columns])
    return figure


def _by_parameter(importances: pd.DataFrame) -> pd.DataFrame:
    """Return a row per parameter and a column per evaluator, the greatest mean first."""
    if importances.empty:
        return pd.DataFrame()
    clean = importances.assign(importance=numbers(importances["importance"]).clip(0, 1))
    table = clean.pivot_table(index="parameter", columns="evaluator", values="importance", sort=False)
    return table.loc[table.mean(axis=1).sort_values(ascending=False, kind="stable").index]


def _name_evaluators(axes: Axes, names: list[str]) -> None:
    """Write the evaluators above, in the colours of their bars."""
    at = 0.0
    for place, name in enumerate(names):
        axes.annotate(
            plain(name), (0, 1), xycoords="axes fraction", xytext=(at, 4), textcoords="offset points", fontsize=7.5,
            color=EVALUATORS[min(place, len(EVALUATORS) - 1)], fontweight="bold", annotation_clip=False,
        )  # fmt: skip
        at += 7 * len(name) + 6


# ------------------------------------------------------------------ surface


BETWEEN = SHADES[1:6]  # on which text in the colour of the paper can be read, by night and by day
PAPER = THEME["paper"][0]
LEAST_POINTS = 8  # of a surface
FINE = 16  # parts of each axis that a surface is averaged over
COARSE = 5  # of a table
LONG = 12  # letters beside the key


def contour(history: pd.DataFrame, first: str, second: str, space: Mapping[str, Dimension], objective: str) -> Figure:
    """Draw an objective over two parameters, the trials as points upon it; those that did not search both are left out.

    Over two ranges, linear between the means of a fine grid's cells (Delaunay triangles); over choices, or where there
    are too few trials, the median of each cell. Infinite values count as the worst finite one; they are triangles.
    """
    scales = [parameter_scale(space[name], column(history, name)) for name in (first, second)]
    places_T2 = np.column_stack([s.places(column(history, n)) for s, n in zip(scales, (first, second), strict=True)])
    values = objective_values(history, objective)
    levels = value_scale(values)
    z = levels.places(pd.Series(clipped(values))) if np.isfinite(values).any() else np.full(len(values), 0.5)
    active = np.isfinite(places_T2).all(axis=1)
    named = [name for _, name in scales[1].ticks()]
    turned = TURNED * is_turned(scales[0])
    left = max(row_margin(named) + 0.14, 0.6)
    figure, axes = blank(max(3.7, left + 2.7), 2.75 + turned, left=left, right=0.95, top=0.12, bottom=0.44 + turned)
    shades = SHADES if is_maximized(objective) else SHADES[::-1]
    surface = _triangles(places_T2[active], z[active]) if not (scales[0].names or scales[1].names) else None
    if surface is not None:
        axes.tricontourf(*surface, levels=np.linspace(0, 1, STEPS + 1), colors=shades)
    else:
        shades = BETWEEN if is_maximized(objective) else BETWEEN[::-1]
        _cells(axes, scales, places_T2[active], (z[active], clipped(values)[active]), shades)
    at = places_T2[active] if surface is not None else _in_cells(scales, places_T2[active])
    _scattered(axes, at, np.isfinite(values[active]))
    for which, scale, name in zip("xy", scales, (first, second), strict=True):
        show_scale(axes, which, scale)
        getattr(axes, f"set_{which}label")(plain(name))
    axes.grid(visible=False)
    _key(axes, levels, shades, objective, endless=not np.isfinite(values).all())
    return figure


def _triangles(places_T2: Floats, z: Floats) -> tuple[Triangulation, Floats] | None:
    """Return triangles over the means of a fine grid's cells; None where there are too few, or all are on a line.

    A mean over a cell smooths what is noise between neighbours, and keeps a page with many trials small.
    """
    cell = pd.DataFrame(np.minimum((places_T2 * FINE).astype(int), FINE - 1))
    own = pd.DataFrame({"x": places_T2[:, 0], "y": places_T2[:, 1], "z": z})
    means = own.groupby(["x", "y"]).mean().reset_index()
    if len(means) > FINE * FINE // 2:
        means = own.groupby([cell[0], cell[1]]).mean()
    points = means[["x", "y"]].to_numpy()
    if len(points) < LEAST_POINTS or np.linalg.matrix_rank(points - points.mean(axis=0), tol=1e-3) < 2:
        return None
    try:
        found = Triangulation(points[:, 0], points[:, 1])
    except RuntimeError:  # Qhull, of points so near to each other that they are the same to it
        return None
    return found, means["z"].to_numpy()


def _cells(
    axes: Axes, scales: Sequence[Scale], places_T2: Floats, of: tuple[Floats, Floats], shades: list[str]
) -> None:
    """Fill each cell that has trials with the shade of their median, which is written in it."""
    parts = _parts(scales)
    cells = pd.DataFrame(np.minimum((places_T2 * parts).astype(int), parts - 1), columns=["x", "y"])
    medians = cells.assign(z=of[0], value=of[1]).groupby(["x", "y"], as_index=False).median()
    corners = np.array([[0.02, 0.03], [0.98, 0.03], [0.98, 0.97], [0.02, 0.97]])
    at = medians[["x", "y"]].to_numpy(dtype=np.float64)
    shade = np.minimum((medians["z"].to_numpy() * len(shades)).astype(int), len(shades) - 1)
    boxes = PolyCollection(list((at[:, None] + corners) / parts), facecolors=[shades[k] for k in shade], linewidths=0)
    axes.add_collection(boxes, autolim=False)
    size = 7 if parts.max() <= 6 else 5.5
    for (x, y), value in zip((at + np.array([0.5, 0.7])) / parts, medians["value"], strict=True):
        axes.text(x, y, short(float(value)), ha="center", va="center", fontsize=size, color=PAPER)


def _in_cells(scales: Sequence[Scale], places_T2: Floats) -> Floats:
    """Return places in the lower parts of cells, apart from each other and from what is written above them."""
    parts = _parts(scales)
    cells = np.minimum((places_T2 * parts).astype(int), parts - 1)
    return np.asarray((cells + np.array([0.5, 0.28]) + spread(len(cells)) * (0.8, 0.3)) / parts)


def _parts(scales: Sequence[Scale]) -> NDArray[np.int64]:
    return np.array([len(scale.names) or COARSE for scale in scales])


def _scattered(axes: Axes, places_T2: Floats, finite: NDArray[np.bool_]) -> None:
    """Draw a mark for each trial, that can be seen on every shade."""
    look = mark_style(2 * len(places_T2))  # smaller than on paper: what is below must be seen
    for own, marker in ((finite, "o"), (~finite, "^")):
        axes.plot(
            *places_T2[own].T, marker, markerfacecolor=INK, markeredgecolor=PAPER,
            **{**look, "markeredgewidth": 0.15 * look["markersize"]},
        )  # fmt: skip


def _key(axes: Axes, levels: Scale, shades: Sequence[str], objective: str, *, endless: bool) -> None:
    """Draw what the shades stand for at the right, with ∞ at the end of the worst."""
    edges = np.linspace(0, 0.86, len(shades) + 1)
    boxes = [[(1.06, low), (1.11, low), (1.11, high), (1.06, high)] for low, high in pairwise(edges)]
    key = PolyCollection(boxes, facecolors=shades, edgecolors=shades, linewidths=0.3, transform=axes.transAxes)
    key.set_clip_on(False)
    axes.add_collection(key, autolim=False)
    for place, word in levels.ticks(4):
        _beside(axes, 1.13, 0.86 * place, word)
    if endless:
        _beside(axes, 1.13, -0.06 if is_maximized(objective) else 0.9, f"or {ENDLESS}")
    _beside(axes, 1.06, 1.0, plain(objective.replace("_", "_\n", 1) if len(objective) > LONG else objective))


def _beside(axes: Axes, x: float, y: float, word: str) -> None:
    axes.annotate(
        word, (x, y), xycoords="axes fraction", va="center", fontsize=7, color=DIM, annotation_clip=False,
    )  # fmt: skip
