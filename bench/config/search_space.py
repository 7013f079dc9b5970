"""The space of a search: ranges and choices of trial parameters, some of them only where others have certain values."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from bench.config.values import list_readers, parse_value, read_list, read_table, write_value
from bench.errors import RequestError, raising_all, unknown
from bench.model.gate import Gate
from bench.model.parameter_fields import Reader, flag, number, whole
from bench.model.trial import PARAMETERS

CHOICES, ONLY_IF = "choices", "only_if"
MOST_STEPS = 1_000_000_000


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

    @property
    def is_fixed(self) -> bool:
        """Whether there is nothing to search: one value, wherever."""
        return isinstance(self.over, Choices) and self.over.count == 1 and not self.only_if

    def is_active(self, proposed: Mapping[str, Any]) -> bool:
        """Whether it is searched with these values of the dimensions before it."""
        return all(str(proposed.get(name)) in wanted for name, wanted in self.only_if.items())

    @property
    def row(self) -> dict[str, Any]:
        """Return it as a sweep keeps it, in plain values."""
        over = {CHOICES: list(self.over.values)} if isinstance(self.over, Choices) else dict(vars(self.over))
        return over | ({ONLY_IF: {name: list(wanted) for name, wanted in self.only_if.items()}} if self.only_if else {})

    @classmethod
    def from_json(cls, name: str, row: Mapping[str, Any]) -> "Dimension":
        """Return a parameter's dimension from what a sweep keeps of it."""
        bounds = {key: value for key, value in row.items() if key != ONLY_IF}
        over = (
            Range(**bounds) if CHOICES not in row else Choices({text: parse_value(name, text) for text in row[CHOICES]})
        )
        return cls(over, {parent: tuple(wanted) for parent, wanted in row.get(ONLY_IF, {}).items()})


# ------------------------------------------------------------------ reading


def read_dimension(name: str, value: Any, folder: Path) -> Dimension:
    """Read a value, a list, ``{choices}`` or ``{low, high, log, step}``, the last two perhaps with ``only_if``.

    A dimension of one choice is a fixed value, unless it has conditions.
    """
    if not isinstance(value, Mapping):
        return listed(name, read_list(name, value, folder))
    table = {key: item for key, item in value.items() if key != ONLY_IF}
    found = _read_choices(name, table, folder) if CHOICES in table else Dimension(read_range(name, table))
    return replace(found, only_if=_read_conditions(name, value.get(ONLY_IF, {}), folder))


def listed(name: str, values: Sequence[Any]) -> Dimension:
    """Return the choice among values; raise RequestError where one name stands for two gates."""
    found: dict[str, Any] = {}
    for value in values:
        known = found.setdefault(write_value(value), value)
        if isinstance(known, Gate) and known.digest != value.digest:
            raise RequestError(f"{name} {known.name!r} names two tables; allowed is one")
    return Dimension(Choices(found))


def _read_choices(name: str, table: Mapping[str, Any], folder: Path) -> Dimension:
    for key in table:
        if key != CHOICES:
            raise RequestError(f"{name}: {unknown('key beside choices', key, [ONLY_IF])}")
    return listed(name, read_list(name, table[CHOICES], folder))


def _read_conditions(name: str, table: Any, folder: Path) -> dict[str, tuple[str, ...]]:
    """Read ``{parameter = value or list}``; the values become names of choices."""
    if not isinstance(table, Mapping):
        raise RequestError(f"{name}: only_if is {table!r}; allowed is a table such as {{ update = 'full' }}")
    with raising_all() as problems:
        found = read_table(table, list_readers(folder), f"{name}: only_if: ", problems)
    return {parent: tuple(dict.fromkeys(map(write_value, values))) for parent, values in found.items()}


def read_range(name: str, bounds: Mapping[str, Any]) -> Range:
    """Read ``{low, high, log, step}``; both ends must be values of the parameter."""
    one = PARAMETERS[name].number
    if one is None:
        raise RequestError(f"{name} is {dict(bounds)}; allowed is a list of its values: it is no number")
    step = whole(1, MOST_STEPS) if one.whole else number(0, above=True)
    readers: dict[str, Reader] = {"low": one, "high": one, "log": flag, "step": step}
    with raising_all() as problems:
        read = read_table(bounds, readers, f"{name}: ", problems, called="key", also=(CHOICES, ONLY_IF))
        if not problems and not {"low", "high"} <= set(bounds):
            problems.append(f"{name} is {dict(bounds)}; allowed is a range with low and high, or choices")
    found = Range(read["low"], read["high"], read.get("log", False), read.get("step"), one.whole)
    _check_range(name, found)
    return found


def _check_range(name: str, one: Range) -> None:
    """Raise RequestError where ends, logarithm and step do not go together."""
    low, high, step = one.low, one.high, one.step
    if not low < high:
        raise RequestError(f"{name} has low {low} and high {high}; allowed is low below high")
    if not math.isfinite(high - low):
        raise RequestError(f"{name} has low {low} and high {high}; allowed are ends whose difference is a number")
    if one.log and low <= 0:
        raise RequestError(f"{name} has low {low} on a logarithmic range; allowed are numbers above 0")
    if one.log and step is not None:
        raise RequestError(f"{name} has both log and step; allowed is one of them")
    if step is None:
        return
    # a high end between two steps would be lowered by Optuna, with a warning; exact, in the digits as written
    start, end, width = (Fraction(str(value)) for value in (low, high, step))
    steps = (end - start) // width
    last = start + steps * width
    if not 1 <= steps <= MOST_STEPS:
        raise RequestError(f"{name} has the step {step}; allowed are 1 to {MOST_STEPS:,} steps from {low} to {high}")
    if last != end:
        reached = f"{name} has high {high}, which steps of {step} from {low} do not reach"
        raise RequestError(f"{reached}; allowed is {int(last) if one.whole else float(last)}")


# ------------------------------------------------------------------ conditions


def check_conditions(dimensions: Mapping[str, Dimension | None]) -> list[str]:
    """Return what is wrong with conditions: parents that are not searched, values they never have, circles.

    Of dimensions that could not be read, which are None, nothing is said.
    """
    read = {name: one for name, one in dimensions.items() if one is not None}
    problems = [
        problem
        for name, one in read.items()
        for parent, wanted in one.only_if.items()
        if parent in read or parent not in dimensions
        for problem in _with_parent(f"{name}: only_if", parent, wanted, read)
    ]
    try:
        TopologicalSorter({name: list(one.only_if) for name, one in read.items()}).prepare()
    except CycleError as error:
        circle = " → ".join(reversed(error.args[1]))
        problems.append(f"only_if goes in a circle, {circle}; allowed are conditions that end")
    return problems


def _with_parent(what: str, parent: str, wanted: tuple[str, ...], dimensions: Mapping[str, Dimension]) -> list[str]:
    if parent not in dimensions:
        return [f"{what} names {parent}, which is not searched; allowed are parameters of this search"]
    found = dimensions[parent]
    if found.is_fixed:
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


def in_order(dimensions: Mapping[str, Dimension]) -> dict[str, Dimension]:
    """Return dimensions after those that they depend on, otherwise in the order given; there must be no circle."""
    left, placed = dict(dimensions), dict[str, Dimension]()
    while left:
        name = next(name for name, one in left.items() if left.keys().isdisjoint(one.only_if))
        placed[name] = left.pop(name)
    return placed


def split_fixed(dimensions: Mapping[str, Dimension]) -> tuple[dict[str, Dimension], dict[str, Any]]:
    """Return what is searched, in order, and what is fixed: a parent that is fixed makes conditions true or false.

    A dimension whose conditions never hold is in neither.
    """
    space: dict[str, Dimension] = {}
    fixed: dict[str, Any] = {}
    for name, dimension in in_order(dimensions).items():
        left = _left(dimension, space, fixed)
        if left is not None and left.is_fixed:
            (fixed[name],) = left.over.values.values()  # type: ignore[union-attr]  # what is fixed is a choice
        elif left is not None:
            space[name] = left
    return space, fixed


def _left(dimension: Dimension, space: Mapping[str, Dimension], fixed: Mapping[str, Any]) -> Dimension | None:
    """Return a dimension with those of its conditions that are still open, or None if one of them never holds."""
    still_open: dict[str, tuple[str, ...]] = {}
    for parent, wanted in dimension.only_if.items():
        if parent in space:
            still_open[parent] = tuple(text for text in wanted if space[parent].over.holds(text))
        if not (still_open[parent] if parent in space else parent in fixed and write_value(fixed[parent]) in wanted):
            return None
    return replace(dimension, only_if=still_open)
