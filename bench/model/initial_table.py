"""Tables of initial weights: a row for each seed, a column for each weight.

Shapes: S rows, P weights and biases.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.errors import RequestError
from bench.model.csv_table import as_numbers, beside, read_cells
from bench.model.initialization import MAX_SEED

Floats = NDArray[np.float64]

SEED_COLUMN = "seed"
MOST_TOLD = 5  # seeds of an error


@dataclass(frozen=True, eq=False)
class InitialTable:
    """Weights ``[S, P]`` that seeds ``[S]`` start from, by the names of what they connect."""

    name: str
    columns: tuple[str, ...]
    seeds_S: NDArray[np.int64]
    weights_SP: Floats

    def __post_init__(self) -> None:
        """Freeze the arrays and refuse what no seed could start from."""
        problems = []
        if len(set(self.columns)) < len(self.columns):
            problems.append("a column twice; allowed is each weight once")
        if not np.isfinite(self.weights_SP).all():
            problems.append("a weight that is not finite; allowed are finite numbers")
        if not ((self.seeds_S >= 0) & (self.seeds_S <= MAX_SEED)).all():
            problems.append(f"a seed that is none; allowed are whole numbers from 0 to {MAX_SEED:,}")
        if len(np.unique(self.seeds_S)) < len(self.seeds_S):
            problems.append("a seed twice; allowed is one row a seed")
        if problems:
            raise RequestError(*(f"init_table {self.name!r} has {problem}" for problem in problems))
        self.seeds_S.setflags(write=False)
        self.weights_SP.setflags(write=False)

    def __str__(self) -> str:
        """Return its name, as tables show it."""
        return self.name

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the content, in which tables of one name differ; the order of rows and columns is none of it."""
        order, rows = np.argsort(self.columns), np.argsort(self.seeds_S)
        content = "\n".join(sorted(self.columns)).encode() + self.seeds_S[rows].astype("<i8").tobytes()
        return hashlib.sha256(content + self.weights_SP[rows][:, order].astype("<f8").tobytes()).hexdigest()

    def __eq__(self, other: object) -> bool:
        """Compare names and content."""
        return isinstance(other, InitialTable) and (self.name, self.digest) == (other.name, other.digest)

    def __hash__(self) -> int:
        """Hash name and content."""
        return hash((self.name, self.digest))

    @cached_property
    def _largest(self) -> float:
        return float(np.abs(self.weights_SP).max(initial=0))

    def beyond(self, dtype: str, scale: float) -> tuple[int, int] | None:
        """Return row and column of the first weight that a dtype cannot hold once it is scaled; None where it can."""
        with np.errstate(over="ignore"):
            if np.isfinite(np.float64(self._largest * scale).astype(dtype)):
                return None
            drawn_SP = (self.weights_SP * scale).astype(dtype)
        row, column = np.argwhere(~np.isfinite(drawn_SP))[0].tolist()
        return row, column

    def weights(self, seeds: Sequence[int], names: Sequence[str]) -> Floats:
        """Return the weights ``[T, P]`` of these names that seeds start from; raise RequestError for seeds without."""
        rows = {seed: row for row, seed in enumerate(self.seeds_S.tolist())}
        missing = [seed for seed in map(int, seeds) if seed not in rows]
        if missing:
            told = ", ".join(map(str, missing[:MOST_TOLD])) + (" …" if len(missing) > MOST_TOLD else "")
            what = f"init_table {self.name!r} has no row of seed {told}"
            raise RequestError(f"{what}; allowed are its {len(rows):,} seeds, {_told(self.seeds_S)}")
        return self.weights_SP[np.ix_([rows[int(seed)] for seed in seeds], [self.columns.index(one) for one in names])]


def _told(seeds_S: NDArray[np.int64]) -> str:
    ends = sorted(seeds_S.tolist())
    return f"{ends[0]} to {ends[-1]}" if ends else "none"


def read_initial_table(name: str, folder: Path = Path()) -> InitialTable:
    """Read initial weights from a CSV file with the columns ``seed,<name of each weight>``, in any order.

    Its name is the file's, which is in the folder, or where its path says.
    """
    what, allowed = f"init_table {name!r}", "paths of .csv files"
    if not name.lower().endswith(".csv"):
        raise RequestError(f"{what} is no .csv file; allowed are {allowed}")
    path = beside(name, folder)
    columns, cells = read_cells(what, path, allowed)
    if columns.count(SEED_COLUMN) != 1:
        raise RequestError(f"{what} has the columns {', '.join(columns)}; allowed are seed, once, and each weight")
    numbers, place = as_numbers(what, columns, cells), columns.index(SEED_COLUMN)
    seeds = numbers[:, place]
    if not (np.isfinite(seeds) & (seeds == np.floor(seeds)) & (seeds >= 0) & (seeds <= MAX_SEED)).all():
        raise RequestError(f"{what} has a seed that is none; allowed are whole numbers from 0 to {MAX_SEED:,}")
    others = [column for number, column in enumerate(columns) if number != place]
    return InitialTable(path.stem, tuple(others), seeds.astype(np.int64), np.delete(numbers, place, axis=1))
