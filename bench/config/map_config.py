"""``[[map]]`` tables and ``map.KEY=VALUE`` words: one value for each parameter, an origin, two axes and a size."""

import csv
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from bench.config.seeds import DIGITS
from bench.config.values import MOST_TRAININGS, given_in_vain, read_list, read_table
from bench.errors import RequestError, collecting, raising_all, unknown
from bench.model.consistency import without_effect_in_all
from bench.model.csv_table import beside
from bench.model.initialization import MAX_SEED
from bench.model.maps import (
    DIRECTION,
    ELSEWHERE,
    KINDS,
    PARAMETER,
    SCALE,
    TOWARD,
    WEIGHT,
    Axis,
    Map,
    is_too_fine,
)
from bench.model.network import weight_names
from bench.model.outcome import Result
from bench.model.parameter_fields import Reader, flag, number, whole
from bench.model.trial import PARAMETERS, Trial
from bench.user_files import MOST_TOML_BYTES, read_text

LARGEST_SIDE = 16_384
POINT_BYTES, PREDICTION_BYTES = 100, 16  # of memory, for a point that is trained, read and drawn
FARTHEST = 1e30  # ends of an axis: what is beyond is no start of any training
FEWEST_PAIRS, MOST_PAIRS = 64, 1_000_000
AXIS_FORM = (
    'toward = SEED, weight = "hidden[0].bias", direction = SEED or parameter = "learning_rate", with low and high'
)
WORD_FORM = "toward:1:-1.5..2.5, weight:output.bias:-5..5, direction:7:-1..1 and learning_rate:0.1..100:log"
NUMBER = r"[-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
WORD = re.compile(rf"(?:(toward|direction|weight):)?([^:]+):({NUMBER})\.\.({NUMBER})(:log)?")


def read_map(table: Mapping[str, Any], defaults: Mapping[str, Any], overrides: Mapping[str, Any], folder: Path) -> Map:
    """Read one table over the defaults, lists of values, with overrides in place; raise RequestError with all mistakes.

    ``overrides`` has values of parameters as lists, and options of maps.
    """
    with raising_all() as problems:
        own = read_table(table, map_readers(folder), "", problems)
        read = {**defaults, **own, **overrides}
        given = {name: value for name, value in read.items() if value is not None}  # None: what is wrong is said
        several = [name for name in given if name in PARAMETERS and len(given[name]) > 1]
        problems += [f"{name} has {len(given[name])} values; allowed in a map is one" for name in several]
        problems += [f"{name} is missing; allowed is {AXIS_FORM}" for name in ("x", "y") if name not in read]
    values = {name: listed[0] for name, listed in given.items() if name in PARAMETERS} | {"curve_points": 1}
    options = {name: given[name] for name in OPTIONS if name in given}
    width, height = options.pop("size", (Map.width, Map.height))
    if any(axis.is_of_trial for axis in (options["x"], options["y"])):
        options.setdefault("pairs", 0)  # each of their ends would be a trial of its own
    found = Map(Trial(**values), width=width, height=height, **options)
    with raising_all() as problems:
        asked = {*own, *overrides}
        if "seed" in asked and found.start is not None:
            problems.append("seed and start are both given; allowed is one origin")
        if "curve_points" in own:
            problems.append("curve_points is given; allowed is none, since a map keeps no curves")
        problems += [
            f"{name}: {axis.of} is given too; allowed is one of the two"
            for name, axis in (("x", found.x), ("y", found.y))
            if axis.kind == PARAMETER and axis.of in asked
        ]
    check_map(found)
    _check_effects(found, own if not overrides else {} if own else overrides)
    return in_float64_if_needed(found)


def in_float64_if_needed(found: Map) -> Map:
    """Return a map whose pixels its precision can tell apart; raise RequestError where none can."""
    if is_too_fine(found, "float64"):
        raise RequestError("pixels are nearer to each other than float64 can tell; allowed is a larger window")
    if found.trial.dtype == "float32" and is_too_fine(found, "float32"):
        return replace(found, trial=replace(found.trial, dtype="float64"), is_raised=True)
    return found


def map_readers(folder: Path) -> dict[str, Reader]:
    """Return the readers of a table's keys."""
    return {**{name: partial(read_list, folder=folder) for name in PARAMETERS}, **options(folder)}


def options(folder: Path) -> dict[str, Reader]:
    """Return the readers of what a map has beside parameters; in the folder, files of starts are looked for."""
    return {**OPTIONS, "start": partial(_read_start, folder=folder)}


def _read_axis(name: str, value: object) -> Axis:
    """Read a table such as ``{ toward = 1, low = -1.5, high = 2.5 }``, or the same as a word."""
    if isinstance(value, str):
        found = WORD.fullmatch(value.strip())
        if found is None:
            raise RequestError(f"{name} is {value!r}; allowed are {WORD_FORM}")
        kind, of = found[1] or (PARAMETER if found[2] in PARAMETERS else WEIGHT), found[2]
        value = {
            kind: _seed(of) if kind in (TOWARD, DIRECTION) else of,
            "low": float(found[3]),
            "high": float(found[4]),
        }
        value |= {"log": True} if found[5] else {}
    if not isinstance(value, Mapping):
        raise RequestError(f"{name} is {value!r}; allowed is a table with {AXIS_FORM}")
    with raising_all() as problems:
        kinds = [kind for kind in KINDS if kind in value]
        others = [key for key in value if key not in (*KINDS, "low", "high", "log")]
        problems += [unknown(f"{name}: key", key, (*KINDS, "low", "high", "log")) for key in others]
        if not others and (len(kinds) != 1 or "low" not in value or "high" not in value):
            problems.append(f"{name} has {', '.join(value) or 'no key'}; allowed is {AXIS_FORM}")
    kind = kinds[0]
    with raising_all() as problems:
        with collecting(problems, f"{name}: "):
            of = _read_of(kind, value[kind])
        low, high, log = 0.0, 0.0, False
        with collecting(problems, f"{name}: "):
            low, high = (number(-FARTHEST, FARTHEST)(key, value[key]) for key in ("low", "high"))
        with collecting(problems, f"{name}: "):
            log = flag("log", value.get("log", False))
        if not problems and low >= high:
            problems.append(f"{name}: low is {low:g}; allowed are numbers below high, {high:g}")
        if not problems and log and low <= 0:
            problems.append(f"{name}: low is {low:g} on a logarithmic axis; allowed are numbers above 0")
        if log and kind != PARAMETER:
            problems.append(f"{name}: log goes with a parameter, not with {kind}; allowed is log = false")
        if log and kind == PARAMETER and value[kind] in NUMERIC and Axis(kind, value[kind], 0, 1).is_whole:
            problems.append(f"{name}: {value[kind]} has whole numbers; allowed is log = false")
    return Axis(kind, of, low, high, log)


def _seed(text: str) -> int | str:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= DIGITS else text


def _read_of(kind: str, value: object) -> int | str:
    if kind in (TOWARD, DIRECTION):
        return int(whole(0, MAX_SEED)(kind, value))
    if not isinstance(value, str):
        raise RequestError(f"{kind} is {value!r}; allowed is a name")
    if kind == PARAMETER:
        if value not in PARAMETERS:
            raise RequestError(unknown("parameter", value, NUMERIC))
        if value not in NUMERIC:
            raise RequestError(f"parameter {value} is no number; allowed are {', '.join(NUMERIC)}")
    return value


NUMERIC = tuple(name for name, one in PARAMETERS.items() if one.number is not None and name != "curve_points")


def _read_size(name: str, value: object) -> tuple[int, int]:
    sides = value if isinstance(value, list) and len(value) == 2 else [value, value]
    if isinstance(value, str) and (found := re.fullmatch(r"(\d{1,9})x(\d{1,9})", value)):
        sides = [int(found[1]), int(found[2])]
    try:
        width, height = (whole(1, LARGEST_SIDE)(name, side) for side in sides)
    except RequestError:
        allowed = f"whole numbers from 1 to {LARGEST_SIDE:,}, one for both sides or [width, height]"
        raise RequestError(f"{name} is {value!r}; allowed are {allowed}") from None
    return width, height


def read_pairs(name: str, value: object) -> int:
    """Read how many pairs there are: none, or enough to say something."""
    if value == 0 and not isinstance(value, bool):
        return 0
    try:
        return int(whole(FEWEST_PAIRS, MOST_PAIRS)(name, value))
    except RequestError as error:
        raise RequestError(f"{error}, and 0") from None


def _read_start(name: str, value: object, folder: Path = Path()) -> tuple[float, ...]:
    """Read weights in their flat order: a list of numbers, or the name of a CSV file with them."""
    if isinstance(value, str) and "," in value:
        value = [_number(part) for part in value.split(",")]
    if isinstance(value, str):
        path = beside(value, folder)
        try:
            cells = [cell for row in csv.reader(read_text(path, MOST_TOML_BYTES).splitlines()) for cell in row]
            value = [float(cell) for cell in cells if cell.strip()]
        except (OSError, ValueError, csv.Error) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise RequestError(
                f"{name} is {str(path)!r}, which cannot be read: {why}; allowed is a CSV file of numbers"
            ) from None
    if not isinstance(value, list):
        raise RequestError(f"{name} is {value!r}; allowed are a list of weights, or a CSV file of them")
    return tuple(number()(f"{name} {place}", one) for place, one in enumerate(value, 1))


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _read_text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise RequestError(f"{name} is {value!r}; allowed is text")
    return value


OPTIONS: Mapping[str, Reader] = {
    "title": _read_text,
    "border": _read_text,
    "seed": whole(0, MAX_SEED),
    "start": _read_start,
    "x": _read_axis,
    "y": _read_axis,
    "size": _read_size,
    "pairs": read_pairs,
}


# ------------------------------------------------------------------ what does not go together


def check_map(found: Map) -> None:
    """Raise RequestError for all that no map of this trial can have, and for what no machine or no sweep takes."""
    with raising_all() as problems:
        if (found.x.kind, found.x.of) == (found.y.kind, found.y.of):
            problems.append(f"x and y are both {found.x.words}; allowed are two different axes")
        for name, axis in (("x", found.x), ("y", found.y)):
            with collecting(problems, f"{name}: "):
                _check_axis(axis, found)
        for seed in () if problems or found.trial.init != "table" else _seeds_of(found):
            with collecting(problems):
                found.trial.initial_weights([seed])
        for one in () if problems else found.corners():
            with collecting(problems):
                _check_weights(found, one)
        _check_border(found, problems)
        for name, axis in (("x", found.x), ("y", found.y)):
            if axis.is_of_trial and found.pairs:
                problems.append(f"pairs is {found.pairs}, and {name} is {axis.of}; allowed beside that parameter is 0")
    size = f"size is {found.width} × {found.height}"
    if found.points > MOST_TRAININGS:
        raise RequestError(
            f"{size}, {found.points:,} trainings with its pairs; allowed in one map are {MOST_TRAININGS:,}"
        )
    _check_memory(found, size)


def _check_effects(found: Map, given: Mapping[str, Any]) -> None:
    """Raise RequestError for parameters that are given for the map, or are an axis of it, and change nothing of it."""
    axes = {name: axis for name, axis in (("x", found.x), ("y", found.y)) if axis.kind == PARAMETER}
    names = [name for name in given if name in PARAMETERS] + [str(axis.of) for axis in axes.values()]
    reasons = without_effect_in_all(found.corners(), names)
    with raising_all() as problems:
        problems += [
            f"{name} is {axis.of} {reasons.pop(str(axis.of))}" for name, axis in axes.items() if axis.of in reasons
        ]
        problems.extend(given_in_vain(given, reasons))


def _seeds_of(found: Map) -> list[int]:
    """Return the seeds that a map's starts are made of."""
    origin = [] if found.start else [found.seed]
    return origin + [int(axis.of) for axis in (found.x, found.y) if axis.kind == TOWARD]


def _check_axis(axis: Axis, found: Map) -> None:
    if axis.kind == TOWARD and axis.of == found.seed and found.start is None:
        raise RequestError(f"toward is {axis.of}, where the origin is already; allowed is another seed")
    if axis.kind != PARAMETER:
        return
    reader = PARAMETERS[str(axis.of)].number
    assert reader is not None
    first, last = axis.ends
    reader(str(axis.of), first)
    # the high end is excluded, so that it may be what a parameter comes near to and is not
    reader(str(axis.of), last if axis.is_whole or axis.high == reader.high else axis.high)
    if axis.of == SCALE and found.trial.init_scale != 1.0:
        raise RequestError(f"{SCALE} is {found.trial.init_scale:g} and an axis too; allowed is one of the two")


def _check_border(found: Map, problems: list[str]) -> None:
    """Note a border that can be no fate's: a result, elsewhere, or as many predictions as there are observations."""
    words, observations = found.border.split(), len(found.trial.targets)
    named = {*(str(result) for result in Result), ELSEWHERE}
    if found.border and found.border not in named and len(words) != observations:
        example = " ".join(["0", *["1"] * (observations - 1)])
        allowed = f"{', '.join(sorted(named))}, or an ending of {observations} predictions, such as {example!r}"
        problems.append(f"border is {found.border!r}; allowed are {allowed}")


def _check_weights(found: Map, trial: Trial) -> None:
    names = weight_names(trial.network)
    for name, axis in (("x", found.x), ("y", found.y)):
        if axis.kind == WEIGHT and axis.of not in names:
            raise RequestError(f"{name}: {unknown('weight', axis.of, [*names, *NUMERIC])}")
    if found.start is not None and len(found.start) != len(names):
        raise RequestError(f"start has {len(found.start)} weights; allowed are {len(names)}: {', '.join(names)}")


def _check_memory(found: Map, size: str) -> None:
    needed = found.points * (POINT_BYTES + PREDICTION_BYTES * len(found.trial.targets))
    try:
        there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):  # a system that does not say
        return
    if needed > there:
        raise RequestError(
            f"{size}, which takes about {needed / 2**30:.0f} GiB of memory; allowed is what this machine has, "
            f"{there / 2**30:.0f} GiB"
        )


def write_axis(axis: Axis) -> str:
    """Write an axis as a word of the command line, the opposite of reading it."""
    kind = "" if axis.kind == PARAMETER else f"{axis.kind}:"
    return f"{kind}{axis.of}:{axis.low!r}..{axis.high!r}{':log' if axis.log else ''}"
