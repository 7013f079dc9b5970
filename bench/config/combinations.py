"""Combinations: what ``[search.each]`` holds fixed, a search of its own with the same space and budget for each."""

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bench.config.values import Overrides, parse_value, read_list, read_one, read_table, read_title, write_value
from bench.errors import RequestError, collecting
from bench.model.display_labels import phrase
from bench.model.parameter_fields import Reader
from bench.model.trial import PARAMETERS

EACH, VARIANT, TITLE = "each", "variant", "title"
DIGITS = 4  # of a number in a title
PLAIN = "the defaults"  # what a variant without a title and without parameters is called


@dataclass(frozen=True)
class Combination:
    """What one search holds fixed: the values of a ``variant``, within a ``setting`` that all variants are tried in."""

    variant: str
    setting: str
    values: Mapping[str, Any]

    @property
    def title(self) -> str:
        """Both in words."""
        return ", ".join(filter(None, [self.variant, self.setting]))

    @property
    def row(self) -> dict[str, Any]:
        """Return it as a sweep keeps it, in plain values."""
        values = {name: write_value(value) for name, value in self.values.items()}
        return {"variant": self.variant, "setting": self.setting, "values": values}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> "Combination":
        """Return a combination from what a sweep keeps of it."""
        return cls(row["variant"], row["setting"], {n: parse_value(n, text) for n, text in row["values"].items()})


Titled = tuple[str, Mapping[str, Any]]  # a title, and the values of some parameters


def read_each(table: Any, overrides: Overrides, folder: Path, problems: list[str]) -> tuple[Combination, ...]:
    """Read ``[search.each]``: lists of values and ``[[search.each.variant]]``s; note every problem.

    Each variant is tried in each combination of the values; without variants, the values of the first list are the
    variants. Lists that the command line gives are taken instead of the file's.
    """
    found: list[str] = []
    if not isinstance(table, Mapping):
        problems.append(f"each is {table!r}; allowed is one table, [search.each]")
        return ()
    listed = {name: value for name, value in table.items() if name != VARIANT}
    readers: dict[str, Reader] = {name: partial(read_list, folder=folder) for name in PARAMETERS if name != "gate"}
    read = read_table(listed, readers, "each: ", found, also=(VARIANT,))
    axes = {name: values for name, values in read.items() if values is not None}
    variants = _read_variants(table[VARIANT], folder, found) if VARIANT in table else []
    held = {name for _, values in variants for name in values}
    found += [f"each: {name} is a list, and a variant's; allowed is one of them" for name in axes if name in held]
    found += [
        f"{name} is given as a range, and [search.each] holds it fixed; allowed are values"
        for name in overrides.ranges
        if name in held or name in axes
    ]
    found += [
        f"{name} is given, and variants of [search.each] set it; allowed are other parameters"
        for name in overrides.values
        if name in held
    ]
    axes |= {name: overrides.values[name] for name in axes if name in overrides.values}
    if not found and not variants and not axes:
        found.append("each is empty; allowed are lists of values, and [[search.each.variant]]s")
    problems += found
    return () if found else _combinations(variants, axes)


def _read_variants(tables: Any, folder: Path, problems: list[str]) -> list[Titled]:
    """Read tables of parameters, each with an optional title; note what is wrong, and titles that are not distinct."""
    if not isinstance(tables, list):
        problems.append("each: variant is a table; allowed are lists of them, each written [[search.each.variant]]")
        return []
    one_each = partial(read_one, folder=folder, where=" in a variant")
    readers: dict[str, Reader] = {name: one_each for name in PARAMETERS if name != "gate"}
    found: list[Titled] = []
    for place, table in enumerate(tables, 1):
        values = read_table(table, {**readers, TITLE: read_title}, f"each: variant {place}: ", problems)
        if None not in values.values():
            found.append((values.pop(TITLE, "") or _words(values) or PLAIN, values))
    for title, count in Counter(title for title, _ in found).items():
        if count > 1:
            problems.append(f"each: {count} variants are called {title!r}; allowed are different titles")
    return found


def _combinations(variants: Sequence[Titled], axes: Mapping[str, Sequence[Any]]) -> tuple[Combination, ...]:
    """Return every variant in every setting, in the order of the file, variant after variant."""
    if not variants:
        first = next(iter(axes))
        variants = [(_words({first: value}), {first: value}) for value in axes[first]]
        axes = {name: values for name, values in axes.items() if name != first}
    settings = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    return tuple(
        Combination(title, _words(setting), {**setting, **values}) for title, values in variants for setting in settings
    )


def _words(values: Mapping[str, Any]) -> str:
    """Return values as one speaks of them."""
    plain = {name: write_value(value) if isinstance(value, tuple) else value for name, value in values.items()}
    return phrase(plain, DIGITS)


def check_held(each: Sequence[Combination], searched: Sequence[str], problems: list[str]) -> None:
    """Note the parameters that are searched, and that combinations hold fixed."""
    held = {name for one in each for name in one.values}
    for name in searched:
        with collecting(problems):
            if name in held:
                raise RequestError(f"{name} is searched, and in [search.each]; allowed is one of them")
