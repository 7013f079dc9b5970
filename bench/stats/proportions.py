"""Shares of trainings with their confidence intervals, and what became of every training.

Shapes: T trainings, S seeds.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm, t

from bench.metrics import columns as c
from bench.metrics.measures import begun
from bench.model.outcome import Result

CONFIDENCE = 0.95
TAIL = (1 + CONFIDENCE) / 2
Z = float(norm.ppf(TAIL))
COUNT, RATE, LOW, HIGH = "trainings", "rate", "low", "high"
PLANNED, MISSING = "planned", "missing"
OUTCOMES = [str(result) for result in Result]


def wilson_interval(successes: ArrayLike, trainings: ArrayLike) -> tuple[Any, Any]:
    """Return the ends of Wilson's 95 % score interval (Wilson 1927); 0 and 1 where there are no trainings.

    (p + z²/2n ± z √(p q / n + z²/4n²)) / (1 + z²/n), as Brown, Cai & DasGupta (2001, equation 4) write it.
    """
    count, size = (np.asarray(some, dtype=np.float64) for some in (successes, trainings))
    with np.errstate(invalid="ignore", divide="ignore"):
        share, shrink = count / size, 1 + Z**2 / size
        middle = (share + Z**2 / (2 * size)) / shrink
        half = Z * np.sqrt(share * (1 - share) / size + Z**2 / (4 * size**2)) / shrink
        # the formula's ends are 0 and 1 for none and for all; rounding leaves them a hair beside
        low = np.where(count == 0, 0.0, np.maximum(middle - half, 0.0))
        high = np.where(count == size, 1.0, np.minimum(middle + half, 1.0))
    return low[()], high[()]


def half_width(successes: ArrayLike, trainings: ArrayLike) -> Any:
    """Return half the width of Wilson's 95 % interval; 1/2 where there are no trainings."""
    low, high = wilson_interval(successes, trainings)
    return (high - low) / 2


def seeds_for_half_width(rate: float, half_width: float) -> int:
    """Return the fewest trainings whose Wilson 95 % interval is no wider than ± ``half_width`` at that solved rate.

    Wilson's half-width, z √(n p q + z²/4) / (n + z²) (Wilson 1927), set to h and solved for n:
    n = z² (p q - 2h² + √((p q)² + h² (1 - 4 p q))) / 2h². Raises ValueError for a rate or a half-width that cannot be.
    """
    if not (0 <= rate <= 1 and half_width > 0):
        raise ValueError(f"rate {rate!r} and half-width {half_width!r} are not allowed; choose 0 to 1, and above 0")
    uneven, h2 = rate * (1 - rate), half_width**2
    root = math.sqrt(uneven**2 + h2 * (1 - 4 * uneven))
    trainings = Z**2 * (uneven - 2 * h2 + root) / (2 * h2)
    return max(1, math.ceil(trainings * (1 - 1e-12)))  # a whole number may come out a hair above itself


def solved_rates(trainings: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Return the solved rate of every group of trainings with Wilson's interval.

    Diverged and failed trainings count as not solved; unsupported ones were never begun and do not count.
    """
    started = begun(trainings[[c.OUTCOME, *by, c.SOLVED]])
    groups = started.groupby(list(by), sort=False, observed=True)[c.SOLVED].agg(["size", "sum"])
    size, solved = groups["size"], groups["sum"]
    low, high = wilson_interval(solved, size)
    rates = pd.DataFrame({COUNT: size, c.SOLVED: solved, RATE: solved / size, LOW: low, HIGH: high}).reset_index()
    # categories that no group has would stand in a figure's legend
    return rates.astype({name: rates[name].cat.categories.dtype for name in rates.select_dtypes("category")})


def clustered_rate(trainings: pd.DataFrame) -> tuple[float, float, float]:
    """Return the solved rate of several trials together, and its 95 % interval over the seeds that they share.

    See `clustered_interval`; of one trial it is Wilson's. Missing where nothing was begun.
    """
    started = begun(trainings[[c.OUTCOME, c.SEED, c.SOLVED]])
    if started.empty:
        return np.nan, np.nan, np.nan
    clusters = started.groupby(c.SEED)[c.SOLVED].agg(["sum", "size"])
    return float(started[c.SOLVED].mean()), *clustered_interval(clusters["sum"], clusters["size"])


def clustered_interval(counts_S: ArrayLike, totals_S: ArrayLike) -> tuple[float, float]:
    """Return the ends of the 95 % interval of a share of trainings that are clustered by seed; 0 and 1 of nothing.

    Trials share their seeds, so that seeds are drawn and not trainings. The interval of Agresti & Coull (1998),
    p' ± z √(p' q' / n') with n' = n + z² and p' = (x + z²/2) / n', for as many trainings n as they are worth, by
    `effective_size`, as Dean & Pagano (2015) have it for surveys: its middle is that of Wilson's, which near none and
    all is too short (91 % at 0.995 of 100). Where each seed trained once there is nothing to share, and it is Wilson's.
    Events of less than 1 % that come in bursts by seed are held too seldom.
    """
    counts_S, totals_S = (np.asarray(some, dtype=np.float64) for some in (counts_S, totals_S))
    count, size = counts_S.sum(), totals_S.sum()
    if (totals_S <= 1).all():
        low, high = wilson_interval(count, size)
        return float(low), float(high)
    worth = effective_size(counts_S[totals_S > 0], totals_S[totals_S > 0])
    padded = worth + Z**2
    middle = (count / size * worth + Z**2 / 2) / padded
    half = Z * np.sqrt(middle * (1 - middle) / padded)
    # the ends are 0 and 1 for none and for all; rounding may leave them a hair beside
    return float(max(middle - half, 0.0)) if count else 0.0, float(min(middle + half, 1.0)) if count < size else 1.0


def effective_size(counts_S: NDArray[np.float64], totals_S: NDArray[np.float64]) -> float:
    """Return the effective sample size of trainings that are clustered by seed: their number over the design effect.

    The design effect (Kish 1965) is the variance of the ratio estimator of a cluster sample (Cochran 1977, section
    9A.1) over that of a binomial share; Student's t pays for its estimate (Korn & Graubard 1998). It is worth at most
    all trainings, and at least the seeds alone, as where trials all do the same: n² / Σ m² of them, Kish's number for
    seeds with unequally many trainings m. That is taken where none or all count, and nothing can be estimated.
    """
    size, seeds = totals_S.sum(), len(totals_S)
    rate, fewest = counts_S.sum() / size, size**2 / (totals_S**2).sum()
    if rate in (0, 1) or seeds < 2:
        return float(fewest)
    variance = ((counts_S - rate * totals_S) ** 2).sum() * seeds / (seeds - 1) / size**2
    single = rate * (1 - rate) * (Z / t.ppf(TAIL, seeds - 1)) ** 2
    return float(np.clip(single / variance, fewest, size)) if variance * size > single else float(size)


def outcome_ledger(trainings: pd.DataFrame) -> pd.DataFrame:
    """Return how many trainings of each trial had each outcome: index trial_id, one column per outcome."""
    trial_T, names = pd.factorize(trainings[c.TRIAL_ID])
    outcome_T = pd.Categorical(trainings[c.OUTCOME], categories=OUTCOMES).codes.astype(np.int64)
    counts = np.bincount(trial_T * len(OUTCOMES) + outcome_T, minlength=len(names) * len(OUTCOMES))
    index = pd.Index(np.asarray(names), name=c.TRIAL_ID)
    return pd.DataFrame(counts.reshape(len(names), len(OUTCOMES)), index=index, columns=OUTCOMES)


def ledger(trainings: pd.DataFrame, planned: Mapping[str, int] | pd.Series) -> pd.DataFrame:
    """Return what became of every planned training: index trial_id, in the plan's order, without a training left over.

    ``planned`` says how many trainings each trial has; those without a row yet are ``missing``, so that in every row
    ``planned`` is the sum of all the others. Raises ValueError where there are more trainings than planned.
    """
    plan = pd.Series(planned, name=PLANNED, dtype=np.int64).rename_axis(c.TRIAL_ID)
    counts = outcome_ledger(trainings)
    done, allowed = counts.sum(axis=1), plan.reindex(counts.index, fill_value=0)
    if (done > allowed).any():
        wrong = [f"{name} has {done[name]}, planned {allowed[name]}" for name in counts.index[done > allowed]]
        raise ValueError(f"more trainings than planned: {'; '.join(wrong)}")
    counts = counts.reindex(plan.index, fill_value=0)
    return pd.concat([plan, counts, (plan - counts.sum(axis=1)).rename(MISSING)], axis=1)
