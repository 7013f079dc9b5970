"""Layout: which parameter goes along what, so that every trial has a place and no panel is crowded."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bench.metrics import columns as c
from bench.stats.block_analysis import NAME, BlockAnalysis, in_order, in_words
from bench.stats.proportions import RATE

MOST_LINES = 8  # in a panel: more cannot be told apart
MOST_PANELS = 12  # shown at once
MOST_FOLDED = 24  # beside those, on demand
FEW_TRIALS = 8  # of a sweep that is no grid: the best and the worst
EVERY = ""  # the title of a panel that has everything


@dataclass(frozen=True)
class Layout:
    """The parameter whose values are lines or rows within a panel, and those with a panel for each combination."""

    lines: str
    facets: tuple[str, ...]

    def panels(self, table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
        """Return the panels' titles and rows, in the order of the parameters' values."""
        return grouped(table, self.facets)

    def order(self, table: pd.DataFrame) -> list[str]:
        """Return the names of all lines in their order."""
        values = in_order(self.lines, table[self.lines].tolist())
        return [self.called(value) for value in values]

    def called(self, value: Any) -> str:
        """Return what a line is called."""
        return str(value) if self.lines == NAME else in_words({self.lines: value}, [self.lines])


def layout(study: BlockAnalysis, apart: Sequence[str] = ()) -> Layout:
    """Return where the study's parameters go; those ``apart`` must have panels of their own."""
    names = study.names
    free = [name for name in names if name not in apart and study.trials[name].nunique() <= MOST_LINES]
    if not free or not is_grid(study):
        return Layout(NAME, tuple(name for name in names if name in apart) if is_grid(study) else ())
    lines = c.HIDDEN if c.HIDDEN in free else max(free, key=lambda name: study.trials[name].nunique())
    return Layout(lines, tuple(name for name in names if name != lines))


def is_grid(study: BlockAnalysis) -> bool:
    """Whether at least half of all combinations of the values that occur are there, each once."""
    if not study.names:
        return True
    size = 1.0
    for name in study.names:
        size *= study.trials[name].nunique()
    return len(study.trials) >= size / 2 and not study.trials.duplicated(study.names).any()


def shown_trials(study: BlockAnalysis, most: int) -> tuple[list[str], bool]:
    """Return the ids of the trials that are shown, and whether that is all of them: else best and worst by rate."""
    ids = [str(name) for name in study.trials.index]
    if len(ids) <= most:
        return ids, True
    ranked = study.rates.sort_values(RATE, kind="stable", ascending=False)[c.TRIAL_ID].tolist()
    half = most // 2
    chosen = {*ranked[:half], *ranked[-(most - half) :]}
    return [name for name in ids if name in chosen], False


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
