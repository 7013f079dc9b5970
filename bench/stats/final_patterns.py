"""Final patterns: the predictions that trainings end at, by name, and which observations are on the wrong side of 0.5.

Predictions are read in the gate's own terms, whatever a trial makes of its targets: 0 is where a target of 0 is, and 1
where one of 1 is. Where a gate has targets beyond these, as a regression has, there are no sides.

Shapes: T trainings, N observations (of several outputs N * O predictions), U different rows, B draws under the null
hypothesis.
"""

from collections.abc import Iterator
from functools import lru_cache, partial
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.metrics import columns as c
from bench.model.outcome import Result
from bench.model.trial import as_gates_have_it
from bench.stats.paired_tests import holm

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ENDS = {"0": 0.0, "1": 1.0}
FRACTIONS = {"⅓": 1 / 3, "½": 0.5, "⅔": 2 / 3, "¼": 0.25, "¾": 0.75}
END_WIDTH = 0.1
FRACTION_WIDTH = 0.01
OTHER = "·"
MOST_NAMED = 16  # predictions that are named one by one
WRONG, WRONG_OBSERVATION, PATTERN = "wrong", "wrong_observation", "pattern"
NAMES = (*ENDS, *FRACTIONS, OTHER)
FARTHEST = 10_000_000  # hundredths: farther is as far
ZERO = len(NAMES) + FARTHEST  # the code of 0.00


def name_patterns(predictions_TN: Floats, fraction_width: float = FRACTION_WIDTH, *, digits: bool = False) -> Any:
    """Return each training's predictions as a pattern such as ``⅓ 1 ⅓ ⅓``.

    A prediction within 0.1 of 0 or 1 is called that; one within ``fraction_width`` of a simple fraction is called the
    fraction; anything else is a dot, or with ``digits`` its two decimals: then of more than 16 predictions, those in a
    row with one name are counted, as in ``½ ×128``.
    """
    codes_TN = _codes(predictions_TN, fraction_width, digits=digits)
    different_UN, which_T = unique_rows(codes_TN)
    counts = digits and predictions_TN.shape[1] > MOST_NAMED
    names = [" ".join((_runs if counts else partial(map, _word))(row)) for row in different_UN.tolist()]
    return np.array(names, dtype=object)[which_T]


def _runs(codes: list[int]) -> Iterator[str]:
    for code, some in groupby(codes):
        count = len(list(some))
        yield f"{_word(code)} ×{count}" if count > 1 else _word(code)


def _word(code: int) -> str:
    return NAMES[code] if code < len(NAMES) else f"{(code - ZERO) / 100:.2f}"


def _codes(predictions_TN: Floats, fraction_width: float, *, digits: bool) -> Ints:
    """Return the place of each prediction's name among NAMES, or its hundredths from `ZERO`."""
    codes = np.full(predictions_TN.shape, NAMES.index(OTHER))
    if digits:
        codes = ZERO + in_hundredths(np.nan_to_num(predictions_TN))
    for names, width in ((FRACTIONS, fraction_width), (ENDS, END_WIDTH)):  # ends come last: they win
        for name, value in reversed(names.items()):  # and of two that are near, the first
            codes[np.abs(predictions_TN - value) <= width] = NAMES.index(name)
    return codes


def in_hundredths(predictions_TN: Floats) -> Ints:
    """Return predictions as whole hundredths."""
    return np.rint(np.clip(100 * predictions_TN, -FARTHEST, FARTHEST)).astype(np.int64)


def unique_rows(digits_TN: Ints) -> tuple[Ints, Ints]:
    """Return the different rows ``[U, N]`` in ascending order, and which of them each row is ``[T]``.

    Like ``numpy.unique`` along an axis, and faster: only the different rows are sorted.
    """
    rows = pd.DataFrame(digits_TN)
    which_T: Ints = np.asarray(rows.groupby(list(rows)).ngroup(), dtype=np.int64)
    return digits_TN[np.unique(which_T, return_index=True)[1]], which_T


def by_targets(trainings: pd.DataFrame) -> Iterator[tuple[NDArray[np.intp], Floats]]:
    """Yield the places of the trainings of gates with equal targets, and these ``[N]`` or ``[N, O]``."""
    trial_T, _ = pd.factorize(trainings[c.TRIAL_ID])
    _, first = np.unique(trial_T, return_index=True)
    ends = zip(*_scale(trainings.iloc[first]), strict=True)
    targets = [
        as_gates_have_it(np.asarray(some, dtype=np.float64), low, high)
        for some, (low, high) in zip(trainings[c.TARGETS].iloc[first], ends, strict=True)
    ]
    kinds, different = pd.factorize(np.array([some.tobytes() for some in targets], dtype=object))
    kind_T = kinds[trial_T] if len(kinds) else trial_T
    for kind in range(len(different)):
        yield np.flatnonzero(kind_T == kind), targets[int(np.flatnonzero(kinds == kind)[0])]


def ended(trainings: pd.DataFrame) -> NDArray[np.bool_]:
    """Return which trainings have final predictions that are numbers ``[T]``: neither diverged nor never trained."""
    there: NDArray[np.bool_] = (trainings[c.PREDICTIONS].notna() & (trainings[c.OUTCOME] != Result.DIVERGED)).to_numpy()
    return there


def stacked(trainings: pd.DataFrame) -> Floats:
    """Return the final predictions ``[T, N]`` of trainings that have some, of one gate, in the gate's own terms."""
    predictions = trainings[c.PREDICTIONS].to_numpy()
    found = np.concatenate(predictions).reshape(len(predictions), -1).astype(np.float64, copy=False)
    low_T, high_T = _scale(trainings)
    return as_gates_have_it(found, low_T[:, None], high_T[:, None])


def _scale(trainings: pd.DataFrame) -> tuple[Floats, Floats]:
    """Return what targets of 0 and of 1 are in each training ``[T]``."""
    ends = ((c.TARGET_LOW, 0.0), (c.TARGET_HIGH, 1.0))
    low_T, high_T = (
        trainings[name].to_numpy(dtype=np.float64) if name in trainings else np.full(len(trainings), usual)
        for name, usual in ends
    )
    return low_T, high_T


def has_sides(targets: Floats) -> bool:
    """Whether a prediction may be on the wrong side of 0.5: no target is beyond 0 and 1, as in a regression."""
    return bool(((targets >= 0) & (targets <= 1)).all())


def where_they_end(trainings: pd.DataFrame, band: float = 0.0) -> pd.DataFrame:
    """Return how many observations each training has on the wrong side of 0.5, which one if it is one, and its pattern.

    Observations are counted from 1, as the tables do; one is wrong where any of its outputs is. What diverged, has no
    predictions, or has no sides has missing values; which observation it is, is missing too where some prediction is
    within ``band`` of 0.5, on neither side.
    """
    size, ended_T = len(trainings), ended(trainings)
    wrong_T, single_T = np.zeros(size, np.int64), np.zeros(size, np.int64)
    pattern_T, clear_T = np.full(size, None, dtype=object), np.ones(size, dtype=bool)
    sides_T = ended_T.copy()
    for places, targets_N in by_targets(trainings):
        some = places[ended_T[places]]
        if some.size:
            predictions = stacked(trainings.iloc[some])
            wrong = (predictions > 0.5) != (targets_N.ravel() > 0.5)
            wrong = wrong.reshape(len(wrong), len(targets_N), -1).any(axis=2)
            wrong_T[some], single_T[some] = wrong.sum(axis=1), wrong.argmax(axis=1) + 1
            sides_T[some] = has_sides(targets_N)
            clear_T[some] = (np.abs(predictions - 0.5) >= band).all(axis=1)
            pattern_T[some] = name_patterns(predictions)
    columns = {
        WRONG: pd.arrays.IntegerArray(wrong_T, ~sides_T),
        WRONG_OBSERVATION: pd.arrays.IntegerArray(single_T, ~sides_T | (wrong_T != 1) | ~clear_T),
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
