"""Repeated searches: one sampler against another, each several times with other sampler seeds and equal budgets.

Shapes: S studies of one sampler, N proposals of each.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu, ttest_ind

from bench.analysis.held_out import HELD_OUT, SEARCH
from bench.analysis.judged import NUMBER, Judged
from bench.analysis.objectives import objective
from bench.analysis.resampling import draw_weights, percentile_interval
from bench.analysis.solved import CONFIDENCE, HIGH, LOW
from bench.experiment.search.objective import MAXIMIZE
from bench.tracking import columns as c

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


def studies_table(judged: Judged) -> pd.DataFrame:
    """Return a row per study: sampler, seed, whether it ended, and the first objective of its best trial on each side.

    One has ended when all its trials were judged. Its best trial is its winner, or the best so far.
    """
    return pd.DataFrame([_study(judged, place) for place in range(len(judged.tables))], columns=STUDIES)


def _study(judged: Judged, place: int) -> dict[str, Any]:
    study, table = judged.search["studies"][place], judged.tables[place]
    trial_id = _winner(judged, place)
    return {
        SAMPLER: study["sampler"],
        SAMPLER_SEED: study["seed"],
        IS_BASELINE: place >= judged.search["repeats"],
        JUDGED: len(table),
        ENDED: len(table) == judged.search["trials"],
        c.TRIAL_ID: trial_id,
        SEARCH: _value(judged, trial_id, SEARCH),
        HELD_OUT: _value(judged, trial_id, HELD_OUT),
    }


def _winner(judged: Judged, place: int) -> str | None:
    """Return the trial that the study is judged by: its winner, else the best of the first objective so far."""
    for winner in judged.search["winners"]:
        if winner["study"] == place and winner["rank"] == 1:
            return str(winner["trial_id"])
    table = judged.tables[place]
    found = table[table[judged.first] == judged.running_best(table)[-1]] if len(table) else table
    return str(found[c.TRIAL_ID].iloc[0]) if len(found) else None


def _value(judged: Judged, trial_id: str | None, side: str) -> float:
    rows = judged.rows(trial_id, judged.seeds if side == SEARCH else judged.held_out) if trial_id else None
    return np.nan if rows is None else objective(rows, judged.first)


# ------------------------------------------------------------------ by the number of trials


def running_table(judged: Judged, studies: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return the mean running best of each sampler by the number of the proposal, over the studies that ended.

    With the expanded 95 % percentile bootstrap over repeats (Efron 1979; Hesterberg 2015), at each number by itself;
    missing below two repeats, and where some study has no feasible trial yet.
    """
    ended = studies[studies[ENDED].astype(bool)]
    parts = [_running(judged, str(name), rows.index.tolist(), seed) for (_, name), rows in
             ended.groupby([IS_BASELINE, SAMPLER], sort=False)]  # fmt: skip
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=RUNNING)


def _running(judged: Judged, sampler: str, places: list[int], seed: int) -> pd.DataFrame:
    best_NS = np.stack([judged.running_best(judged.tables[place]) for place in places], axis=1)
    best_NS = np.where(np.isfinite(best_NS), best_NS, np.nan)
    weights_SB = draw_weights(len(places), np.random.default_rng(seed))
    low, high = percentile_interval(best_NS @ weights_SB / len(places), len(places))
    numbers = judged.tables[places[0]][NUMBER].to_numpy()
    return pd.DataFrame({SAMPLER: sampler, NUMBER: numbers, MEAN: best_NS.mean(axis=1), LOW: low, HIGH: high})


# ------------------------------------------------------------------ sampler against baseline


def difference_of(judged: Judged, studies: pd.DataFrame) -> Difference | None:
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
