"""Reading a whole ``[search]`` table: its options, its space, and what the command line changes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from bench.config.search_checks import problems_of
from bench.config.search_config import SAMPLERS, Search
from bench.config.search_references import read_named, with_references
from bench.config.search_space import (
    Dimension,
    check_conditions,
    check_countable,
    choices,
    is_fixed,
    read_dimension,
    settle,
)
from bench.config.seeds import read_seeds
from bench.config.values import Values, attempt
from bench.metrics.objectives import read_constraints, read_objectives
from bench.model.initialization import MAX_SEED
from bench.model.parameters import ParameterError, Reader, choice, number, whole

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


# ------------------------------------------------------------------ table


WHAT, SPACE = "search", "space"
BESIDE = (*OPTIONS, REFERENCE)


def read_search(
    table: Mapping[str, Any], defaults: Values, overrides: Values, folder: Path, problems: list[str]
) -> Search | None:
    """Read a ``[search]`` table over the defaults with overrides in place; note every problem, and return None then."""
    found: list[str] = []
    options = _options(table, defaults, overrides, found)
    named = read_named(table[REFERENCE], folder, found) if REFERENCE in table else None
    read = _read_space(table, defaults, overrides, folder, found)
    space, fixed = read or ({}, {})
    search = Search(space=space, fixed=fixed, **with_defaults(options))
    if read:
        search = with_references(search, named, found)
    unread = {name for name, value in options.items() if value is None} | (set() if read else {SPACE})
    found += problems_of(search, unread)
    problems += found
    return None if found or not read else search


def _options(table: Mapping[str, Any], defaults: Values, overrides: Values, problems: list[str]) -> dict[str, Any]:
    """Return the options that are given, those that could not be read as None.

    A file's batch is no more than the trials that the command line asks for.
    """
    own = read_options(table, WHAT, problems)
    common, given = ({"seeds": one.seeds} if one.seeds is not None else {} for one in (defaults, overrides))
    found = {**common, **own, **given, **overrides.search}
    if "trials" in overrides.search and "batch" in own and "batch" not in overrides.search:
        found["batch"] = _smaller(own["batch"], overrides.search["trials"])
    return found


def _smaller(batch: int | None, trials: int | None) -> int | None:
    return batch if batch is None or trials is None else min(batch, trials)


def _read_space(
    table: Mapping[str, Any], defaults: Values, overrides: Values, folder: Path, problems: list[str]
) -> tuple[dict[str, Dimension], dict[str, Any]] | None:
    """Return what is searched and what is fixed, or None if anything of it is wrong, here or in the defaults."""
    found: list[str] = []
    own = {
        name: attempt(partial(read_dimension, name, value, folder, BESIDE), "", found)
        for name, value in table.items()
        if name not in BESIDE
    }
    common = {name: attempt(partial(_listed, name, values), "", found) for name, values in defaults.axes.items()}
    written = {**common, **own}
    found += check_conditions(_readable(written))
    if not found and all(defaults.axes.values()):  # what is wrong with the defaults was told before
        changed = _changed(written, overrides, found)
        found += check_countable(changed)
    problems += [f"{WHAT}: {problem}" for problem in found]
    if found or not all(defaults.axes.values()):
        return None
    space, fixed = settle(changed)
    elsewhere = {
        name: values[0]
        for name, values in defaults.axes.items()
        if len(values) == 1 and (name not in space or space[name].only_if)
    }
    return space, {**elsewhere, **fixed}


def _readable(dimensions: Mapping[str, Dimension | None]) -> dict[str, Dimension]:
    """Return dimensions that could be read, with their conditions on such: of others there is nothing to be said."""
    return {
        name: replace(
            one, only_if={parent: wanted for parent, wanted in one.only_if.items() if dimensions.get(parent, one)}
        )
        for name, one in dimensions.items()
        if one is not None
    }


def _changed(dimensions: Mapping[str, Dimension], overrides: Values, problems: list[str]) -> dict[str, Dimension]:
    """Return dimensions with those of the command line in place: a range or list keeps conditions, a value has none."""
    lists = {name: attempt(partial(_listed, name, values), "", problems) for name, values in overrides.axes.items()}
    ranges = {name: Dimension(over) for name, over in overrides.ranges.items()}
    given = {name: one for name, one in {**lists, **ranges}.items() if one is not None}
    return {
        **dimensions,
        **{
            name: replace(one, only_if=dimensions[name].only_if) if name in dimensions and not is_fixed(one) else one
            for name, one in given.items()
        },
    }


def _listed(name: str, values: Sequence[Any]) -> Dimension:
    return Dimension(choices(name, values))
