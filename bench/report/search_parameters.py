"""A search's values over one parameter, over two of them, and how much each parameter matters."""

from collections.abc import Mapping, Sequence
from itertools import cycle, pairwise

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.tri import Triangulation
from numpy.typing import NDArray

from bench.config.search_space import Choices, Dimension
from bench.metrics import columns as c
from bench.metrics.objectives import OBJECTIVES
from bench.report.charts import Chart
from bench.report.colours import DIM, EFFECT, INK, PAPER, QUALITY, SHADES, STEPS
from bench.report.drawing import Floats, blank, mark, named_rows, panel, percent_axis, plain, row_margin, write
from bench.report.number_format import percent, sentence, short
from bench.report.search_findings import is_flat, measured_words
from bench.report.search_scales import (
    ENDLESS,
    Flags,
    Scale,
    Trials,
    as_floats,
    mark_style,
    spread,
    title_axis,
    value_axis,
)  # fmt: skip
from bench.stats.holdout import NUMBER
from bench.stats.search_results import EVALUATOR, IMPORTANCE, OBJECTIVE, PARAMETER, SearchResults

AGES = (("first trials", SHADES[0]), ("last trials", SHADES[-1]))  # a legend
TURNED = 0.35  # inches that turned names need


# ------------------------------------------------------------------ one parameter

BINS = 8
FEW_NUMBERS = 10  # that each have a median of their own
FEW = 12  # trials with too little to show a trend


def slices_chart(found: SearchResults, name: str) -> Chart:
    """Return the chart of an objective over each parameter."""
    space = found.space
    return Chart(
        name="search-slices-1",
        title="One parameter at a time",
        subtitle=f"{measured_words(found, name)}, over each parameter; n = {len(found.history):,} proposals.",
        note=" Hollow: given up early, by its first seeds." if Trials(found.history, name).is_pruned.any() else "",
        alt=f"{OBJECTIVES[name].measures.capitalize()} over {', '.join(space)}.",
        panels=[panel("", draw_slice(found.history, one, over, name)) for one, over in space.items()],
        data=found.history[[NUMBER, c.TRIAL_ID, *space, name]],
        legend=AGES,
    )


def draw_slice(history: pd.DataFrame, name: str, dimension: Dimension, objective: str) -> Figure:
    """Draw the trials' values over one parameter, from the first trials' shade to the last ones', and their medians.

    The line goes through the medians of even parts of the axis or of its few whole numbers, or marks those of choices.
    Trials that did not search the parameter are left out. Hollow: given up early.
    """
    trials = Trials(history, objective)
    scale = Scale.of_parameter(dimension, trials.column(name))
    turned = TURNED * scale.is_turned
    figure, axes = blank(3.3, 2.4 + turned, left=0.6, top=0.26, bottom=0.42 + turned)
    places = scale.places(trials.column(name))
    value_axis(axes, "y", trials.results)
    apart = 0.6 * spread(len(history))[:, 0] / len(scale.names) if scale.names else 0.0
    _points(axes, trials, places + apart)
    if np.isfinite(places).sum() >= FEW:
        _medians(axes, scale, places, trials.drawn)
    scale.show(axes, "x")
    axes.set_xlabel(plain(name))
    title_axis(axes, objective)
    return figure


def _points(axes: Axes, trials: Trials, x: Floats) -> None:
    """Draw a mark per trial, one artist for all of a shade and a kind: a page has room for many."""
    age = pd.Series(trials.numbers).rank(pct=True).fillna(1).to_numpy()
    shade = np.minimum((age * STEPS).astype(int), STEPS - 1)
    pruned, y = trials.is_pruned, trials.drawn
    for step, colour in enumerate(SHADES):
        for own, fill in ((~pruned, colour), (pruned, "none")):
            chosen = (shade == step) & own & np.isfinite(x)
            if chosen.any():
                (dots,) = axes.plot(
                    x[chosen], y[chosen], "o", markerfacecolor=fill, markeredgecolor=colour,
                    markeredgewidth=0.7 if fill == "none" else 0, alpha=0.8, **mark_style(len(x)),
                )  # fmt: skip
                mark(dots, trials.ids[chosen])


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


# ------------------------------------------------------------------ two parameters

BETWEEN = SHADES[1:6]  # on which text in the colour of the paper can be read, by night and by day
LEAST_POINTS = 8  # of a surface
FINE = 16  # parts of each axis that a surface is averaged over
COARSE = 5  # of a table
LONG = 12  # letters beside the key


def contour_chart(found: SearchResults, name: str) -> Chart:
    """Return the chart of an objective over the two parameters that matter most to it, else the space's first two."""
    own = found.importances[found.importances[OBJECTIVE] == name]
    means = own.groupby(PARAMETER, sort=False)[IMPORTANCE].mean().sort_values(ascending=False, kind="stable")
    first, second = pair = list(dict.fromkeys([*map(str, means.index), *found.space]))[:2]
    choices = any(isinstance(found.space[one].over, Choices) for one in pair)
    told = "A number is the median of its cell" if choices else "Between the points it is a guess from those around"
    return Chart(
        name="search-contour-1",
        title=f"{first} and {second} together",
        subtitle=f"{measured_words(found, name)}, over both parameters; n = {len(found.history):,} proposals.",
        note=f"{told}, whatever the other parameters were.",
        alt=f"{OBJECTIVES[name].measures.capitalize()} over {first} and {second}.",
        panels=[panel("", draw_contour(found.history, first, second, found.space, name))],
        data=found.history[[NUMBER, c.TRIAL_ID, first, second, name]],
        legend=QUALITY,
    )


def draw_contour(
    history: pd.DataFrame, first: str, second: str, space: Mapping[str, Dimension], objective: str
) -> Figure:
    """Draw an objective over two parameters, the trials as points upon it; those that did not search both are left out.

    Over two ranges, linear between the means of a fine grid's cells (Delaunay triangles); over choices, or where there
    are too few trials, the median of each cell. Infinite values count as the worst finite one; they are triangles.
    """
    trials, names = Trials(history, objective), (first, second)
    scales = [Scale.of_parameter(space[name], trials.column(name)) for name in names]
    places_T2 = np.column_stack([s.places(trials.column(name)) for s, name in zip(scales, names, strict=True)])
    values, levels = trials.drawn, Scale.of_values(trials.results)
    z = levels.places(pd.Series(values)) if trials.is_finite.any() else np.full(len(values), 0.5)
    active = np.isfinite(places_T2).all(axis=1)
    turned = TURNED * scales[0].is_turned
    left = max(row_margin(name for _, name in scales[1].ticks()) + 0.14, 0.6)
    figure, axes = blank(max(3.7, left + 2.7), 2.75 + turned, left=left, right=0.95, top=0.12, bottom=0.44 + turned)
    at = places_T2[active]
    surface = None if scales[0].names or scales[1].names else _triangles(at, z[active])
    shades = (BETWEEN if surface is None else SHADES)[:: 1 if trials.is_maximized else -1]
    if surface is None:
        _cells(axes, scales, at, (z[active], values[active]), shades)
        at = _in_cells(scales, at)
    else:
        axes.tricontourf(*surface, levels=np.linspace(0, 1, STEPS + 1), colors=shades)
    _scattered(axes, at, trials.is_finite[active])
    for which, scale, name in zip("xy", scales, names, strict=True):
        scale.show(axes, which)
        getattr(axes, f"set_{which}label")(plain(name))
    axes.grid(visible=False)
    _key(axes, levels, shades, trials)
    return figure


def _triangles(places_T2: Floats, z: Floats) -> tuple[Triangulation, Floats] | None:
    """Return triangles over the means of a fine grid's cells; None where there are too few, or all are on a line.

    A mean over a cell smooths what is noise between neighbours, and keeps a page with many trials small.
    """
    own = pd.DataFrame({"x": places_T2[:, 0], "y": places_T2[:, 1], "z": z})
    means = own.groupby(["x", "y"]).mean().reset_index()
    if len(means) > FINE * FINE // 2:
        means = own.groupby(list(_cell(places_T2, FINE).T)).mean()
    points = means[["x", "y"]].to_numpy()
    if len(points) < LEAST_POINTS or np.linalg.matrix_rank(points - points.mean(axis=0), tol=1e-3) < 2:
        return None
    try:
        found = Triangulation(points[:, 0], points[:, 1])
    except RuntimeError:  # Qhull, of points so near to each other that they are the same to it
        return None
    return found, means["z"].to_numpy()


def _cells(
    axes: Axes, scales: Sequence[Scale], places_T2: Floats, of: tuple[Floats, Floats], shades: Sequence[str]
) -> None:
    """Fill each cell that has trials with the shade of their median, which is written in it."""
    parts = _parts(scales)
    cells = pd.DataFrame(_cell(places_T2, parts), columns=["x", "y"])
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
    return np.asarray((_cell(places_T2, parts) + np.array([0.5, 0.28]) + spread(len(places_T2)) * (0.8, 0.3)) / parts)


def _parts(scales: Sequence[Scale]) -> NDArray[np.int64]:
    return np.array([len(scale.names) or COARSE for scale in scales])


def _cell(places_T2: Floats, parts: NDArray[np.int64] | int) -> NDArray[np.int64]:
    """Return the cells [T, 2] that places are in, where each axis has so many."""
    cells: NDArray[np.int64] = np.minimum((places_T2 * parts).astype(int), np.asarray(parts) - 1)
    return cells


def _scattered(axes: Axes, places_T2: Floats, finite: Flags) -> None:
    """Draw a mark for each trial, that can be seen on every shade."""
    look = mark_style(2 * len(places_T2))  # smaller than on paper: what is below must be seen
    for own, marker in ((finite, "o"), (~finite, "^")):
        axes.plot(
            *places_T2[own].T, marker, markerfacecolor=INK, markeredgecolor=PAPER,
            **{**look, "markeredgewidth": 0.15 * look["markersize"]},
        )  # fmt: skip


def _key(axes: Axes, levels: Scale, shades: Sequence[str], trials: Trials) -> None:
    """Draw what the shades stand for at the right, with ∞ at the end of the worst."""
    edges = np.linspace(0, 0.86, len(shades) + 1)
    boxes = [[(1.06, low), (1.11, low), (1.11, high), (1.06, high)] for low, high in pairwise(edges)]
    key = PolyCollection(boxes, facecolors=shades, edgecolors=shades, linewidths=0.3, transform=axes.transAxes)
    key.set_clip_on(False)
    axes.add_collection(key, autolim=False)
    words = [(1.13, 0.86 * place, word) for place, word in levels.ticks(4)]
    endless = not trials.is_finite.all()
    words += [(1.13, -0.06 if trials.is_maximized else 0.9, f"or {ENDLESS}")] if endless else []
    name = trials.objective
    words += [(1.06, 1.0, plain(name.replace("_", "_\n", 1) if len(name) > LONG else name))]
    for x, y, word in words:
        axes.annotate(
            word, (x, y), xycoords="axes fraction", va="center", fontsize=7, color=DIM, annotation_clip=False,
        )  # fmt: skip


# ------------------------------------------------------------------ what matters

EVALUATOR_COLOURS = (EFFECT, DIM)


def importance_words(found: SearchResults) -> list[str]:
    """Return, once a search has ended, of which objectives there is nothing to rank, and why."""
    said = []
    for name in found.objectives if found.saved else ():
        what, causes = f"the {OBJECTIVES[name].measures}", found.causes(name)
        if not causes:
            said.append(f"{sentence(what)} depends on nothing that was searched.")
        elif is_flat(found, name):
            said.append(f"{sentence(what)} is the same for all trials: nothing is seen to matter to it.")
        elif len(causes) == 1:
            said.append(f"Of what was searched, {what} depends on {causes[0]} alone.")
        elif not (found.importances[OBJECTIVE] == name).any():
            said.append(f"Of too few trials it is not told what matters to {what}.")
    return said


def importance_chart(found: SearchResults, name: str) -> Chart | None:
    """Return the chart of how much parameters matter, above all to the objective that is charted.

    None where there are no two parameters that could matter to an objective.
    """
    ranked = found.importances[[len(found.causes(str(one))) > 1 for one in found.importances[OBJECTIVE]]]
    if ranked.empty:
        return None
    groups = ranked.groupby(OBJECTIVE, sort=False)
    return Chart(
        name="search-importance-1",
        title=_importance_title(found, ranked, name),
        subtitle="Share of what matters to an objective, by each of Optuna's evaluators; complete trials only.",
        alt="Bars of the importance of each parameter.",
        panels=[panel(OBJECTIVES[str(name)].measures.capitalize(), draw_importance(rows)) for name, rows in groups],
        data=ranked,
    )


def _importance_title(found: SearchResults, ranked: pd.DataFrame, name: str) -> str:
    """Return what matters most, and to whom where evaluators do not agree."""
    known = ranked[OBJECTIVE]
    name = name if (known == name).any() else str(known.iloc[0])
    if name in found.disagreement:
        tops = found.disagreement[name]
        return f"What matters most: {', '.join(f'{first} by {evaluator}' for evaluator, first in tops.items())}"
    rows = ranked[known == name].sort_values(IMPORTANCE, ascending=False, kind="stable")
    to = f" to the {OBJECTIVES[name].measures}" if len(found.objectives) > 1 else ""
    return f"{rows[PARAMETER].iloc[0]} matters most{to}"


def draw_importance(importances: pd.DataFrame) -> Figure:
    """Draw each parameter's share of what matters by each evaluator, one bar under the other; the greatest mean first.

    PED-ANOVA: Watanabe, Bansal & Hutter (2023); fANOVA: Hutter, Hoos & Leyton-Brown (2014).
    """
    table = _by_parameter(importances)
    evaluators = dict(zip(table.columns, cycle(EVALUATOR_COLOURS), strict=False))
    height = 0.15 * len(evaluators) + 0.06
    figure, axes = named_rows(table.index, "share of what matters", height=height, top=0.24, room=0.04)
    thick = 0.8 / max(len(evaluators), 1)
    for place, (evaluator, colour) in enumerate(evaluators.items()):
        at = np.arange(len(table)) + (place + 0.5) * thick - 0.4
        known = table[evaluator].notna().to_numpy()
        axes.barh(at[known], table[evaluator][known], height=0.9 * thick, color=colour)
        for y, share in zip(at[known], table[evaluator][known], strict=True):
            write(axes, percent(share, 0), (share, y), (3, 0), xycoords="data", va="center", fontsize=6.5)
    percent_axis(axes, "x", room=0)
    before = 0
    for name, colour in evaluators.items():  # above, in the colours of their bars
        write(axes, plain(name), (0, 1), (before, 4), fontsize=7.5, color=colour, fontweight="bold")
        before += 7 * len(name) + 6
    return figure


def _by_parameter(importances: pd.DataFrame) -> pd.DataFrame:
    """Return a row per parameter and a column per evaluator, the greatest mean first."""
    if importances.empty:
        return pd.DataFrame()
    clean = importances.assign(**{IMPORTANCE: as_floats(importances[IMPORTANCE]).clip(0, 1)})
    table = clean.pivot_table(index=PARAMETER, columns=EVALUATOR, values=IMPORTANCE, sort=False)
    return table.loc[table.mean(axis=1).sort_values(ascending=False, kind="stable").index]
