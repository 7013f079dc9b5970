"""A block of the grid, and the reading of its values: one source at a time, so that each mistake is told once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.config.seeds import read_seeds
from bench.errors import RequestError, unknown
from bench.model.gate import Gate, read_csv
from bench.model.network import write_hidden
from bench.model.parameters import ParameterError, flag, whole
from bench.model.trial import PARAMETERS, read

if TYPE_CHECKING:
    from bench.config.search_space import Range

DEFAULT_SEEDS = range(20)
DEFAULT_ROUNDS = 7  # of fewer than six, the 95 % interval of a median would be their whole range
KEYS = ("seeds", "alone", "rounds", "title")  # beside the trial parameters


@dataclass(frozen=True)
class Block:
    """One ``[[grid]]``: lists of values whose cross product are trials, and the seeds each is trained with."""

    title: str
    axes: Mapping[str, Sequence[Any]]
    seeds: Sequence[int]
    alone: bool
    rounds: int = DEFAULT_ROUNDS  # how often each of its timings is taken, if alone
    source: str = ""  # the file and the place in it, for messages


@dataclass(frozen=True)
class Values:
    """What one source says (the defaults, a block, the command line), every value read."""

    axes: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    seeds: Sequence[int] | None = None
    alone: bool | None = None
    rounds: int | None = None
    title: str = ""
    ranges: "Mapping[str, Range]" = field(default_factory=dict)  # for a search only, and so are its options
    search: Mapping[str, Any] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether it says anything."""
        return bool(self.axes or self.searched) or (self.seeds, self.alone, self.rounds) != (None, None, None)

    @property
    def searched(self) -> list[str]:
        """What of it only a search can have, as it is written."""
        return [*self.ranges, *(f"search.{name}" for name in self.search)]

    def over(self, other: "Values") -> "Values":
        """Return these values, and the other's where these say nothing."""
        return Values(
            {**other.axes, **self.axes},
            other.seeds if self.seeds is None else self.seeds,
            other.alone if self.alone is None else self.alone,
            other.rounds if self.rounds is None else self.rounds,
            self.title or other.title,
            {**other.ranges, **self.ranges},
            {**other.search, **self.search},
        )

    def block(self, source: str = "") -> Block:
        """Return the block that these values describe."""
        seeds = DEFAULT_SEEDS if self.seeds is None else self.seeds
        rounds = DEFAULT_ROUNDS if self.rounds is None else self.rounds
        return Block(self.title, self.axes, seeds, bool(self.alone), rounds, source)


def read_values(table: Mapping[str, Any], what: str, folder: Path, problems: list[str]) -> Values:
    """Read one source's values; gates in .csv files are looked for in the folder, then in the working folder."""
    axes = {
        name: attempt(partial(read_axis, name, value, folder), what, problems) or []
        for name, value in table.items()
        if name not in KEYS
    }
    seeds = attempt(lambda: read_seeds(table["seeds"]), what, problems) if "seeds" in table else None
    alone, rounds = (
        attempt(partial(reader, name, _single(table[name])), what, problems) if name in table else None
        for name, reader in (("alone", flag), ("rounds", whole(1, 1000)))
    )
    return Values(axes, seeds, alone, rounds, str(table.get("title", "")))


def read_axis(name: str, value: Any, folder: Path) -> list[Any]:
    """Return the values of one parameter; raise RequestError with every one that is wrong."""
    if name not in PARAMETERS:
        raise ParameterError(unknown("parameter", name, [*PARAMETERS, *KEYS]))
    listed = value if isinstance(value, list) else [value]
    if not listed:
        raise ParameterError(f"{name} is an empty list; allowed is at least one value")
    problems: list[str] = []
    found = [attempt(partial(_read_one, name, item, folder), "", problems) for item in listed]
    if problems:
        raise RequestError(*problems)
    return found


def _read_one(name: str, value: Any, folder: Path) -> Any:
    if name == "gate" and str(value).lower().endswith(".csv"):
        beside = folder / str(value)
        return read_csv(beside if beside.is_file() else Path(str(value)))
    return read(PARAMETERS[name], value)


def written(value: Any) -> str:
    """Write a value that was read as its user would: a gate by its name, hidden layers as 4-4."""
    if isinstance(value, Gate):
        return value.name
    return write_hidden(value) if isinstance(value, tuple) else str(value)


def attempt(reading: Callable[[], Any], what: str, problems: list[str]) -> Any:
    """Return what is read, or note the problems, each after ``what``, and return None."""
    prefix = f"{what}: " if what else ""
    try:
        return reading()
    except ParameterError as problem:
        problems.append(f"{prefix}{problem}")
    except RequestError as error:
        problems += [f"{prefix}{problem}" for problem in error.problems]
    return None


def _single(value: Any) -> Any:
    """Return the one value of a list of one, as the command line gives it; anything else as it is."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value
