"""Held-out seeds: what the best trials of a search are worth on seeds that they were not chosen by.

The best of many trials looks better than it is on the seeds that chose it: the optimism of the selection (Efron 1983;
for a search over hyperparameters Cawley & Talbot 2010).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bench.analysis import solved, survival
from bench.analysis.judged import Judged
from bench.analysis.solved import COUNT, HIGH, LOW, RATE
from bench.analysis.study import SEED
from bench.analysis.survival import MEDIAN_HIGH, MEDIAN_LOW, RMST_HIGH, RMST_LOW
from bench.experiment.search.objective import MAXIMIZE, MEDIAN_SOLVED_AT, RMST, SOLVED_RATE
from bench.tracking import columns as c

KIND, RANK, TITLE = "kind", "rank", "title"
OPTIMISM = ("optimism", "optimism_low", "optimism_high")
BEST, REFERENCE = "best", "reference"
SEARCH, HELD_OUT = "search", "held_out"
SIDES = (SEARCH, HELD_OUT)
FIGURES = (COUNT, RATE, LOW, HIGH, survival.RMST, RMST_LOW, RMST_HIGH, MEDIAN_LOW, MEDIAN_HIGH)
INTERVALS = {RMST: (RMST_LOW, RMST_HIGH), SOLVED_RATE: (LOW, HIGH), MEDIAN_SOLVED_AT: (MEDIAN_LOW, MEDIAN_HIGH)}


@dataclass(frozen=True)
class Retrained:
    """A trial that was trained on held-out seeds: one of the best, or a reference, which has no rank."""

    title: str
    kind: str
    trial_id: str
    rank: int | None = None


def held_out_table(judged: Judged, trials: Sequence[Retrained]) -> pd.DataFrame:
    """Return a row per trial: what it is worth on the seeds of the search, and on held-out ones, each in columns.

    A column is called by its side and its measure: `column`. There are all measures of the search; the solved rate
    (``rate``) with Wilson's interval; the restricted mean with Student's, in iterations. What was not trained with all
    seeds of a side is missing there. ``optimism`` is by how much the first objective looked better on the seeds of the
    search than it is on the others, above 0 where it looked better, with its interval: see `optimism`. A column per
    constraint says whether it is kept on held-out seeds.
    """
    rows = [_row(judged, trial) for trial in trials]
    figures = [column(side, name) for side in SIDES for name in dict.fromkeys([*judged.measures, *FIGURES])]
    limits = [str(constraint) for constraint in judged.constraints]
    names = [KIND, RANK, TITLE, c.TRIAL_ID, *figures, *OPTIMISM, *limits]
    table = pd.DataFrame(rows, columns=names, dtype=object)  # a rank that is missing is None, and not a number
    return table.astype(dict.fromkeys([*figures, *OPTIMISM], np.float64))


def column(side: str, name: str) -> str:
    """Return what a column is called: a measure on one side."""
    return f"{side}_{name}"


def interval_of(row: Mapping[Any, Any], side: str, name: str) -> tuple[float, float]:
    """Return the ends of the 95 % interval of an objective; missing for those that have none."""
    ends = INTERVALS.get(name)
    return (
        (row.get(column(side, ends[0]), np.nan), row.get(column(side, ends[1]), np.nan)) if ends else (np.nan, np.nan)
    )


def optimism(
    searched: tuple[float, float, float], others: tuple[float, float, float], *, more_is_better: bool
) -> tuple[float, float, float]:
    """Return by how much a value looked better than it is, with its 95 % interval; each is a value with its own ends.

    Seeds of both sides are different, so that the ends of the difference come from those of the two (Zou & Donner
    2008); of solved rates with Wilson's intervals that is Newcombe's (1998) method 10.
    """
    first, second = (searched, others) if more_is_better else (others, searched)
    difference = first[0] - second[0]
    low = difference - np.hypot(first[0] - first[1], second[2] - second[0])
    return difference, float(low), float(difference + np.hypot(first[2] - first[0], second[0] - second[1]))


def _row(judged: Judged, trial: Retrained) -> dict[str, Any]:
    sides = {side: _figures(judged, trial.trial_id, side) for side in SIDES}
    row: dict[str, Any] = dict.fromkeys(map(str, judged.constraints))
    row |= {KIND: trial.kind, RANK: trial.rank, TITLE: trial.title, c.TRIAL_ID: trial.trial_id}
    row |= {column(side, name): value for side, figures in sides.items() for name, value in figures.items()}
    if all(sides.values()):
        name = judged.first
        searched, others = ((row[column(side, name)], *interval_of(row, side, name)) for side in SIDES)
        found = optimism(searched, others, more_is_better=judged.objectives[name] == MAXIMIZE)
        row |= dict(zip(OPTIMISM, found, strict=True))
    if sides[HELD_OUT]:
        row |= {str(one): one.violation(sides[HELD_OUT][one.measure]) <= 0 for one in judged.constraints}
    return row


def _figures(judged: Judged, trial_id: str, side: str) -> dict[str, float]:
    """Return all measures of a trial on one side, and intervals; nothing where it was not trained there."""
    rows = judged.rows(trial_id, judged.seeds if side == SEARCH else judged.held_out)
    if rows is None:
        return {}
    tables = solved.solved_rates(rows, [c.TRIAL_ID]), survival.times_to_solution(rows, SEED)
    figures = {name: table[name].iloc[0] for table in tables for name in FIGURES if name in table and len(table)}
    return {str(name): float(value) for name, value in figures.items()} | judged.values(rows)
