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


@dataclass(frozen=True)
class Choices:
    """Values by their names, as their user writes them."""

    values: Mapping[str, Any]


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
