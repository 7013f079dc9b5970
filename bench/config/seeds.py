"""Seeds as users write them, ``0:200`` (end excluded), ``7``, ``0,3,5`` or a list, and how many more are added."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.errors import RequestError, collecting, raising_all
from bench.model.initialization import MAX_SEED
from bench.model.parameter_fields import number, whole

MOST_RUNS = 100
MOST_LISTED = 1_000_000  # seeds with gaps between them, which are held one by one
DIGITS = 12  # more than any seed has
ALLOWED = f"0:200, 7 or 0,3,5 with seeds from 0 to {MAX_SEED}"


def read_seeds(value: object) -> Sequence[int]:
    """Return the distinct seeds in order, as a range where they are one; raise RequestError for anything else."""
    parts = value if isinstance(value, list) else str(value).split(",")
    if not parts:
        raise RequestError(f"seeds is {value!r}, which holds no seed; allowed are {ALLOWED}")
    ranges = _joined(_read_part(value, str(part).strip()) for part in parts)
    if len(ranges) == 1:
        return ranges[0]
    count = sum(map(len, ranges))
    if count > MOST_LISTED:
        raise RequestError(
            f"seeds is {value!r}, which are {count:,} with gaps between; allowed are {MOST_LISTED:,}, or one range"
        )
    return tuple(seed for part in ranges for seed in part)


def _joined(parts: Iterable[range]) -> list[range]:
    """Return sorted ranges with gaps between them that hold the same seeds, none of which is written out."""
    found: list[range] = []
    for part in sorted(parts, key=lambda one: one.start):
        if found and part.start <= found[-1].stop:
            found[-1] = range(found[-1].start, max(found[-1].stop, part.stop))
        else:
            found.append(part)
    return found


def _read_part(value: object, text: str) -> range:
    start, colon, stop = text.partition(":")
    if not all(
        number.isascii() and number.isdigit() and len(number) <= DIGITS
        for number in ([start, stop] if colon else [start])
    ):
        raise RequestError(f"seeds is {value!r}; allowed are {ALLOWED}")
    seeds = range(int(start), int(stop)) if colon else range(int(start), int(start) + 1)
    if not seeds:
        raise RequestError(f"seeds is {value!r}, which holds no seed (the end is excluded); allowed are {ALLOWED}")
    if seeds[-1] > MAX_SEED:
        raise RequestError(f"seeds is {value!r}; allowed are {ALLOWED}")
    return seeds


def compact(seeds: Sequence[int]) -> Sequence[int]:
    """Return sorted distinct seeds as a range where they follow each other."""
    if seeds and seeds[-1] - seeds[0] == len(seeds) - 1:
        return range(seeds[0], seeds[-1] + 1)
    return tuple(seeds)


def places(known: Sequence[int], seeds: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64] | slice:
    """Return the place ``[S]`` of each of some seeds among sorted distinct ones, of which they are."""
    if isinstance(known, range):
        if isinstance(seeds, range):  # millions of numbers need not be written out
            return slice(seeds.start - known.start, seeds.stop - known.start)
        return np.asarray(seeds, dtype=np.int64) - known.start
    return np.searchsorted(np.asarray(known, dtype=np.int64), np.asarray(seeds, dtype=np.int64))


def runs(seeds: Sequence[int], wanted_S: NDArray[np.bool_]) -> list[Sequence[int]]:
    """Return those of sorted distinct seeds that are wanted, as stretches that follow each other; of many, as one."""
    edges = np.flatnonzero(np.diff(wanted_S, prepend=False, append=False))
    if len(edges) > 2 * MOST_RUNS:
        return [compact(np.asarray(seeds)[wanted_S].tolist())]
    return [seeds[start:stop] for start, stop in edges.reshape(-1, 2).tolist()]


def write_seeds(seeds: Sequence[int]) -> str:
    """Write sorted distinct seeds as users do; those that follow each other as ``start:end``."""
    seeds = compact(seeds)
    if not seeds:
        return ""
    if isinstance(seeds, range):
        return f"{seeds.start}:{seeds.stop}" if len(seeds) > 1 else str(seeds.start)
    breaks = [0, *(place for place, (a, b) in enumerate(pairwise(seeds), 1) if b - a > 1), len(seeds)]
    runs = [seeds[start:stop] for start, stop in pairwise(breaks)]
    return ",".join(f"{run[0]}:{run[-1] + 1}" if len(run) > 1 else str(run[0]) for run in runs)


# ------------------------------------------------------------------ until it is sure


INTERVAL, CLAIMS, MAX_SEEDS = "interval", "claims", "max_seeds"
FINEST = 1e-6  # half-width: even a rate of 0 takes two million seeds to be known so well, others 10^12


@dataclass(frozen=True)
class Until:
    """What ends the adding of seeds, and how far it has come.

    ``half_width`` is of the 95 % interval of every trial's solved rate; None asks for claims that are decided. So many
    are ``open`` after ``rounds`` in which seeds were added: trials whose interval is wider, or claims. ``stopped_by``
    is what ended it: ``interval``, ``claims``, ``max_seeds``, or None while it goes on.
    """

    half_width: float | None
    max_seeds: int | None = None
    rounds: int = 0
    stopped_by: str | None = None
    open: int = 0

    @property
    def request(self) -> Sequence[str]:
        """The words of a command line that ask for it."""
        most = [] if self.max_seeds is None else ["--max-seeds", str(self.max_seeds)]
        return ["--until", CLAIMS if self.half_width is None else repr(self.half_width), *most]

    @property
    def look(self) -> int:
        """How often claims have been looked at, this time included, to end by what is seen; 0 if by nothing of them."""
        return self.rounds + 1 if self.half_width is None else 0

    def __str__(self) -> str:
        """Say what is asked for, after "seeds are added until"."""
        most = "" if self.max_seeds is None else f", or there are {self.max_seeds:,} of each"
        if self.half_width is None:
            return f"every claim is decided{most}"
        return f"every trial's solved rate is known to ± {self.half_width:g}{most}"


def read_until(until: float | str | None, max_seeds: int | None) -> Until | None:
    """Read both options; raise RequestError with each that is wrong."""
    with raising_all() as problems:
        with collecting(problems):
            half_width = None if until in (None, CLAIMS) else _read_half_width(until)
        with collecting(problems):
            max_seeds = None if max_seeds is None else whole(1, MAX_SEED + 1)("max-seeds", max_seeds)
        if until is None and max_seeds is not None:
            problems.append(f"max-seeds is {max_seeds}, which needs --until")
        if until == CLAIMS and max_seeds is None:
            problems.append("until is claims, some of which may never be decided; allowed is that with --max-seeds N")
    return None if until is None else Until(half_width, max_seeds)


def _read_half_width(until: Any) -> Any:
    allowed = "a half-width between 0 and 0.5, such as 0.02, and the word claims"
    try:
        value = float(until) if isinstance(until, str) else until
        found = number(0, 0.5, above=True, below=True)("until", value)
    except (ValueError, RequestError) as error:
        raise RequestError(f"until is {until!r}; allowed are {allowed}") from error
    if found < FINEST:
        raise RequestError(f"until is {until!r}; allowed are half-widths of {FINEST:g} and more")
    return found


def until_row(until: Until | None) -> dict[str, Any] | None:
    """Return what a sweep keeps of it."""
    return None if until is None else dict(vars(until))
