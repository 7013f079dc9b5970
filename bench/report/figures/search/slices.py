"""What one parameter does by itself: values of the trials over it, and how much evaluators say that it matters."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.report.colour import DIM, EFFECT, INK, STEPS, order
from bench.report.drawing import blank, folded, percent_axis, plain
from bench.report.figures.rates import row_height, row_margin
from bench.report.figures.search.scales import (
    NUMBER,
    PRUNED,
    STATE,
    Floats,
    Scale,
    clipped,
    column,
    is_turned,
    mark_style,
    numbers,
    objective_values,
    parameter_scale,
    show_scale,
    spread,
    title_axis,
    value_axis,
)
from bench.report.words import percent

SHADES = order(STEPS)
AGES = (("first trials", SHADES[0]), ("last trials", SHADES[-1]))  # a legend
EVALUATORS = (EFFECT, DIM)
BINS = 8
FEW_NUMBERS = 10  # that each have a median of their own
FEW = 12  # trials with too little to show a trend
TURNED = 0.35  # inches that turned names need


def slice_(history: pd.DataFrame, name: str, dimension: Mapping[str, Any], objective: str) -> Figure:
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
