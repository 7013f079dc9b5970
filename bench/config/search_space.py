"""The space of a search: ranges and choices of trial parameters, some of them only where others have certain values."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from bench.config.values import attempt, read_axis, written
from bench.errors import unknown
from bench.model.gate import Gate
from bench.model.parameters import ParameterError, flag, number, whole
from bench.model.trial import PARAMETERS, Trial, read


@dataclass(frozen=True)
class Range:
    """Numbers from low to high, both included; ``whole`` for parameters that count."""

    low: float
    high: float
    log: bool
    step: float | None
    whole: bool

    @property
    def ends(self) -> tuple[float, ...]:
        """Return its least and its greatest value."""
        return self.low, self.high

    @property
    def countable(self) -> bool:
        """Whether its values are few enough to be named one by one."""
        return self.whole

    @property
    def count(self) -> int | None:
        """Return how many values it has, None if they are any numbers."""
        step = self.step or (1 if self.whole else None)
        return None if step is None else round((self.high - self.low) / step) + 1

    def holds(self, name: str) -> bool:
        """Whether a whole number, as text, is one of its values."""
        if not (self.whole and name.lstrip("-").isdigit()):
            return False
        value = int(name)
        return self.low <= value <= self.high and (value - int(self.low)) % int(self.step or 1) == 0

    def __str__(self) -> str:
        """Write it as the command line reads it: 2..16, 0.01..10:log, 0..0.9:0.1."""
        more = ":log" if self.log else "" if self.step is None else f":{self.step!r}"
        return f"{self.low!r}..{self.high!r}{more}"


@dataclass(frozen=True)
class Choices:
    """Values by their names, as their user writes them."""

    values: Mapping[str, Any]

    @property
    def ends(self) -> tuple[str, ...]:
        """Return all names: none is between others."""
        return tuple(self.values)

    @property
    def countable(self) -> bool:
        """Whether its values can be named one by one."""
        return True

    @property
    def count(self) -> int:
        """Return how many values it has."""
        return len(self.values)

    def holds(self, name: str) -> bool:
        """Whether one of its values has this name."""
        return name in self.values

    def __str__(self) -> str:
        """Write it as the command line reads it."""
        return ",".join(self.values)


@dataclass(frozen=True)
class Dimension:
    """What one parameter may be; ``only_if`` names other parameters and the values with which this one is searched.

    The names of choices, or numbers of whole ranges, all as text. Elsewhere it is what the experiment's defaults say.
    """

    over: Range | Choices
    only_if: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def is_active(self, proposed: Mapping[str, Any]) -> bool:
        """Whether it is searched with these values of the dimensions before it."""
        return all(str(proposed.get(name)) in wanted for name, wanted in self.only_if.items())

    @property
    def row(self) -> dict[str, Any]:
        """Return it as a sweep keeps it, in plain values."""
        over = {"choices": list(self.over.values)} if isinstance(self.over, Choices) else dict(vars(self.over))
        return over | (
            {"only_if": {name: list(wanted) for name, wanted in self.only_if.items()}} if self.only_if else {}
        )

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> "Dimension":
        """Return a dimension from what a sweep keeps of it; of choices, the names stand for the values."""
        bounds = {name: value for name, value in row.items() if name != "only_if"}
        over = Choices({name: name for name in row["choices"]}) if "choices" in row else Range(**bounds)
        return cls(over, {name: tuple(wanted) for name, wanted in row.get("only_if", {}).items()})


# ------------------------------------------------------------------ dimensions


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


# ------------------------------------------------------------------ conditions


def check_conditions(dimensions: Mapping[str, Dimension]) -> list[str]:
    """Return what is wrong with conditions: parents that are not searched, values they never have, circles."""
    problems = [
        problem
        for name, dimension in dimensions.items()
        for parent, wanted in dimension.only_if.items()
        for problem in _with_parent(f"{name}: only_if", parent, wanted, dimensions)
    ]
    try:
        TopologicalSorter({name: list(one.only_if) for name, one in dimensions.items()}).prepare()
    except CycleError as error:
        circle = " → ".join(reversed(error.args[1]))
        problems.append(f"only_if goes in a circle, {circle}; allowed are conditions that end")
    return problems


def _with_parent(what: str, parent: str, wanted: tuple[str, ...], dimensions: Mapping[str, Dimension]) -> list[str]:
    if parent not in dimensions:
        return [f"{what} names {parent}, which is not searched; allowed are parameters of this search"]
    found = dimensions[parent]
    if is_fixed(found):
        return [f"{what} names {parent}, which is fixed; allowed are parameters that are searched"]
    if not found.over.countable:
        return [_uncountable(what, parent, found)]
    wrong = [name for name in wanted if not found.over.holds(name)]
    return [f"{what} has {parent} {name!r}; allowed is one of {found.over}" for name in wrong]


def check_countable(dimensions: Mapping[str, Dimension]) -> list[str]:
    """Return the conditions on what has become a range of any numbers."""
    return [
        _uncountable(f"{name}: only_if", parent, dimensions[parent])
        for name, dimension in dimensions.items()
        for parent in dimension.only_if
        if not dimensions[parent].over.countable
    ]


def _uncountable(what: str, parent: str, found: Dimension) -> str:
    return f"{what} names {parent}, which is any number of {found.over}; allowed are choices and whole ranges"


def is_fixed(dimension: Dimension) -> bool:
    """Whether there is nothing to search: one value, wherever."""
    return isinstance(dimension.over, Choices) and len(dimension.over.values) == 1 and not dimension.only_if


def in_order(dimensions: Mapping[str, Dimension]) -> dict[str, Dimension]:
    """Return dimensions after those that they depend on, otherwise in the order given; there must be no circle."""
    left, placed = dict(dimensions), dict[str, Dimension]()
    while left:
        name = next(name for name, one in left.items() if left.keys().isdisjoint(one.only_if))
        placed[name] = left.pop(name)
    return placed


def settle(dimensions: Mapping[str, Dimension]) -> tuple[dict[str, Dimension], dict[str, Any]]:
    """Return what is searched, in order, and what is fixed: a parent that is fixed makes conditions true or false.

    A dimension whose conditions never hold is in neither.
    """
    space: dict[str, Dimension] = {}
    fixed: dict[str, Any] = {}
    for name, dimension in in_order(dimensions).items():
        left = _left(dimension, space, fixed)
        if left is not None and is_fixed(left):
            (fixed[name],) = left.over.values.values()  # type: ignore[union-attr]  # what is fixed is a choice
        elif left is not None:
            space[name] = left
    return space, fixed


def _left(dimension: Dimension, space: Mapping[str, Dimension], fixed: Mapping[str, Any]) -> Dimension | None:
    """Return a dimension with those of its conditions that are still open, or None if one of them never holds."""
    conditions: dict[str, tuple[str, ...]] = {}
    for parent, wanted in dimension.only_if.items():
        if parent in space:
            conditions[parent] = tuple(name for name in wanted if space[parent].over.holds(name))
        holds = bool(conditions[parent]) if parent in space else parent in fixed and written(fixed[parent]) in wanted
        if not holds:
            return None
    return replace(dimension, only_if=conditions)
