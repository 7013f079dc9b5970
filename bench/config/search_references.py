"""What a search is compared with: configurations that somebody chose without it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from bench.config.search_config import Reference, Search
from bench.config.values import attempt, read_axis
from bench.errors import RequestError
from bench.model.gate import Gate, built_in
from bench.model.parameters import ParameterError
from bench.model.trial import Trial

SETTING, AS_LONG = "the walkthrough's setting", "the walkthrough's setting, as long as it trains"
DEFAULTS = "bench's defaults"
WALKTHROUGH: Mapping[Gate, Mapping[str, Any]] = {  # its hidden layers; what is not named are Trial's defaults
    built_in("or"): {
        "hidden": 3,
        "hidden_bias": False,
        "output_bias": False,
        "init": "uniform",
        "iterations": 10_000,
    },
    built_in("xor"): {"hidden": 3, "output_bias": False, "draws_before": 3, "iterations": 50_000},
}
AS_SEARCHED = (  # what a setting shares with the search: how it is computed, and what counts as solved
    "gate",
    "stop",
    "tolerance",
    "curve_points",
    "dtype",
    "summation",
    "backend",
    "device",
)


@dataclass(frozen=True)
class Named:
    """A reference as it is written: its title, and the parameters that it names."""

    title: str
    values: Mapping[str, Any]


def read_named(tables: Any, folder: Path, problems: list[str]) -> list[Named]:
    """Read one table of parameters or a list of them, each with an optional title; note what is wrong."""
    listed = tables if isinstance(tables, list) else [tables]
    found = [
        attempt(partial(_named, f"reference {k}", one, folder), "search", problems) for k, one in enumerate(listed, 1)
    ]
    return [named for named in found if named is not None]


def _named(place: str, table: Any, folder: Path) -> Named:
    if not isinstance(table, Mapping):
        raise ParameterError(f"{place} is {table!r}; allowed is a table of parameters, perhaps with a title")
    title = table.get("title", place)
    problems: list[str] = []
    if not isinstance(title, str) or not title.strip():
        problems.append(f"{place}: title is {title!r}; allowed is text")
    values = {
        name: attempt(partial(_one, name, value, folder), place, problems)
        for name, value in table.items()
        if name != "title"
    }
    if problems:
        raise RequestError(*problems)
    return Named(title, values)


def _one(name: str, value: Any, folder: Path) -> Any:
    found = read_axis(name, value, folder)
    if len(found) > 1:
        raise ParameterError(f"{name} has {len(found)} values; allowed is one")
    return found[0]


def with_references(search: Search, named: list[Named] | None, problems: list[str]) -> Search:
    """Return a search with its references: those that are named, else the walkthrough's setting or bench's defaults.

    What a named one does not name is as in the search where it is fixed there, else the parameter's own default.
    """
    if named is None:
        built = [_by_default(title, values) for title, values in _defaults(search)]
    else:
        built = [attempt(partial(_reference, search, one), f"search: {one.title}", problems) for one in named]
    references = tuple(reference for reference in built if reference is not None)
    problems += _doubled(references)
    return replace(search, references=references if search.validate else ())


def _defaults(search: Search) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the titles and parameters of what a search of this gate is compared with if it says nothing.

    The walkthrough's setting is trained as long as the search's trials, and as long as there if that is longer.
    """
    fixed = _fixed(search)
    if search.gate not in WALKTHROUGH:
        yield DEFAULTS, fixed
        return
    own = WALKTHROUGH[search.gate]
    setting = {**{name: value for name, value in fixed.items() if name in AS_SEARCHED}, **own}
    if "iterations" in search.space:
        yield SETTING, setting
        return
    budget = fixed.get("iterations", Trial().iterations)
    yield SETTING, {**setting, "iterations": budget}
    if own["iterations"] > budget:
        yield AS_LONG, setting


def _by_default(title: str, values: Mapping[str, Any]) -> Reference | None:
    """Return a reference that nobody asked for; None where it is no trial beside what is fixed."""
    trial = attempt(partial(Trial, **values), "", [])
    return Reference(title, trial) if trial else None


def _reference(search: Search, named: Named) -> Reference:
    return Reference(named.title, Trial(**{**_fixed(search), **named.values}))


def _fixed(search: Search) -> dict[str, Any]:
    """Return what is the same in all trials of a search."""
    return {name: value for name, value in search.fixed.items() if name not in search.space}


def _doubled(references: tuple[Reference, ...]) -> list[str]:
    """Return what is wrong where two references have one title or are one trial."""
    titles: dict[str, Reference] = {}
    trials: dict[str, Reference] = {}
    problems = []
    for one in references:
        if titles.setdefault(one.title, one) is not one:
            problems.append(f"search: two references are called {one.title!r}; allowed are different titles")
        same = trials.setdefault(one.trial.trial_id, one)
        if same is not one:
            problems.append(
                f"search: references {same.title!r} and {one.title!r} are equal; allowed are different ones"
            )
    return problems
