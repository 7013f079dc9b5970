"""Who shares luck with whom."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import fisher_exact

from bench.metrics import columns as c
from bench.stats.proportions import HIGH, LOW, exact_interval
from bench.stats.shared_luck import (
    AGREEMENT,
    COLUMNS,
    CORRELATION,
    EXPECTED,
    ONE_ID,
    OTHER_ID,
    P_HOLM,
    PAIRS,
    shared_luck,
    together,
)

SOLVED, STUCK = [0.0, 1.0, 1.0, 0.0], [0.5] * 4
FATES = st.integers(3, 12).flatmap(
    lambda size: st.lists(st.lists(st.booleans(), min_size=size, max_size=size), min_size=2, max_size=3)
)


@pytest.fixture(scope="module")
def fates(trial, ended, table):
    """Return the trainings of trials that differ in their loss and solve it from these seeds."""

    def made(*flags, seeds=None, **of):
        trials = [trial(loss=loss, **of) for loss in ("mse", "bce", "l1")[: len(flags)]]
        numbers = seeds or [range(len(some)) for some in flags]
        ends = [[SOLVED if one else STUCK for one in some] for some in flags]
        return table(*(ended(one, end, seeds=own) for one, end, own in zip(trials, ends, numbers, strict=True)))

    return made


def test_fates_of_ten_starts_counted_by_hand(fates):
    """Both solve four, neither three, each alone one or two: seven of ten agree, where 0.5 · 0.6 + 0.5 · 0.4 would."""
    found = shared_luck(fates([1] * 4 + [0] * 3 + [1] + [0] * 2, [1] * 4 + [0] * 3 + [0] + [1] * 2)).iloc[0]
    assert (found[PAIRS], found[AGREEMENT], found[EXPECTED]) == (10, pytest.approx(0.7), pytest.approx(0.5))
    assert found[CORRELATION] == pytest.approx((0.4 - 0.3) / np.sqrt(0.25 * 0.24))
    assert (found[LOW], found[HIGH]) == pytest.approx(exact_interval(7, 10))


@given(FATES)
def test_it_is_the_correlation_of_numpy_and_fishers_test_of_scipy(fates, flags):
    """For any fates; twice the smaller tail, and Holm's correction takes the smallest p times the number of pairs."""
    data = fates(*flags)
    found = shared_luck(data)
    own = data.groupby(c.TRIAL_ID, observed=True)[c.SOLVED].agg(list)
    mixed = [some for some in own if 0 < sum(some) < len(some)]
    assert len(found) == len(mixed) * (len(mixed) - 1) // 2
    smallest = 1.0
    for row in found.to_dict("records"):
        one, other = (np.array(own[row[side]], dtype=float) for side in (ONE_ID, OTHER_ID))
        assert row[CORRELATION] == pytest.approx(np.corrcoef(one, other)[0, 1])
        assert row[AGREEMENT] == pytest.approx((one == other).mean())
        counts = [
            [(one * other).sum(), (one * (1 - other)).sum()],
            [((1 - one) * other).sum(), ((1 - one) * (1 - other)).sum()],
        ]
        tails = [fisher_exact(np.array(counts, dtype=int), alternative=side).pvalue for side in ("less", "greater")]
        smallest = min(smallest, 2 * min(tails))
    if len(found):
        assert found[P_HOLM].min() == pytest.approx(min(smallest * len(found), 1))


def test_only_trials_that_start_from_the_same_weights_are_compared(fates):
    """The same seed draws other weights for another number of neurons."""
    flags = [1, 0, 1, 0], [1, 1, 0, 0]
    found = shared_luck(pd.concat([fates(*flags, hidden=2), fates(*flags, hidden=3)]))
    assert len(found) == 2
    assert found["starts"].nunique() == 2


def test_only_seeds_that_both_have_are_compared(fates):
    """Three of each, two in common; where there are none, there is no pair."""
    some = fates([1, 0, 1], [0, 1, 0], seeds=[range(3), range(1, 4)])
    assert shared_luck(some)[PAIRS].tolist() == [2]
    assert shared_luck(fates([1, 0, 1], [0, 1, 0], seeds=[range(3), range(3, 6)])).empty


def test_without_luck_there_is_none_to_share(fates):
    """Where all or none solve it, or one trial is alone, the table is empty and has its columns."""
    for flags in ([[1, 1, 1], [0, 1, 0]], [[0, 0, 0], [0, 1, 0]], [[0, 1, 0]]):
        found = shared_luck(fates(*flags))
        assert found.empty
        assert list(found) == COLUMNS


def test_those_whose_luck_goes_together_are_neighbours():
    """Two pairs, given crosswise, each come to stand side by side."""
    matrix = np.array([[1, 0, 0.9, 0.1], [0, 1, 0.1, 0.8], [0.9, 0.1, 1, 0], [0.1, 0.8, 0, 1]])
    order = together(matrix).tolist()
    assert {frozenset(order[:2]), frozenset(order[2:])} == {frozenset({0, 2}), frozenset({1, 3})}
    assert together(np.eye(2)).tolist() == [0, 1]
    assert sorted(together(np.full((3, 3), 1 + 1e-15)).tolist()) == [0, 1, 2]
