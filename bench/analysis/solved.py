"""How surely: shares of trainings with their intervals."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
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
