"""How surely: shares of trainings with their intervals."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import norm
from statsmodels.stats.proportion import proportion_confint

from bench.problem.outcome import Result
from bench.tracking import columns as c

CONFIDENCE = 0.95
COUNT, RATE, LOW, HIGH = "trainings", "rate", "low", "high"


def wilson_interval(successes: ArrayLike, trainings: ArrayLike) -> tuple[Any, Any]:
    """Return the ends of Wilson's 95 % score interval (Wilson 1927); 0 and 1 where there are no trainings."""
    with np.errstate(invalid="ignore", divide="ignore"):
        low, high = proportion_confint(successes, trainings, alpha=1 - CONFIDENCE, method="wilson")
    # the formula's ends are 0 and 1 for none and for all; rounding leaves them a hair beside
    low = np.where(np.asarray(successes) == 0, 0.0, np.nan_to_num(low, nan=0.0))
    high = np.where(np.asarray(successes) == np.asarray(trainings), 1.0, np.nan_to_num(high, nan=1.0))
    return low[()], high[()]


def half_width(successes: ArrayLike, trainings: ArrayLike) -> Any:
    """Return half the width of Wilson's 95 % interval; 1/2 where there are no trainings."""
    low, high = wilson_interval(successes, trainings)
    return (high - low) / 2


def seeds_for_half_width(rate: float, half_width: float) -> int:
    """Return the fewest trainings whose Wilson 95 % interval is no wider than ± ``half_width`` at that solved rate.

    Wilson's half-width, z √(n p q + z²/4) / (n + z²) (Wilson 1927), set to h and solved for n:
    n = z² (p q - 2h² + √((p q)² + h² (1 - 4 p q))) / 2h².
    """
    if not (0 <= rate <= 1 and half_width > 0):
        raise ValueError(f"rate {rate!r} and half-width {half_width!r} are not allowed; choose 0 to 1, and above 0")
    z = float(norm.ppf((1 + CONFIDENCE) / 2))
    uneven, h2 = rate * (1 - rate), half_width**2
    root = math.sqrt(uneven**2 + h2 * (1 - 4 * uneven))
    trainings = z**2 * (uneven - 2 * h2 + root) / (2 * h2)
    return max(1, math.ceil(trainings * (1 - 1e-12)))  # a whole number may come out a hair above itself


def solved_rates(trainings: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Return the solved rate of every group with Wilson's interval.

    Diverged and failed trainings count as not solved; unsupported ones were never begun and do not count.
    """
    begun = trainings[trainings[c.OUTCOME] != Result.UNSUPPORTED]
    groups = begun.groupby(list(by), sort=False, observed=True)[c.SOLVED].agg(["size", "sum"])
    low, high = wilson_interval(groups["sum"].to_numpy(), groups["size"].to_numpy())
    rates = pd.DataFrame(
        {COUNT: groups["size"], c.SOLVED: groups["sum"], RATE: groups["sum"] / groups["size"], LOW: low, HIGH: high}
    )
    return rates.reset_index()


def outcome_ledger(trainings: pd.DataFrame) -> pd.DataFrame:
    """Return how many trainings of each trial had each outcome: index trial_id, one column per outcome."""
    counts = pd.crosstab(trainings[c.TRIAL_ID], trainings[c.OUTCOME])
    return counts.reindex(index=trainings[c.TRIAL_ID].unique(), columns=[str(r) for r in Result], fill_value=0)
