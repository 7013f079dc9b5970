"""Performance profiles: the share of all trainings, over settings and seeds, that had solved it by when.

Shapes: T trainings, K iterations, S seeds.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bench.metrics import columns as c
from bench.metrics.measures import begun, time_to_solution
from bench.stats.factor_levels import levels
from bench.stats.proportions import HIGH, LOW, clustered_interval, tail_at_once
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
    _, seed_T = np.unique(started[c.SEED].to_numpy(), return_inverse=True)
    if started.empty:
        return pd.DataFrame(columns=COLUMNS)
    at_K = np.unique(np.round(np.geomspace(1, float(started[c.ITERATIONS].max()), PLACES)))
    rows = []
    for name in names:
        values = levels(started.drop_duplicates(name), name)
        tail = tail_at_once(len(at_K) * len(values))
        for value in values:
            own_T = (started[name] == value).to_numpy()
            totals_S = np.bincount(seed_T[own_T])
            for at in at_K:
                counts_S = np.bincount(seed_T[own_T], time_T[own_T] <= at)
                ends = clustered_interval(counts_S, totals_S, tail)
                rows.append((name, value, at, counts_S.sum() / totals_S.sum(), *ends))
    return pd.DataFrame(rows, columns=COLUMNS)
