"""Final patterns: the predictions that trainings end at, by name, and which observations are on the wrong side of 0.5.

Shapes: T trainings, N observations, U different rows, B draws under the null hypothesis.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.metrics import columns as c
from bench.model.outcome import Result
from bench.stats.paired_tests import holm

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ENDS = {"0": 0.0, "1": 1.0}
FRACTIONS = {"⅓": 1 / 3, "½": 0.5, "⅔": 2 / 3, "¼": 0.25, "¾": 0.75}
END_WIDTH = 0.1
FRACTION_WIDTH = 0.01
OTHER = "·"
WRONG, WRONG_OBSERVATION, PATTERN = "wrong", "wrong_observation", "pattern"
NAMES = (*ENDS, *FRACTIONS, OTHER)
HUNDREDTHS = tuple(f"{hundredth / 100:.2f}" for hundredth in range(101))


def name_patterns(predictions_TN: Floats, fraction_width: float = FRACTION_WIDTH, *, digits: bool = False) -> Any:
    """Return each training's predictions as a pattern such as ``⅓ 1 ⅓ ⅓``.

    A prediction within 0.1 of 0 or 1 is called that; one within ``fraction_width`` of a simple fraction is called the
    fraction; anything else is a dot, or with ``digits`` its two decimals.
    """
    codes_TN = _codes(predictions_TN, fraction_width, digits=digits)
    different_UN, which_T = unique_rows(codes_TN)
    words = np.array([*NAMES, *HUNDREDTHS], dtype=object)
    return np.array([" ".join(words[row]) for row in different_UN], dtype=object)[which_T]


def _codes(predictions_TN: Floats, fraction_width: float, *, digits: bool) -> Ints:
    """Return the place of each prediction's name among NAMES and HUNDREDTHS."""
    codes = np.full(predictions_TN.shape, NAMES.index(OTHER))
    if digits:
        codes = len(NAMES) + np.rint(100 * np.clip(np.nan_to_num(predictions_TN), 0, 1)).astype(np.int64)
    for names, width in ((FRACTIONS, fraction_width), (ENDS, END_WIDTH)):  # ends come last: they win
        for name, value in reversed(names.items()):  # and of two that are near, the first
            codes[np.abs(predictions_TN - value) <= width] = NAMES.index(name)
    return codes


def unique_rows(digits_TN: Ints) -> tuple[Ints, Ints]:
    """Return the different rows ``[U, N]`` in ascending order, and which of them each row is ``[T]``.

    Like ``numpy.unique`` along an axis, and faster: only the different rows are sorted.
    """
    rows = pd.DataFrame(digits_TN)
    which_T: Ints = np.asarray(rows.groupby(list(rows)).ngroup(), dtype=np.int64)
    return digits_TN[np.unique(which_T, return_index=True)[1]], which_T


def by_targets(trainings: pd.DataFrame) -> Iterator[tuple[NDArray[np.intp], Floats]]:
    """Yield the places of the trainings with equal targets, and these ``[N]``."""
    trial_T, _ = pd.factorize(trainings[c.TRIAL_ID])
    _, first = np.unique(trial_T, return_index=True)
    targets = [np.asarray(some, dtype=np.float64) for some in trainings[c.TARGETS].iloc[first]]
    kinds, different = pd.factorize(np.array([some.tobytes() for some in targets], dtype=object))
    kind_T = kinds[trial_T] if len(kinds) else trial_T
    for kind in range(len(different)):
        yield np.flatnonzero(kind_T == kind), targets[int(np.flatnonzero(kinds == kind)[0])]


def ended(trainings: pd.DataFrame) -> NDArray[np.bool_]:
    """Return which trainings have final predictions that are numbers ``[T]``: neither diverged nor never trained."""
    there: NDArray[np.bool_] = (trainings[c.PREDICTIONS].notna() & (trainings[c.OUTCOME] != Result.DIVERGED)).to_numpy()
    return there


def stacked(trainings: pd.DataFrame) -> Floats:
    """Return the final predictions ``[T, N]`` of trainings that have some, of one gate."""
    predictions = trainings[c.PREDICTIONS].to_numpy()
    return np.concatenate(predictions).reshape(len(predictions), -1).astype(np.float64, copy=False)


def where_they_end(trainings: pd.DataFrame, band: float = 0.0) -> pd.DataFrame:
    """Return how many observations each training has on the wrong side of 0.5, which one if it is one, and its pattern.

    Observations are counted from 1, as the tables do. What diverged, or has no predictions, has missing values; which
    observation it is, is missing too where some prediction is within ``band`` of 0.5, on neither side.
    """
    size, ended_T = len(trainings), ended(trainings)
    wrong_T, single_T = np.zeros(size, np.int64), np.zeros(size, np.int64)
    pattern_T, clear_T = np.full(size, None, dtype=object), np.ones(size, dtype=bool)
    for places, targets_N in by_targets(trainings):
        some = places[ended_T[places]]
        if some.size:
            predictions = stacked(trainings.iloc[some])
            wrong = (predictions > 0.5) != (targets_N > 0.5)
            wrong_T[some], single_T[some] = wrong.sum(axis=1), wrong.argmax(axis=1) + 1
            clear_T[some] = (np.abs(predictions - 0.5) >= band).all(axis=1)
            pattern_T[some] = name_patterns(predictions)
    columns = {
        WRONG: pd.arrays.IntegerArray(wrong_T, ~ended_T),
        WRONG_OBSERVATION: pd.arrays.IntegerArray(single_T, ~ended_T | (wrong_T != 1) | ~clear_T),
        PATTERN: pattern_T,
    }
    return pd.DataFrame(columns, index=trainings.index)


# ------------------------------------------------------------------ uniformity


COUNTS, N, CHI2, P, P_HOLM = "counts", "n", "chi2", "p", "p_holm"
FEWEST_EXPECTED = 5  # below, Pearson's statistic is not chi-square distributed closely enough
UNDECIDED = 0.02  # of 0.5: a prediction that near is on neither side
DRAWS = 9_999
COLUMNS = [c.GATE, c.TRIAL_ID, COUNTS, N, CHI2, P, P_HOLM]


def wrong_observation_test(trainings: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return for each trial whose trainings end with one observation wrong a test of whether each of N is as likely.

    Trainings with a prediction within 0.02 of 0.5 are left out: on which side that ends is of no account.
    ``counts`` ``[N]`` says how often it is each observation. ``p`` is that of Pearson's chi-square test (Pearson 1900)
    of equal shares; from 9,999 multinomial draws (Davison & Hinkley 1997, equation 4.11) where less than 5 are expected
    of each. ``p_holm`` is corrected for all trials of the frame (Holm 1979), which holds however they depend on each
    other by their seeds. ``seed`` is that of the draws.
    """
    read = trainings[[c.GATE, c.TRIAL_ID, c.TARGETS]].assign(
        **{N: where_they_end(trainings, UNDECIDED)[WRONG_OBSERVATION]}
    )
    rows = []
    for (gate, trial_id), some in read.dropna(subset=[N]).groupby([c.GATE, c.TRIAL_ID], observed=True):
        counts_N = np.bincount(some[N].to_numpy(dtype=np.int64) - 1, minlength=len(some[c.TARGETS].iloc[0]))
        rows.append((str(gate), str(trial_id), counts_N, len(some), *uniform_chi_square(counts_N, seed)))
    table = pd.DataFrame(rows, columns=COLUMNS[:-1]).sort_values([c.GATE, c.TRIAL_ID], ignore_index=True)
    return table.assign(**{P_HOLM: holm(table[P].to_numpy(dtype=np.float64))})


def wrong_observation_summary(tested: pd.DataFrame) -> pd.DataFrame:
    """Return a row per gate: counts over its trials, and the ``p_holm`` that none of them favours an observation.

    Trials share their seeds, so that their trainings are not independent and no test may take them together: this is
    the smallest of the trials' p that Holm corrected.
    """
    groups = tested.groupby(c.GATE)
    table = groups.agg(**{COUNTS: (COUNTS, "sum"), N: (N, "sum"), P_HOLM: (P_HOLM, "min")})
    return table.reset_index()


def uniform_chi_square(counts_N: NDArray[np.int64], seed: int) -> tuple[float, float]:
    """Return Pearson's χ² of equal shares and its p: of the chi-square distribution, or drawn where counts are few."""
    from scipy.stats import chisquare  # a quarter of a second

    size, observations = int(counts_N.sum()), len(counts_N)
    if observations == 1:
        return 0.0, 1.0  # there is nothing to choose from
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
