"""Values as users write them: tables are read key by key, and every mistake of them is told, once."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.config.ranges import is_range, read_linked, read_values
from bench.config.seeds import read_seeds
from bench.errors import RequestError, collecting, raising_all, unknown
from bench.model.consistency import written
from bench.model.gate import Gate, read_gate
from bench.model.initial_table import read_initial_table
from bench.model.network import write_hidden
from bench.model.parameter_fields import Reader, flag, whole
from bench.model.trial import PARAMETERS, StoredName

if TYPE_CHECKING:
    from bench.config.search_space import Range

MOST_TRIALS = 100_000  # more would be planned for a minute, and have runs in MLflow for hours
MOST_TRAININGS = 100_000_000  # more would not fit the memory that accounts for them
DEFAULT_SEEDS = range(20)
IN_FILES: Mapping[str, Callable[[str, Path], Any]] = {"gate": read_gate, "init_table": read_initial_table}
KEYS = ("seeds", "alone", "rounds", "title")  # of a block, beside the parameters
MOST_TOLD = 5  # values of a parameter, in an error
DEFAULT_ROUNDS = 9  # of fewer, the 95 % interval of a median is their whole range, or there is none


def read_table(
    table: Mapping[str, Any],
    readers: Mapping[str, Reader],
    where: str,
    problems: list[str],
    *,
    called: str = "parameter",
    also: Sequence[str] = (),
) -> dict[str, Any]:
    """Return a table's values, each read by the reader of its key, and None for those that are wrong.

    What is wrong is added to the problems, after ``where``. Messages say what keys are ``called``, and which there
    are ``also``.
    """
    if not isinstance(table, Mapping):
        problems.append(f"{where}got {table!r}; allowed is a table")
        return {}
    found = dict.fromkeys(table)
    for name, value in table.items():
        with collecting(problems, where):
            if name not in readers:
                raise RequestError(unknown(called, name, [*readers, *also]))
            found[name] = readers[name](name, value)
    return found


def list_readers(folder: Path) -> dict[str, Reader]:
    """Return the readers of lists of each parameter's values; the folder is where gates in .csv files are looked for.

    Those that are not there are looked for in the working folder.
    """
    return {name: partial(read_list, folder=folder) for name in PARAMETERS}


def read_list(name: str, value: Any, folder: Path) -> list[Any]:
    """Return the values of one parameter; raise RequestError with every one that is wrong."""
    listed = value if isinstance(value, list) else [value]
    if not listed:
        raise RequestError(f"{name} is an empty list; allowed is at least one value")
    found = []
    with raising_all() as problems:
        for item in listed:
            with collecting(problems):
                found += _read_each(name, item, folder)
    return found


def _read_each(name: str, value: Any, folder: Path) -> list[Any]:
    """Return a value as a list of one, or all numbers of a range."""
    known = PARAMETERS[name]
    if known.number is not None and isinstance(value, str) and is_range(value):
        return [known.read(one) for one in read_values(name, value, known.number)]
    if known.number is not None and isinstance(value, str) and (linked := read_linked(value)):
        return [linked]
    if name in IN_FILES and value != known.default and isinstance(value, str):
        value = IN_FILES[name](value, folder)
    return [known.read(value)]


def read_one(name: str, value: Any, folder: Path, where: str = "") -> Any:
    """Return the only value of one parameter; ``where`` says in a message of what it is the only one."""
    found = read_list(name, value, folder)
    if len(found) > 1:
        raise RequestError(f"{name} has {len(found)} values; allowed{where} is one")
    return found[0]


def read_title(what: str, value: object) -> str:
    """Return a title, which is text that says something."""
    if not isinstance(value, str) or not value.strip():
        raise RequestError(f"{what} is {value!r}; allowed is text")
    return value


def write_value(value: Any) -> str:
    """Write a value that was read as its user would: a gate by its name, hidden layers as 4-4."""
    if isinstance(value, Gate):
        return value.name
    return write_hidden(value) if isinstance(value, tuple) else str(value)


def given_in_vain(values: Mapping[str, Sequence[Any]], reasons: Mapping[str, str]) -> Iterator[str]:
    """Yield a sentence for each parameter that is given and has a reason to change nothing.

    One that is only written out as it is without being said is left alone.
    """
    for name, why in reasons.items():
        if list(values[name]) != [PARAMETERS[name].default]:
            words = [written(value) for value in values[name]]
            told = ", ".join([*words[:MOST_TOLD], *["…"] * (len(words) > MOST_TOLD)])
            yield f"{name} is {told} {why}"


def parse_value(name: str, text: str) -> Any:
    """Return the value of a parameter that `write_value` wrote; of gates, those that are built in."""
    default = PARAMETERS[name].default
    if name == "backend":
        return StoredName(text)
    if isinstance(default, bool):
        return text == str(True)
    return PARAMETERS[name].read(float(text) if isinstance(default, int | float) else text)


# ------------------------------------------------------------------ blocks, and what changes them


@dataclass(frozen=True)
class Block:
    """One ``[[grid]]``: lists of values whose cross product are trials, and the seeds each is trained with."""

    title: str
    axes: Mapping[str, Sequence[Any]]
    seeds: Sequence[int]
    alone: bool
    rounds: int = DEFAULT_ROUNDS  # how often each of its timings is taken, if alone
    source: str = ""  # what its messages begin with: "mine.toml: grid 1: "
    given: tuple[str, ...] = ()  # the parameters that are said for it, and not for all blocks of a file

    @classmethod
    def of(cls, values: Mapping[str, Any], source: str = "", given: Collection[str] = ()) -> "Block":
        """Return the block that these values describe, each read by its reader."""
        return cls(
            values.get("title", ""),
            {name: axis for name, axis in values.items() if name in PARAMETERS},
            values.get("seeds", DEFAULT_SEEDS),
            values.get("alone", False),
            values.get("rounds", DEFAULT_ROUNDS),
            source,
            tuple(name for name in PARAMETERS if name in given),
        )


def block_readers(folder: Path) -> dict[str, Reader]:
    """Return the readers of a block's keys: lists of values, seeds, and how it is trained."""
    return {
        **list_readers(folder),
        "seeds": lambda _name, value: read_seeds(value),
        "alone": _single(flag),
        "rounds": _single(whole(1, 1000)),
        "title": lambda _name, value: str(value),
    }


def _single(reader: Reader) -> Reader:
    """Return a reader that takes a list of one value, as the command line gives it, for that value."""
    return lambda name, value: reader(name, value[0] if isinstance(value, list) and len(value) == 1 else value)


@dataclass(frozen=True)
class Overrides:
    """What the command line changes, every value read: those of blocks, ranges, and options of a search and of maps."""

    values: Mapping[str, Any] = field(default_factory=dict)
    ranges: "Mapping[str, Range]" = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    maps: Mapping[str, Any] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether it changes anything."""
        return bool(self.values or self.searched or self.maps)

    @property
    def of_maps(self) -> dict[str, Any]:
        """What of it maps take: values of parameters as lists, and their own options."""
        return {**{name: value for name, value in self.values.items() if name in PARAMETERS}, **self.maps}

    @property
    def searched(self) -> list[str]:
        """What of it only a search can have, as it is written."""
        return [*self.ranges, *(f"search.{name}" for name in self.options)]
