"""What a search is compared with: configurations that somebody chose without it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from bench.errors import RequestError
from bench.experiment.block import attempt, read_axis
from bench.experiment.search.definition import Reference, Search
from bench.problem.parameters import ParameterError
from bench.problem.trial import Trial

DOCUMENTS = "the documents' configuration"


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
    """Return a search with its references: those that are named, else the documents' configuration.

    What a reference does not name is as in the search where it is fixed there, else the parameter's own default.
    """
    if named is None:
        return replace(search, references=_documents(search))
    built = [attempt(partial(_reference, search, one), f"search: {one.title}", problems) for one in named]
    references = tuple(reference for reference in built if reference is not None)
    problems += _doubled(references)
    return replace(search, references=references if search.validate else ())


def _documents(search: Search) -> tuple[Reference, ...]:
    """Return the documents' configuration, with the search's gate; none where it is no trial beside what is fixed."""
    known = {gate.digest: gate for gate in search.gates}
    gate = known.get(Trial().gate.digest, search.gates[0])
    try:
        return (Reference(DOCUMENTS, _trial(search, {"gate": gate})),) if search.validate else ()
    except RequestError:
        return ()


def _reference(search: Search, named: Named) -> Reference:
    trial = _trial(search, named.values)
    if trial.gate.digest not in {gate.digest for gate in search.gates}:
        allowed = ", ".join(gate.name for gate in search.gates)
        raise ParameterError(f"gate is {trial.gate.name}; allowed is the search's, {allowed}")
    return Reference(named.title, trial)


def _trial(search: Search, values: Mapping[str, Any]) -> Trial:
    fixed = {name: value for name, value in search.fixed.items() if name not in search.space}
    return Trial(**{**fixed, **values})


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
