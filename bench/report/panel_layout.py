"""Layout: which parameter goes along what, so that every trial has a place and no panel is crowded."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bench.metrics import columns as c
from bench.stats.grid_analysis import FEW_SEEDS, NAME, GridAnalysis, in_order, in_words
from bench.stats.proportions import RATE

MOST_LINES = 8  # in a panel: more cannot be told apart
MOST_PANELS = 12  # shown at once
MOST_FOLDED = 24  # beside those, on demand
FEW_TRIALS = 8  # of a sweep that is no grid: some from the best to the worst
EVERY = ""  # the title of a panel that has everything


@dataclass(frozen=True)
class Layout:
    """The parameter whose values are lines or rows within a panel, and those with a panel for each combination."""

    lines: str
    facets: tuple[str, ...] = ()

    @property
    def is_list(self) -> bool:
        """Whether there is one panel of trials by name, which may be too many."""
        return self.lines == NAME and not self.facets

    def panels(self, table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
        """Return the panels' titles and rows, in the order of the parameters' values."""
        return grouped(table, self.facets)

    def rows(self, table: pd.DataFrame) -> list[tuple[str, dict[Any, Any]]]:
        """Return the rows of a panel in their order, each with its name."""
        ordered = table if self.lines == NAME else sort_by(table, [self.lines])
        return [(self.label(row[self.lines]), row) for row in ordered.to_dict("records")]

    def labels(self, table: pd.DataFrame) -> list[str]:
        """Return the names of all lines in their order."""
        return [self.label(value) for value in in_order(self.lines, table[self.lines].tolist())]

    def label(self, value: Any) -> str:
        """Return the name of a line."""
        return str(value) if self.lines == NAME else in_words({self.lines: value}, [self.lines])


def layout(block: GridAnalysis) -> Layout:
    """Return where a block's parameters go."""
    sizes = block.trials[block.names].nunique()
    free = [name for name in block.names if sizes[name] <= MOST_LINES]
    if not free or not is_grid(block):
        return Layout(NAME)
    lines = c.HIDDEN if c.HIDDEN in free else max(free, key=lambda name: sizes[name])
    return Layout(lines, tuple(name for name in block.names if name != lines))


def is_grid(block: GridAnalysis) -> bool:
    """Whether at least half of all combinations of the values that occur are there, each once."""
    if not block.names:
        return True
    size = math.prod(block.trials[name].nunique() for name in block.names)
    return bool(2 * len(block.trials) >= size and not block.trials.duplicated(block.names).any())


def is_single(block: GridAnalysis) -> bool:
    """Whether a block has so few seeds that its trainings are shown one by one."""
    return bool(block.seeds.max() <= FEW_SEEDS) if len(block.seeds) else True


def shown_trials(block: GridAnalysis, most: int) -> list[str]:
    """Return the ids of the trials that are shown: all, or some from the lowest to the highest solved rate, evenly."""
    ids = [str(name) for name in block.trials.index]
    if len(ids) <= most:
        return ids
    ranked = block.rates.sort_values(RATE, kind="stable", ascending=False)[c.TRIAL_ID].tolist()
    chosen = {ranked[place] for place in np.linspace(0, len(ranked) - 1, most).round().astype(int)}
    return [name for name in ids if name in chosen]


def not_all(drawn: int, block: GridAnalysis) -> str:
    """Return what is said below a chart that has only some of a block's trials; nothing where it has all."""
    return " Not every trial is drawn; the table has all of them." if drawn < len(block.trials) else ""


def only_shown(block: GridAnalysis, table: pd.DataFrame, most: int) -> pd.DataFrame:
    """Return the rows of the trials that are shown."""
    return table[table[c.TRIAL_ID].isin(shown_trials(block, most))]


def grouped(table: pd.DataFrame, names: Sequence[str]) -> list[tuple[str, pd.DataFrame]]:
    """Return rows by the values of parameters, in their order, each group with those values in words."""
    if not names:
        return [(EVERY, table)]
    groups = sort_by(table, names).groupby(list(names), sort=False, observed=True)
    return [(in_words(dict(zip(names, values, strict=True)), names), rows) for values, rows in groups]


def sort_by(table: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return rows by the values of parameters, each in an order that makes sense."""
    keys = {name: {value: place for place, value in enumerate(in_order(name, table[name].tolist()))} for name in names}
    ranks = pd.DataFrame({name: table[name].map(keys[name]).astype(int) for name in names}, index=table.index)
    return table.loc[ranks.sort_values(list(names), kind="stable").index] if names else table
