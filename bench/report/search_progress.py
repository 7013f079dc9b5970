"""How a search went: its values by the number of the trial, against each other, and those of repeated searches."""

from collections.abc import Sequence
from itertools import combinations, product
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from bench.metrics import columns as c
from bench.metrics.objectives import MAXIMIZE, OBJECTIVES, SOLVED_RATE
from bench.report.charts import Chart
from bench.report.colours import DIM, EFFECT, INK
from bench.report.drawing import Floats, area, blank, end_margin, line, mark, name_ends, panel, plain, write
from bench.report.number_format import axis_words, percent, plural, short
from bench.report.search_findings import is_flat, measured_words
from bench.report.search_scales import Trials, as_floats, finite_ends, mark_style, title_axis, value_axis
from bench.stats.holdout import FEASIBLE, NUMBER, PRUNED, STATE
from bench.stats.proportions import HIGH, LOW
from bench.stats.search_results import BEST, MEAN, SAMPLER, SearchResults, label

BAND = 0.16
SAMPLER_COLOURS = (EFFECT, DIM)  # of the search that was asked for, and of what it is compared with
MARKS: dict[str, dict[str, Any]] = {  # with their names
    "": {"marker": "o", "markerfacecolor": EFFECT, "markeredgewidth": 0, "alpha": 0.7},
    "○ given up": {"marker": "o", "markerfacecolor": "none", "markeredgewidth": 0.8},
    "△ no finite value": {"marker": "^", "markerfacecolor": "none", "markeredgewidth": 0.8},
    "× breaks a limit": {"marker": "x", "markeredgewidth": 0.9, "markeredgecolor": DIM},
}


# ------------------------------------------------------------------ by the number of the trial


def history_chart(found: SearchResults, name: str) -> Chart:
    """Return the chart of all proposals in their order; of this objective where they are alike in all of the search."""
    history, objectives = found.history, found.objectives
    flat = all(is_flat(found, one) for one in objectives)
    shown = {name: OBJECTIVES[name].direction} if flat else objectives
    several = len(shown) > 1
    data = history.drop(columns=BEST, errors="ignore") if flat else history
    title = _history_title(found, flat=flat)
    what = "Each objective" if several else measured_words(found, next(iter(shown)))
    given_up = int((history[STATE] == PRUNED).sum())
    pruned = f", {given_up:,} of them given up early" if given_up else ""
    return Chart(
        name="search-history-1",
        title=title,
        subtitle=f"{what}, by the number of the trial; n = {len(history):,} proposals{pruned}.",
        note=_history_note(found, is_running=BEST in data and bool(data[BEST].notna().any())),
        alt=f"{plural(len(history), 'proposal')} by number. {title}.",
        panels=[panel(OBJECTIVES[name].measures.capitalize() if several else "", draw_history(data, name, direction))
                for name, direction in shown.items()],
        data=history,
    )  # fmt: skip


def _history_note(found: SearchResults, *, is_running: bool) -> str:
    """Return what the marks are, of those that there are."""
    marks = [
        *(["hollow if it was given up after its first seeds"] if (found.history[STATE] == PRUNED).any() else []),
        *(["a cross if it breaks a limit"] if not found.history[FEASIBLE].all() else []),
    ]
    of = ("", ", of those that do not", ", of those that do neither")[len(marks)]
    running = f" The line is the best so far{of}, by the seeds of the search." if is_running else ""
    return f"A point is a proposal{': ' if marks else ''}{', '.join(marks)}.{running}"


def _history_title(found: SearchResults, *, flat: bool) -> str:
    history = found.history
    if flat:
        return f"All trials are alike in {' and '.join(OBJECTIVES[name].measures for name in found.objectives)}"
    if BEST not in history:
        return f"{plural(len(found.front), 'trial is', 'trials are')} on the Pareto front"
    known = history[history[BEST].notna()]
    if known.empty:
        return "No trial can be the best: each was given up or breaks a limit"
    last = known[known[BEST] == known[BEST].iloc[-1]].iloc[0]
    if last[NUMBER] == history[NUMBER].iloc[-1]:
        return f"The last trial, {label(last[NUMBER])}, is the best so far"
    return f"The best of {plural(history[c.TRIAL_ID].nunique(), 'trial')} is {label(last[NUMBER])}"


def draw_history(history: pd.DataFrame, objective: str, direction: str) -> Figure:
    """Draw each trial's value by its number, and the best so far as steps whose last value is named.

    Hollow: given up early; crosses: trials that break a limit; triangles: infinite, drawn at the worst finite value.
    """
    trials = Trials(history, objective)
    at, best = trials.numbers, as_floats(trials.column(BEST))
    known = ~np.isnan(best)
    last = [percent(value) if objective == SOLVED_RATE else short(value) for value in best[known][-1:].tolist()]
    names = [f"best {words}" for words in last]
    figure, axes = blank(4.4, 2.7, left=0.6, right=max(end_margin(names), 0.2), top=0.26)
    ends = value_axis(axes, "y", trials.results)
    _marks(axes, trials)
    best = np.clip(best, *finite_ends(trials.results))[known]
    axes.step(at[known], best, where="post", color=INK, linewidth=1.5)
    heights = np.log10(best) if axes.get_yscale() == "log" else best
    name_ends(axes, [{"name": name, "colour": INK, "y": heights[-1]} for name in names], *ends)
    _number_axis(axes, at)
    axes.set_xlabel("trial number", loc="left")  # at its right, what the marks are
    title_axis(axes, _better_words(objective, direction))
    return figure


def _marks(axes: Axes, trials: Trials) -> None:
    """Draw a mark for each trial, of exactly one kind, and name the kinds that there are."""
    at, drawn = trials.numbers, trials.drawn
    infeasible = ~trials.is_feasible
    endless = ~trials.is_finite & ~infeasible
    pruned = trials.is_pruned & ~endless & ~infeasible
    kinds = (~(infeasible | endless | pruned), pruned, endless, infeasible)
    for own, marks in zip(kinds, MARKS.values(), strict=True):
        if own.any():
            look = {"markeredgecolor": EFFECT, **marks, **mark_style(len(at))}
            (dots,) = axes.plot(at[own], drawn[own], linestyle="", color=EFFECT, **look)
            mark(dots, trials.ids[own])
    named = [name for own, name in zip(kinds, MARKS, strict=True) if name and own.any()]
    write(axes, "   ".join(named), (1, 0), (0, -29), ha="right", va="bottom", fontsize=6.5)


def _better_words(objective: str, direction: str) -> str:
    return f"{objective} ({'more' if direction == MAXIMIZE else 'less'} is better)"


def _number_axis(axes: Axes, at: Floats, room: float = 0.02) -> None:
    """Let the x axis show numbers of trials."""
    low, high = finite_ends(at)
    pad = room * (high - low) if high > low else 0.5
    axes.set_xlim(low - pad, high + pad)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))


# ------------------------------------------------------------------ repeated searches


def repeated_chart(found: SearchResults) -> Chart:
    """Return the chart of how soon each sampler gets there."""
    name, samplers = found.primary, list(dict.fromkeys(found.studies[SAMPLER]))
    repeats = found.search.repeats
    mean = f"Mean over {repeats:,} searches by each sampler of the" if repeats > 1 else "The"
    band = ", with its 95 % band, at each number by itself" if repeats > 1 else ""
    return Chart(
        name="search-repeated-1",
        title=f"How soon {' and '.join(samplers)} {'get' if len(samplers) > 1 else 'gets'} there",
        subtitle=f"{mean} best {axis_words(name)} so far{band}; by the number of the trial.",
        note="; the table compares held-out seeds." if len(found.search.held_out) else ".",
        alt=f"Best {OBJECTIVES[name].measures} so far by number of trials of {' and '.join(samplers)}.",
        panels=[panel("", draw_repeated(found.running, name))],
        data=found.running,
    )


def draw_repeated(running: pd.DataFrame, objective: str) -> Figure:
    """Draw each sampler's mean of the best so far by the number of trials, with its 95 % band, named at its end."""
    groups = list(running.groupby(SAMPLER, sort=False, observed=True)) if len(running) else []
    figure, axes = blank(4.4, 2.6, left=0.6, right=end_margin(str(name) for name, _ in groups), top=0.26)
    trials = Trials(running, objective)
    every = np.concatenate([as_floats(trials.column(name)) for name in (MEAN, LOW, HIGH)])
    ends = value_axis(axes, "y", every)
    _number_axis(axes, trials.numbers, room=0)
    named = []
    for place, (name, rows) in enumerate(groups):
        colour = SAMPLER_COLOURS[min(place, len(SAMPLER_COLOURS) - 1)]
        ordered = rows.sort_values(NUMBER, kind="stable")
        at = as_floats(ordered[NUMBER])
        mean, low, high = (np.clip(as_floats(ordered[one]), *finite_ends(every)) for one in (MEAN, LOW, HIGH))
        banded = ~np.isnan(low) & ~np.isnan(high)
        area(axes, at[banded], low[banded], high[banded], colour, BAND)
        known = ~np.isnan(mean)
        line(axes, at[known], mean[known], colour)
        for last in mean[known][-1:].tolist():
            y = float(np.log10(last)) if axes.get_yscale() == "log" else last
            named.append({"name": plain(str(name)), "colour": colour, "y": y})
    name_ends(axes, named, *ends)
    axes.set_xlabel("trial number")
    title_axis(axes, f"best {objective} so far")
    return figure


# ------------------------------------------------------------------ objectives against each other

MOST_NAMED = 8
WIDTH, HEIGHT = 4.2, 2.9  # inches of a pair of objectives
LEFT, RIGHT, TOP, BOTTOM = 0.6, 0.16, 0.26, 0.46
LETTER, TALL = 0.068, 0.13  # inches of a name's letters
STEPS_OUT = (0.11, 0.17, 0.25, 0.36, 0.5, 0.7, 0.95)  # inches from a point to its name
AROUND = np.arange(16) * np.pi / 8 + np.pi / 4


def front_chart(found: SearchResults) -> Chart:
    """Return the chart of the Pareto front of several objectives."""
    objectives = found.objectives
    words = " and ".join(OBJECTIVES[name].measures for name in objectives)
    return Chart(
        name="search-front-1",
        title=f"What one gives up for the other: {words}",
        subtitle=f"{len(found.front):,} of {plural(found.history[c.TRIAL_ID].nunique(), 'trial')} on the front: no "
        "other is better in one objective and at least as good in all (Pareto).",
        alt=f"Pareto front of {words}: {', '.join(label(number) for number in found.front[NUMBER])}.",
        panels=[panel("", draw_front(found.history, found.front, [*objectives], [*objectives.values()]))],
        data=found.front,
    )


def draw_front(
    history: pd.DataFrame, front: pd.DataFrame, objectives: Sequence[str], directions: Sequence[str]
) -> Figure:
    """Draw each pair of objectives below each other: all trials, and the front as steps with its points named.

    Of three objectives and more, steps go through what no other trial beats in both of a pair. Of more than eight
    points, eight are named. Infinite values are drawn at the worst finite ones.
    """
    pairs = list(combinations(zip(objectives, directions, strict=True), 2))
    height = HEIGHT * max(len(pairs), 1)
    figure, axes = blank(WIDTH, height, left=LEFT, right=RIGHT, top=TOP, bottom=BOTTOM)
    if len(pairs) != 1:
        axes.remove()
    for place, pair in enumerate(pairs):
        if len(pairs) > 1:
            corner = (LEFT / WIDTH, (BOTTOM + HEIGHT * (len(pairs) - 1 - place)) / height)
            size = (1 - (LEFT + RIGHT) / WIDTH, (HEIGHT - TOP - BOTTOM) / height)
            axes = figure.add_axes((*corner, *size))
            axes.patch.set_alpha(0)
        _pair(axes, history, front, pair)
    return figure


def _pair(axes: Axes, history: pd.DataFrame, front: pd.DataFrame, pair: Sequence[tuple[str, str]]) -> None:
    """Draw two objectives, each with its direction."""
    every = pd.concat([history, front]) if len(history) and len(front) else history
    values = {name: Trials(every, name).results for name, _ in pair}
    ends = [value_axis(axes, which, own) for which, own in zip("xy", values.values(), strict=True)]
    all_T2, own_T2 = (
        np.column_stack([np.clip(Trials(some, name).results, *finite_ends(own)) for name, own in values.items()])
        for some in (history, front)
    )
    look = mark_style(len(all_T2))
    (dots,) = axes.plot(*all_T2.T, "o", markerfacecolor=DIM, markeredgewidth=0, alpha=0.45, **look)
    mark(dots, Trials(history, pair[0][0]).ids)
    steps = unbeaten(own_T2 * [-1.0 if direction == MAXIMIZE else 1.0 for _, direction in pair])
    axes.step(*own_T2[steps].T, where="post", color=EFFECT, linewidth=1.4)
    (dots,) = axes.plot(*own_T2.T, "o", markersize=4.6, color=EFFECT)
    mark(dots, Trials(front, pair[0][0]).ids)
    _name_points(axes, own_T2, steps, [f"#{number:.0f}" for number in Trials(front, pair[0][0]).numbers], ends)
    axes.set_xlabel(plain(_better_words(*pair[0])))
    title_axis(axes, _better_words(*pair[1]))


def unbeaten(costs_P2: Floats) -> NDArray[np.int64]:
    """Return the places of points that no other beats in both, by the first; both are better when less."""
    ordered = np.lexsort((costs_P2[:, 1], costs_P2[:, 0]))
    least = np.minimum.accumulate(costs_P2[ordered, 1])
    return ordered[np.append(True, costs_P2[ordered[1:], 1] < least[:-1])] if len(ordered) else ordered


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
    line = np.array([*steps, *(place for place in range(len(own_T2)) if place not in set(steps))], dtype=int)
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
