"""What is known of a parameter, and readers of values: each returns what a user means, or says what is allowed."""

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import Any

import numpy as np

from bench.errors import RequestError, unknown

Reader = Callable[[str, object], Any]  # of a name, for messages, and a value; raises RequestError: what, got, allowed


class Role(Enum):
    """What a parameter decides."""

    TASK = "what is learned"
    INITIALIZATION = "how many weights there are, and where they start"
    TRAINING = "how weights change"
    BUDGET = "how long that goes on, what counts as solved, and how much of it is kept: no causes"
    PRECISION = "how precise the arithmetic is"
    COMPUTATION = "who computes the same numbers, and how"


@dataclass(frozen=True)
class Number:
    """Reads a finite number from ``low`` to ``high``, whole or not; ``above`` and ``below`` exclude the ends."""

    low: float = -math.inf
    high: float = math.inf
    above: bool = False
    below: bool = False
    whole: bool = False

    def __call__(self, what: str, value: object) -> Any:
        """Return the number as an int or a float; a whole one may be written with an exponent, as 1e4."""
        if self.whole and isinstance(value, float) and value.is_integer():
            value = int(value)
        inside = (
            isinstance(value, int if self.whole else int | float)
            and not isinstance(value, bool)
            and abs(value) <= sys.float_info.max  # false for NaN, and for what no float holds
            and (self.low < value if self.above else self.low <= value)
            and (value < self.high if self.below else value <= self.high)
        )
        if not inside:
            raise RequestError(f"{what} is {value!r}; allowed are {self.allowed}")
        return value if self.whole else float(value) + 0.0  # type: ignore[arg-type]  # + 0.0 turns -0.0 into 0.0

    @property
    def allowed(self) -> str:
        """What may be given, in words."""
        if self.whole:
            return f"whole numbers from {self.low:,} to {self.high:,}"
        bounds = [f"{'above' if self.above else 'at least'} {self.low:g}"] * (self.low > -math.inf)
        bounds += [f"{'below' if self.below else 'at most'} {self.high:g}"] * (self.high < math.inf)
        return " and ".join(["finite numbers", *bounds][-2:])


def number(low: float = -math.inf, high: float = math.inf, *, above: bool = False, below: bool = False) -> Number:
    """Return a reader of finite numbers."""
    return Number(low, high, above, below)


def whole(low: int, high: int) -> Number:
    """Return a reader of whole numbers."""
    return Number(low, high, whole=True)


@dataclass(frozen=True)
class Choice:
    """Reader of one of some names."""

    names: tuple[str, ...]

    def __call__(self, what: str, value: object) -> str:
        """Return the name that was given."""
        if value not in self.names:
            raise RequestError(unknown(what, value, self.names))
        return str(value)


def choice(*names: str) -> Choice:
    """Return a reader of one of the given names."""
    return Choice(names)


def flag(what: str, value: object) -> bool:
    """Read true or false."""
    if not isinstance(value, bool):
        raise RequestError(f"{what} is {value!r}; allowed are true and false")
    return value


# ------------------------------------------------------------------ parameters


@dataclass(frozen=True)
class Parameter:
    """All that is known of one parameter of a trial.

    ``number`` reads one number of it, for ranges; None where its values are no numbers. ``bare``: a value says what it
    is without the parameter's name. ``rank`` is its place among those that readers look for first, from 1; else 0.
    ``extra``: it is part of a trial's content, and of tables and documents, only where it is not its default.
    """

    name: str
    default: Any
    reader: Reader
    doc: str
    role: Role
    number: Number | None
    bare: bool
    rank: int
    extra: bool

    def read(self, value: object) -> Any:
        """Return what a user means by a value; raise RequestError with what, got and allowed."""
        return self.reader(self.name, value.item() if isinstance(value, np.generic) else value)

    @property
    def least(self) -> float | None:
        """The least number that it may be; None where there is none."""
        return self.number.low if self.number and not self.number.above and self.number.low > -math.inf else None


def parameter(
    default: Any,
    reader: Reader,
    doc: str,
    role: Role,
    *,
    number: Number | None = None,
    bare: bool = False,
    rank: int = 0,
    extra: bool = False,
    own: bool = False,
) -> Any:
    """Declare a parameter as a dataclass field, with all that is known of it.

    ``own``: where it is not given, a trial's optimizer may have a default of its own.
    """
    known = {
        "default": default,
        "reader": reader,
        "doc": doc,
        "role": role,
        "number": reader if isinstance(reader, Number) else number,
        "bare": bare,
        "rank": rank,
        "extra": extra,
    }
    return field(default=None if own else default, metadata=known)


extra = partial(parameter, extra=True)
