"""What a search is told beside its space: how much is spent, on what, how it is proposed, and on which seeds."""

from collections.abc import Mapping
from functools import partial
from itertools import pairwise
from typing import Any

from bench.experiment.block import attempt
from bench.experiment.search.definition import SAMPLERS
from bench.experiment.search.objective import read_constraints, read_objectives
from bench.experiment.seeds import read_seeds
from bench.problem.initial import MAX_SEED
from bench.problem.parameters import ParameterError, Reader, choice, number, whole

DEFAULT_SEEDS = range(100)
DEFAULT_BATCH = 10
DEFAULT_REPEATS = 10  # of a search that is compared with another: fewer could not tell which is better
MOST_TRIALS = 100_000
REFERENCE = "reference"
NONE = "none"  # removes what was said before


def _read_prune(what: str, value: object) -> tuple[int, ...]:
    """Read one number of seeds or an increasing list of them."""
    found = tuple(whole(2, MAX_SEED)(what, item) for item in (value if isinstance(value, list) else [value]))
    if any(earlier >= later for earlier, later in pairwise(found)):
        raise ParameterError(f"{what} is {', '.join(map(str, found))}; allowed are numbers of seeds that increase")
    return found


def _or_none(reader: Reader) -> Reader:
    return lambda what, value: NONE if value == NONE else reader(what, value)


OPTIONS: Mapping[str, Reader] = {
    "trials": whole(1, MOST_TRIALS),
    "batch": whole(1, MOST_TRIALS),
    "sampler": choice(*SAMPLERS),
    "seed": whole(0, MAX_SEED),
    "seeds": lambda _what, value: read_seeds(value),
    "timeout": _or_none(number(0, above=True)),
    "objective": read_objectives,
    "constraints": _or_none(read_constraints),
    "prune": _or_none(_read_prune),
    "validate": whole(0, 1_000_000),
    "best": whole(1, 100),
    "baseline": choice(*SAMPLERS, NONE),
    "repeats": whole(1, 1000),
}
FIELDS = {"timeout": "timeout_s", "objective": "objectives"}  # of Search, where they have other names


def read_options(table: Mapping[str, Any], what: str, problems: list[str], before: str = "") -> dict[str, Any]:
    """Read a table's options, whose names messages write after ``before``; those that are wrong are None."""
    return {
        name: attempt(partial(OPTIONS[name], f"{before}{name}", value), what, problems)
        for name, value in table.items()
        if name in OPTIONS
    }


def with_defaults(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a search that its options give, and those that follow from others."""
    given = {name: value for name, value in options.items() if value not in (None, NONE)}
    follow = {
        "seeds": DEFAULT_SEEDS,
        "batch": min(DEFAULT_BATCH, given.get("trials", DEFAULT_BATCH)),
        "repeats": DEFAULT_REPEATS if "baseline" in given else 1,
    }
    return {FIELDS.get(name, name): value for name, value in {**follow, **given}.items()}
