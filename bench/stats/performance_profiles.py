"""Performance profiles: the share of all trainings, over settings and seeds, that had solved it by when.

Shapes: T trainings, K iterations, S seeds.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.metrics import columns as c
from bench.metrics.measures import begun, time_to_solution
from bench.stats.factor_levels import levels
from bench.stats.proportions import HIGH, LOW, clustered_interval, tail_together
from bench.stats.sensitivity import PARAMETER, VALUE

AT, SHARE = "at", "share"
PLACES = 24  # of a profile
COLUMNS = [PARAMETER, VALUE, AT, SHARE, LOW, HIGH]


def performance_profiles(trainings: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return the performance profile (Agarwal et al. 2021) of each value of each parameter, over all else that varied.

    The run-score distribution: the share of trainings whose time to solution is at most ``at``, a row per place; a step
    function that can only rise, and between two places lies between their shares. Its 95 % band holds at all places
    and for all values of a parameter at once: the interval over the seeds that trials share (`clustered_interval`), at
    each of so many places that are chosen before anything is seen. Not for budgets, whose values have no common end.
    """
    started = begun(trainings)
    time_T = time_to_solution(started)
    names_S, seed_T = np.unique(started[c.SEED].to_numpy(), return_inverse=True)
    seeds = len(names_S)
    if started.empty:
        return pd.DataFrame(columns=COLUMNS)
    at_K = np.unique(np.round(np.geomspace(1, float(started[c.ITERATIONS].max()), PLACES)))
    rows = []
    for name in names:
        values = levels(started.drop_duplicates(name), name)
        profiles = []
        for value in values:
            own_T = (started[name] == value).to_numpy()
            counts_SK = np.stack([np.bincount(seed_T[own_T], time_T[own_T] <= at, seeds) for at in at_K], axis=1)
            profiles.append((counts_SK, np.bincount(seed_T[own_T], minlength=seeds)))
        tail = profile_tail(profiles)
        for value, (counts_SK, totals_S) in zip(values, profiles, strict=True):
            for at, counts_S in zip(at_K, counts_SK.T, strict=True):
                ends = clustered_interval(counts_S, totals_S, tail)
                rows.append((name, value, at, counts_S.sum() / totals_S.sum(), *ends))
    return pd.DataFrame(rows, columns=COLUMNS)


def profile_tail(profiles: Sequence[tuple[NDArray[Any], NDArray[Any]]]) -> float:
    """Return the tail of intervals of several profiles: of each, by seed, what it counts ``[S, K]`` and of how many."""
    shares = [(counts_SK, totals_S, counts_SK.sum(axis=0) / totals_S.sum()) for counts_SK, totals_S in profiles]
    return tail_together([np.hstack([counts - np.outer(totals, share) for counts, totals, share in shares])])
