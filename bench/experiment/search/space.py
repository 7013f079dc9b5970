"""The space of a search: ranges and choices of trial parameters, some of them only where others have certain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


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
