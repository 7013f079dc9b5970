"""Readers of parameter values: each takes what a user wrote and returns the value, or says what is allowed."""

import math
import sys
from collections.abc import Callable
from dataclasses import field
from typing import Any

from bench.errors import unknown

Reader = Callable[[str, object], Any]


class ParameterError(ValueError):
    """One parameter's problem: what, got, allowed."""


def parameter(default: Any, read: Reader, doc: str) -> Any:
    """Declare one trial parameter as a dataclass field: its default, its reader and what it means."""
    return field(default=default, metadata={"read": read, "doc": doc})


def choice(*names: str) -> Reader:
    """Read one of the given names."""

    def read(what: str, value: object) -> str:
        if value not in names:
            raise ParameterError(unknown(what, value, names))
        return str(value)

    return read


def flag(what: str, value: object) -> bool:
    """Read true or false."""
    if not isinstance(value, bool):
        raise ParameterError(f"{what} is {value!r}; allowed are true and false")
    return value


def number(low: float = -math.inf, high: float = math.inf, *, above: bool = False, below: bool = False) -> Reader:
    """Read a finite number from ``low`` to ``high``; ``above`` and ``below`` exclude the ends."""
    bounds = [f"{'above' if above else 'at least'} {low:g}"] * (low > -math.inf)
    bounds += [f"{'below' if below else 'at most'} {high:g}"] * (high < math.inf)
    allowed = " and ".join(["finite numbers", *bounds][-2:]) if bounds else "finite numbers"

    def read(what: str, value: object) -> float:
        inside = (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and abs(value) <= sys.float_info.max  # false for NaN, and for whole numbers that no float can hold
            and (low < value if above else low <= value)
            and (value < high if below else value <= high)
        )
        if not inside:
            raise ParameterError(f"{what} is {value!r}; allowed are {allowed}")
        return float(value) + 0.0  # type: ignore[arg-type]  # checked above; + 0.0 turns -0.0 into 0.0

    return read


def whole(low: int, high: int) -> Reader:
    """Read a whole number from ``low`` to ``high``; 1e4 counts as one."""

    def read(what: str, value: object) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ParameterError(f"{what} is {value!r}; allowed are whole numbers from {low:,} to {high:,}")
        return value

    return read
