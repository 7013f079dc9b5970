"""Zooms into the map of a stored sweep: the experiment that trains its windows."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.config.experiment import Experiment
from bench.config.map_config import in_float64_if_needed, read_pairs
from bench.config.zoom import descent, read_point, window
from bench.errors import RequestError, raising_all, unknown
from bench.model.maps import Axis, Map
from bench.model.outcome import Result
from bench.model.trial import Trial
from bench.report.map_words import map_title
from bench.results import Sweep
from bench.running.border_search import border_point
from bench.stats.attractors import NEAR
from bench.stats.final_patterns import name_patterns
from bench.stats.map_analysis import MapAnalysis


def zoom(
    swept: Sweep,
    number: int | None = None,
    *,
    x: str | None = None,
    y: str | None = None,
    at: str | None = None,
    depth: int = 0,
    factor: float = 8.0,
    size: int | None = None,
    border: str | None = None,
    pairs: int | None = None,
) -> Experiment:
    """Return the experiment that trains a window of one of a sweep's maps, and ``depth`` windows within it.

    Each is ``factor`` times nearer than the one before, around ``at``, by default a point on the border nearest to the
    middle. Raises RequestError for all that is wrong.
    """
    one = chosen(swept, number)
    if border is not None:
        one = MapAnalysis(replace(one.map, border=_known(border, one)), one.points)
    for name, axis in (("x", one.map.x), ("y", one.map.y)):
        if axis.is_whole:
            said = f"{name} is {axis.of}, whole numbers, between which there is nothing"
            raise RequestError(f"{said}; allowed is a map of which both axes go on between pixels")
    found = window(one.map, x, y, size)
    with raising_all() as problems:
        if at is not None and not depth:
            problems.append(f"at is {at!r}, which needs a depth")
    if pairs is not None:
        found = replace(found, pairs=read_pairs("pairs", pairs))
    maps: Sequence[Map] = [in_float64_if_needed(found)]
    if depth:
        maps = descent(found, read_point(at) if at is not None else _on_border(one, found), depth, factor)
    title = f"{'A descent' if depth else 'Zoom'} into {map_title(one.map)}"
    options: dict[str, Any] = {
        "--map": number,
        "--x": x,
        "--y": y,
        "--at": at,
        "--depth": depth or None,
        "--size": size,
    }
    options |= {"--factor": factor if depth and factor != 8 else None, "--pairs": pairs, "--border": border}
    request = [
        swept.id[:8],
        *(str(word) for name, value in options.items() if value is not None for word in (name, value)),
    ]
    name = swept.plan.question.experiment
    return Experiment(name, title, "", (), (), tuple(request), maps=tuple(maps), verb="zoom")


def chosen(swept: Sweep, number: int | None) -> MapAnalysis:
    """Return a sweep's map of that number, from 1; the first by default. Raises RequestError where there is none."""
    count = len(swept.plan.maps)
    if not count:
        raise RequestError(f"sweep {swept.id[:8]} has no map; allowed is a sweep with [[map]]")
    if number is not None and number > count:
        raise RequestError(f"map is {number}; allowed are numbers from 1 to {count}")
    return swept.maps[(number or 1) - 1]


def _known(border: str, one: MapAnalysis) -> str:
    """Return the name of a fate that the map has."""
    words = [fate.words for fate in one.fates]
    if border not in words:
        raise RequestError(unknown("border", border, words))
    return border


def _on_border(one: MapAnalysis, found: Map) -> tuple[float, float]:
    """Return the point on the border that is nearest to the middle of a window, or the middle where it has none."""
    own_HW = one.pixels(one.is_of(one.border_of)) if one.border_of else one.pixel_codes
    rows, columns = np.nonzero(own_HW[:, :-1] != own_HW[:, 1:])
    places = rows * one.map.width + columns
    x_T, y_T = one.map.coordinates(places)
    away_T = np.hypot(*(_shares(axis, value_T) - 0.5 for axis, value_T in ((found.x, x_T), (found.y, y_T))))
    if not (away_T < 0.5).any():
        return float(found.x.values(np.array([0.5]))[0]), float(found.y.values(np.array([0.5]))[0])
    first = int(places[np.argmin(away_T)])
    ends_2, (level, _) = one.map.coordinates([first, first + 1])
    left, right = ((float(end), float(level)) for end in ends_2)
    fate = one.border_of or one.fates[int(one.codes[first])].words
    return border_point(found, left, right, partial(_ends_at, found.trial, fate))


def _ends_at(
    trial: Trial, fate: str, result_T: NDArray[np.str_], predictions_TN: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Return which trainings have this fate: the result of that name, or the ending."""
    if fate in list(Result):
        return np.asarray(result_T == fate)
    unsolved_T = np.isin(result_T, [Result.STUCK, Result.SLOW])
    patterns_T = name_patterns(trial.as_gate_has_it(predictions_TN), NEAR, digits=True)
    return np.asarray(unsolved_T & (patterns_T == fate))


def _shares(axis: Axis, value_T: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([axis.share(float(value)) for value in value_T])
