"""How a search went on: every trial and the best so far, and what other samplers had found by then."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from bench.experiment.search.objective import SOLVED_RATE
from bench.report.colour import DIM, EFFECT, INK
from bench.report.drawing import area, blank, end_margin, line, name_ends, plain
from bench.report.figures.search.scales import (
    BEST,
    FEASIBLE,
    NUMBER,
    PRUNED,
    STATE,
    clipped,
    column,
    mark_style,
    numbers,
    objective_values,
    title_axis,
    value_axis,
)
from bench.report.words import percent, short

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
