"""Until it is sure: how narrow the interval of every trial's solved rate must be, and how many seeds that may take."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from bench.config.values import attempt
from bench.errors import RequestError
from bench.model.initialization import MAX_SEED
from bench.model.parameters import number, whole

INTERVAL, MAX_SEEDS = "interval", "max_seeds"


@dataclass(frozen=True)
class Until:
    """What ends the adding of seeds, and how far it has come.

    ``half_width`` is of the 95 % interval; ``wide`` trials are wider still after ``rounds`` in which seeds were added;
    ``stopped_by`` is what ended it: ``interval``, ``max_seeds``, or None while it goes on.
    """

    half_width: float
    max_seeds: int | None = None
    rounds: int = 0
    stopped_by: str | None = None
    wide: int = 0

    @property
    def request(self) -> Sequence[str]:
        """The words of a command line that ask for it."""
        most = [] if self.max_seeds is None else ["--max-seeds", str(self.max_seeds)]
        return ["--until", repr(self.half_width), *most]

    def __str__(self) -> str:
        """Say what is asked for, after "seeds are added until"."""
        most = "" if self.max_seeds is None else f", or there are {self.max_seeds:,} of each"
        return f"every trial's solved rate is known to ± {self.half_width:g}{most}"


def read_until(half_width: float | None, max_seeds: int | None) -> Until | None:
    """Read both options; raise RequestError with each that is wrong."""
    problems: list[str] = []
    if half_width is not None:
        attempt(partial(number(0, 0.5, above=True, below=True), "until", half_width), "", problems)
    if max_seeds is not None:
        attempt(partial(whole(1, MAX_SEED + 1), "max-seeds", max_seeds), "", problems)
    if half_width is None and max_seeds is not None:
        problems.append(f"max-seeds is {max_seeds}, and there is no --until; allowed is with --until")
    if problems:
        raise RequestError(*problems)
    return None if half_width is None else Until(half_width, max_seeds)


def until_row(until: Until | None) -> dict[str, Any] | None:
    """Return what a sweep keeps of it."""
    return None if until is None else dict(vars(until))
