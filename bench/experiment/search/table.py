"""Reading a whole ``[search]``: the file's table over its defaults, with what the command line changes in place."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from bench.experiment.block import Values, attempt
from bench.experiment.search.checks import problems_of
from bench.experiment.search.conditions import check_conditions, check_countable, is_fixed, settle
from bench.experiment.search.definition import Search
from bench.experiment.search.dimensions import choices, read_dimension
from bench.experiment.search.options import OPTIONS, REFERENCE, read_options, with_defaults
from bench.experiment.search.references import read_named, with_references
from bench.experiment.search.space import Dimension

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
