"""Which observation a training gets wrong when it is one: whether every one is as likely.

Shapes: N observations, B draws under the null hypothesis.
"""

from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import chisquare

from bench.analysis.endings import WRONG_OBSERVATION, where_they_end
from bench.analysis.paired import holm
from bench.tracking import columns as c

COUNTS, N, CHI2, P, P_HOLM = "counts", "n", "chi2", "p", "p_holm"
FEWEST_EXPECTED = 5  # below, Pearson's statistic is not chi-square distributed closely enough
DRAWS = 9_999
COLUMNS = [c.GATE, c.TRIAL_ID, COUNTS, N, CHI2, P, P_HOLM]


def wrong_observation_test(trainings: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return a row per trial with trainings that end with one observation wrong: whether each of the N is as likely.

    ``counts`` ``[N]`` says how often it is each observation. ``p`` is that of Pearson's chi-square test (Pearson 1900)
    of equal shares; from 9,999 multinomial draws (Davison & Hinkley 1997, equation 4.11) where less than 5 are expected
    of each. ``p_holm`` is corrected for all trials of the frame (Holm 1979), which holds however they depend on each
    other by their seeds. ``seed`` is that of the draws.
    """
    ones = where_they_end(trainings)[WRONG_OBSERVATION]
    rows = trainings.loc[ones.notna().to_numpy(), [c.GATE, c.TRIAL_ID, c.TARGETS]]
    places = ones.dropna().to_numpy(dtype=np.int64) - 1
    if rows.empty:
        return pd.DataFrame(columns=COLUMNS)
    groups = rows.groupby([c.GATE, c.TRIAL_ID], observed=True).indices
    tested = [_tested(rows.iloc[some], places[some], seed) for some in groups.values()]
    table = pd.DataFrame(tested).sort_values([c.GATE, c.TRIAL_ID], ignore_index=True)
    return table.assign(**{P_HOLM: holm(table[P].to_numpy())})[COLUMNS]


def wrong_observation_summary(tested: pd.DataFrame) -> pd.DataFrame:
    """Return a row per gate: counts over its trials, and the ``p_holm`` that none of them favours an observation.

    Trials share their seeds, so that their trainings are not independent and no test may take them together: this is
    the smallest of the trials' p that Holm corrected.
    """
    groups = tested.groupby(c.GATE)
    table = groups.agg(**{COUNTS: (COUNTS, "sum"), N: (N, "sum"), P_HOLM: (P_HOLM, "min")})
    return table.reset_index()


def _tested(rows: pd.DataFrame, places: NDArray[np.int64], seed: int) -> dict[str, Any]:
    first = rows.iloc[0]
    counts = np.bincount(places, minlength=len(first[c.TARGETS]))
    chi2, p = uniform_chi_square(counts, seed) if len(counts) > 1 else (0.0, 1.0)  # nothing to choose from
    names = {name: str(first[name]) for name in (c.GATE, c.TRIAL_ID)}
    return {**names, COUNTS: counts, N: len(places), CHI2: chi2, P: p}


def uniform_chi_square(counts_N: NDArray[np.int64], seed: int) -> tuple[float, float]:
    """Return Pearson's statistic of equal shares and its p: of the chi-square distribution, or drawn where few are."""
    size, observations = int(counts_N.sum()), len(counts_N)
    found = chisquare(counts_N)
    if size >= FEWEST_EXPECTED * observations:
        return float(found.statistic), float(found.pvalue)
    squares_B = _null_squares(size, observations, seed)
    return float(found.statistic), float(1 + (squares_B >= (counts_N**2).sum()).sum()) / (1 + len(squares_B))


@lru_cache(maxsize=64)
def _null_squares(size: int, observations: int, seed: int) -> NDArray[np.int64]:
    """Return sums of squared counts ``[B]`` under equal shares: they order as Pearson's statistic, in whole numbers."""
    # a stream of its own for each size: a trial's p does not depend on which others there are
    rng = np.random.default_rng([seed, size, observations])
    drawn: NDArray[np.int64] = (rng.multinomial(size, np.full(observations, 1 / observations), DRAWS) ** 2).sum(axis=1)
    return drawn
