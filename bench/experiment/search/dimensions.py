"""Reading one dimension of a search's space: a range, choices, and where it is searched."""

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

from bench.errors import unknown
from bench.experiment.block import attempt, read_axis, written
from bench.experiment.search.space import Choices, Dimension, Range
from bench.problem.gate import Gate
from bench.problem.parameters import ParameterError, flag, number, whole
from bench.problem.trial import PARAMETERS, Trial, read

BOUNDS = ("low", "high", "log", "step")
CHOICES, ONLY_IF = "choices", "only_if"
MOST_STEPS = 1_000_000_000


def read_dimension(name: str, value: Any, folder: Path, others: Sequence[str]) -> Dimension:
    """Read a value, a list, ``{choices}`` or ``{low, high, log, step}``, the last two perhaps with ``only_if``.

    ``others`` are keys beside the parameters, for messages. A dimension of one choice is a fixed value, unless it has
    conditions.
    """
    if name not in PARAMETERS:
        raise ParameterError(unknown("parameter", name, [*PARAMETERS, *others]))
    if not isinstance(value, Mapping):
        return Dimension(choices(name, read_axis(name, value, folder)))
    table = {key: item for key, item in value.items() if key != ONLY_IF}
    over = _choices(name, table, folder) if CHOICES in table else read_range(name, table)
    return Dimension(over, _conditions(name, value.get(ONLY_IF, {}), folder))


def choices(name: str, values: Sequence[Any]) -> Choices:
    """Return values by their names; raise ParameterError where one name stands for two gates."""
    found: dict[str, Any] = {}
    for value in values:
        known = found.setdefault(written(value), value)
        if isinstance(known, Gate) and known.digest != value.digest:
            raise ParameterError(f"{name} {known.name!r} names two tables; allowed is one")
    return Choices(found)


def _choices(name: str, table: Mapping[str, Any], folder: Path) -> Choices:
    for key in table:
        if key != CHOICES:
            raise ParameterError(f"{name}: {unknown('key beside choices', key, [ONLY_IF])}")
    return choices(name, read_axis(name, table[CHOICES], folder))


def _conditions(name: str, table: Any, folder: Path) -> dict[str, tuple[str, ...]]:
    """Read ``{parameter = value or list}``; the values become names of choices."""
    if not isinstance(table, Mapping):
        raise ParameterError(f"{name}: only_if is {table!r}; allowed is a table such as {{ update = 'full' }}")
    problems: list[str] = []
    found = {
        parent: attempt(partial(read_axis, parent, value, folder), "", problems) for parent, value in table.items()
    }
    if problems:
        raise ParameterError(f"{name}: only_if: {'; '.join(problems)}")
    return {parent: tuple(dict.fromkeys(map(written, values))) for parent, values in found.items()}


def read_range(name: str, bounds: Mapping[str, Any]) -> Range:
    """Read ``{low, high, log, step}``; both ends must be values of the parameter."""
    _check_kinds(name, bounds)
    low, high = (_end(name, bounds[key]) for key in ("low", "high"))
    log, step = bounds.get("log", False), bounds.get("step")
    if not low < high:
        raise ParameterError(f"{name} has low {low} and high {high}; allowed is low below high")
    if not math.isfinite(high - low):
        raise ParameterError(f"{name} has low {low} and high {high}; allowed are ends whose difference is a number")
    if log and low <= 0:
        raise ParameterError(f"{name} has low {low} on a logarithmic range; allowed are numbers above 0")
    if log and step is not None:
        raise ParameterError(f"{name} has both log and step; allowed is one of them")
    if step is not None:
        step = _step(name, step)
        _check_reached(name, low, high, step)
    return Range(low, high, log, step, whole=_counts(name))


def _check_kinds(name: str, bounds: Mapping[str, Any]) -> None:
    """Refuse a range of what is no number, and ends, steps and flags of a wrong kind."""
    if not _counts(name) and not isinstance(Trial().parameters[name], float):
        raise ParameterError(f"{name} is {dict(bounds)}; allowed is a list of its values: it is no number")
    for key, value in bounds.items():
        if key not in BOUNDS:
            raise ParameterError(f"{name}: {unknown('key', key, [*BOUNDS, CHOICES, ONLY_IF])}")
        if key == "log":
            flag(f"{name}: log", value)
        elif not isinstance(value, int | float) or isinstance(value, bool):
            raise ParameterError(f"{name}: {key} is {value!r}; allowed are numbers")
    if not {"low", "high"} <= set(bounds):
        raise ParameterError(f"{name} is {dict(bounds)}; allowed is a range with low and high, or choices")


def _end(name: str, value: float) -> float:
    """Return an end of a range as its parameter reads it, hidden neurons as a number."""
    neurons = name == "hidden" and isinstance(value, float) and value.is_integer()
    found = read(PARAMETERS[name], int(value) if neurons else value)
    return int(written(found)) if name == "hidden" else float(found) if isinstance(found, float) else int(found)


def _step(name: str, value: float) -> float:
    reader = whole(1, MOST_STEPS) if _counts(name) else number(0, above=True)
    found: float = reader(f"{name}: step", value)
    return found


def _check_reached(name: str, low: float, high: float, step: float) -> None:
    """Refuse a high end between two steps: Optuna would lower it, and warn. Exact, in the digits as written."""
    start, end, width = (Fraction(str(value)) for value in (low, high, step))
    steps = (end - start) // width
    if not 1 <= steps <= MOST_STEPS:
        raise ParameterError(f"{name} has the step {step}; allowed are 1 to {MOST_STEPS:,} steps from {low} to {high}")
    last = start + steps * width
    if last != end:
        allowed = int(last) if _counts(name) else float(last)
        raise ParameterError(
            f"{name} has high {high}, which steps of {step} from {low} do not reach; allowed is {allowed}"
        )


def _counts(name: str) -> bool:
    """Whether a parameter's values are whole numbers."""
    default = Trial().parameters[name]
    return name == "hidden" or (isinstance(default, int) and not isinstance(default, bool))
