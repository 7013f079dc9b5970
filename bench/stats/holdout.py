"""Held-out seeds: what the best trials of a search are worth on seeds that they were not chosen by.

The best of many trials looks better than it is on the seeds that chose it: the optimism of the selection (Efron 1983;
for a search over hyperparameters Cawley & Talbot 2010). Repeated searches compare one sampler with another.

Shapes: S studies of one sampler, N proposals of each.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu, ttest_ind

from bench.metrics import columns as c
from bench.metrics.objectives import MAXIMIZE, MEDIAN_SOLVED_AT, RMST, SOLVED_RATE, objective
from bench.stats import proportions, survival
from bench.stats.block_analysis import SEED
from bench.stats.proportions import CONFIDENCE, COUNT, HIGH, LOW, RATE
from bench.stats.resampling import draw_weights, percentile_interval
from bench.stats.survival import MEDIAN_HIGH, MEDIAN_LOW, RMST_HIGH, RMST_LOW
from bench.stats.trial_scores import NUMBER, TrialScores

KIND, RANK, TITLE = "kind", "rank", "title"
OPTIMISM = ("optimism", "optimism_low", "optimism_high")
BEST, REFERENCE = "best", "reference"
SEARCH, HELD_OUT = "search", "held_out"
SIDES = (SEARCH, HELD_OUT)
FIGURES = (COUNT, RATE, LOW, HIGH, survival.RMST, RMST_LOW, RMST_HIGH, MEDIAN_LOW, MEDIAN_HIGH)
INTERVALS = {RMST: (RMST_LOW, RMST_HIGH), SOLVED_RATE: (LOW, HIGH), MEDIAN_SOLVED_AT: (MEDIAN_LOW, MEDIAN_HIGH)}


@dataclass(frozen=True)
class HoldoutTrial:
    """A trial that was trained on held-out seeds: one of the best, or a reference, which has no rank."""

    title: str
    kind: str
    trial_id: str
    rank: int | None = None


def held_out_table(judged: TrialScores, trials: Sequence[HoldoutTrial]) -> pd.DataFrame:
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


def _row(judged: TrialScores, trial: HoldoutTrial) -> dict[str, Any]:
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


def _figures(judged: TrialScores, trial_id: str, side: str) -> dict[str, float]:
    """Return all measures of a trial on one side, and intervals; nothing where it was not trained there."""
    rows = judged.rows(trial_id, judged.seeds if side == SEARCH else judged.held_out)
    if rows is None:
        return {}
    tables = proportions.solved_rates(rows, [c.TRIAL_ID]), survival.times_to_solution(rows, SEED)
    figures = {name: table[name].iloc[0] for table in tables for name in FIGURES if name in table and len(table)}
    return {str(name): float(value) for name, value in figures.items()} | judged.values(rows)


# ------------------------------------------------------------------ repeated


Floats = NDArray[np.float64]
SAMPLER, SAMPLER_SEED, IS_BASELINE, JUDGED, ENDED = "sampler", "seed", "is_baseline", "judged", "ended"
MEAN = "mean"
STUDIES = [SAMPLER, SAMPLER_SEED, IS_BASELINE, JUDGED, ENDED, c.TRIAL_ID, SEARCH, HELD_OUT]
RUNNING = [SAMPLER, NUMBER, MEAN, LOW, HIGH]


@dataclass(frozen=True)
class Difference:
    """The mean value of a sampler's winners less that of the baseline's, on held-out seeds where there are any.

    ``superiority`` is the probability that a winner of the sampler is better than one of the baseline, ties counted
    half; ``low`` and ``high`` are missing with fewer than two repeats, and where nothing varies.
    """

    side: str
    sampler: str
    baseline: str
    repeats: int
    baseline_repeats: int
    mean: float
    low: float
    high: float
    superiority: float


def studies_table(judged: TrialScores) -> pd.DataFrame:
    """Return a row per study: sampler, seed, whether it ended, and the first objective of its best trial on each side.

    One has ended when all its trials were judged. Its best trial is its winner, or the best so far.
    """
    return pd.DataFrame([_study(judged, place) for place in range(len(judged.tables))], columns=STUDIES)


def _study(judged: TrialScores, place: int) -> dict[str, Any]:
    study, table = judged.proposals.studies[place], judged.tables[place]
    trial_id = _winner(judged, place)
    return {
        SAMPLER: study.sampler,
        SAMPLER_SEED: study.seed,
        IS_BASELINE: place >= judged.search.repeats,
        JUDGED: len(table),
        ENDED: len(table) == judged.search.trials,
        c.TRIAL_ID: trial_id,
        SEARCH: _value(judged, trial_id, SEARCH),
        HELD_OUT: _value(judged, trial_id, HELD_OUT),
    }


def _winner(judged: TrialScores, place: int) -> str | None:
    """Return the trial that the study is judged by: its winner, else the best of the first objective so far."""
    for winner in judged.proposals.winners:
        if winner.study == place and winner.rank == 1:
            return winner.trial_id
    table = judged.tables[place]
    found = table[table[judged.first] == judged.running_best(table)[-1]] if len(table) else table
    return str(found[c.TRIAL_ID].iloc[0]) if len(found) else None


def _value(judged: TrialScores, trial_id: str | None, side: str) -> float:
    rows = judged.rows(trial_id, judged.seeds if side == SEARCH else judged.held_out) if trial_id else None
    return np.nan if rows is None else objective(rows, judged.first)


# ------------------------------------------------------------------ by the number of trials


def running_table(judged: TrialScores, studies: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return the mean running best of each sampler by the number of the proposal, over the studies that ended.

    With the expanded 95 % percentile bootstrap over repeats (Efron 1979; Hesterberg 2015), at each number by itself;
    missing below two repeats, and where some study has no feasible trial yet.
    """
    ended = studies[studies[ENDED].astype(bool)]
    parts = [_running(judged, str(name), rows.index.tolist(), seed) for (_, name), rows in
             ended.groupby([IS_BASELINE, SAMPLER], sort=False)]  # fmt: skip
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=RUNNING)


def _running(judged: TrialScores, sampler: str, places: list[int], seed: int) -> pd.DataFrame:
    best_NS = np.stack([judged.running_best(judged.tables[place]) for place in places], axis=1)
    best_NS = np.where(np.isfinite(best_NS), best_NS, np.nan)
    weights_SB = draw_weights(len(places), np.random.default_rng(seed))
    low, high = percentile_interval(best_NS @ weights_SB / len(places), len(places))
    numbers = judged.tables[places[0]][NUMBER].to_numpy()
    return pd.DataFrame({SAMPLER: sampler, NUMBER: numbers, MEAN: best_NS.mean(axis=1), LOW: low, HIGH: high})


# ------------------------------------------------------------------ sampler against baseline


def difference_of(judged: TrialScores, studies: pd.DataFrame) -> Difference | None:
    """Return how the sampler's winners compare with the baseline's, of the studies that ended; None without both.

    The interval is Welch's (1947) for a difference of means with unequal variances; the probability of superiority is
    Mann and Whitney's (1947) U over the number of pairs.
    """
    side = HELD_OUT if len(judged.held_out) else SEARCH
    kept = studies[studies[ENDED].astype(bool) & np.isfinite(studies[side].astype(float))]
    own, other = (kept[kept[IS_BASELINE].astype(bool) == is_baseline] for is_baseline in (False, True))
    if own.empty or other.empty:
        return None
    values, others = (rows[side].to_numpy(dtype=np.float64) for rows in (own, other))
    share = float(mannwhitneyu(values, others).statistic) / len(values) / len(others)
    return Difference(
        side=side,
        sampler=str(own[SAMPLER].iloc[0]),
        baseline=str(other[SAMPLER].iloc[0]),
        repeats=len(values),
        baseline_repeats=len(others),
        mean=float(values.mean() - others.mean()),
        **_welch(values, others),
        superiority=share if judged.objectives[judged.first] == MAXIMIZE else 1 - share,
    )


def _welch(values: Floats, others: Floats) -> Mapping[str, float]:
    """Return the ends of Welch's 95 % interval; missing where a side has one value, or neither varies."""
    if min(len(values), len(others)) < 2 or (np.ptp(values) == 0 and np.ptp(others) == 0):
        return {"low": np.nan, "high": np.nan}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # values that are nearly alike lose digits
        found = ttest_ind(values, others, equal_var=False).confidence_interval(CONFIDENCE)
    return {"low": float(found.low), "high": float(found.high)}
