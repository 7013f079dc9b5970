"""Where dimensions are searched: what conditions may name, and what is left of them where others are fixed."""

from collections.abc import Mapping
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from typing import Any

from bench.experiment.block import written
from bench.experiment.search.space import Choices, Dimension


def check_conditions(dimensions: Mapping[str, Dimension]) -> list[str]:
    """Return what is wrong with conditions: parents that are not searched, values they never have, circles."""
    problems = [
        problem
        for name, dimension in dimensions.items()
        for parent, wanted in dimension.only_if.items()
        for problem in _with_parent(f"{name}: only_if", parent, wanted, dimensions)
    ]
    try:
        TopologicalSorter({name: list(one.only_if) for name, one in dimensions.items()}).prepare()
    except CycleError as error:
        circle = " → ".join(reversed(error.args[1]))
        problems.append(f"only_if goes in a circle, {circle}; allowed are conditions that end")
    return problems


def _with_parent(what: str, parent: str, wanted: tuple[str, ...], dimensions: Mapping[str, Dimension]) -> list[str]:
    if parent not in dimensions:
        return [f"{what} names {parent}, which is not searched; allowed are parameters of this search"]
    found = dimensions[parent]
    if is_fixed(found):
        return [f"{what} names {parent}, which is fixed; allowed are parameters that are searched"]
    if not found.over.countable:
        return [_uncountable(what, parent, found)]
    wrong = [name for name in wanted if not found.over.holds(name)]
    return [f"{what} has {parent} {name!r}; allowed is one of {found.over}" for name in wrong]


def check_countable(dimensions: Mapping[str, Dimension]) -> list[str]:
    """Return the conditions on what has become a range of any numbers."""
    return [
        _uncountable(f"{name}: only_if", parent, dimensions[parent])
        for name, dimension in dimensions.items()
        for parent in dimension.only_if
        if not dimensions[parent].over.countable
    ]


def _uncountable(what: str, parent: str, found: Dimension) -> str:
    return f"{what} names {parent}, which is any number of {found.over}; allowed are choices and whole ranges"


def is_fixed(dimension: Dimension) -> bool:
    """Whether there is nothing to search: one value, wherever."""
    return isinstance(dimension.over, Choices) and len(dimension.over.values) == 1 and not dimension.only_if


def in_order(dimensions: Mapping[str, Dimension]) -> dict[str, Dimension]:
    """Return dimensions after those that they depend on, otherwise in the order given; there must be no circle."""
    left, placed = dict(dimensions), dict[str, Dimension]()
    while left:
        name = next(name for name, one in left.items() if left.keys().isdisjoint(one.only_if))
        placed[name] = left.pop(name)
    return placed


def settle(dimensions: Mapping[str, Dimension]) -> tuple[dict[str, Dimension], dict[str, Any]]:
    """Return what is searched, in order, and what is fixed: a parent that is fixed makes conditions true or false.

    A dimension whose conditions never hold is in neither.
    """
    space: dict[str, Dimension] = {}
    fixed: dict[str, Any] = {}
    for name, dimension in in_order(dimensions).items():
        left = _left(dimension, space, fixed)
        if left is not None and is_fixed(left):
            (fixed[name],) = left.over.values.values()  # type: ignore[union-attr]  # what is fixed is a choice
        elif left is not None:
            space[name] = left
    return space, fixed


def _left(dimension: Dimension, space: Mapping[str, Dimension], fixed: Mapping[str, Any]) -> Dimension | None:
    """Return a dimension with those of its conditions that are still open, or None if one of them never holds."""
    conditions: dict[str, tuple[str, ...]] = {}
    for parent, wanted in dimension.only_if.items():
        if parent in space:
            conditions[parent] = tuple(name for name in wanted if space[parent].over.holds(name))
        holds = bool(conditions[parent]) if parent in space else parent in fixed and written(fixed[parent]) in wanted
        if not holds:
            return None
    return replace(dimension, only_if=conditions)
