"""Bounds of shares whose trainings are clustered by seed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.stats.bounded_means import share_bounds
from bench.stats.proportions import exact_interval

COUNTS = st.lists(st.integers(0, 4), min_size=1, max_size=30)


@given(st.integers(1, 400), st.floats(0, 1), st.sampled_from((0.975, 0.9999)))
def test_it_is_the_exact_bound_where_all_trainings_of_a_seed_do_the_same(seeds, share, tail):
    """Quantiles of beta distributions, which the integral finds to six digits."""
    solved = round(share * seeds)
    found = share_bounds([3] * solved + [0] * (seeds - solved), [3] * seeds, tail)
    assert found == pytest.approx(exact_interval(solved, seeds, tail), abs=1e-6)


def test_it_is_the_quantile_of_the_bayesian_bootstrap_with_one_more_seed():
    """Two hundred thousand draws of it, as an oracle."""
    rng = np.random.default_rng(0)
    counts_S, totals_S = rng.binomial(8, 0.9, 40), np.full(40, 8)
    weight = rng.exponential(size=(200_000, 41))
    shares = weight @ np.append(counts_S, 8) / (weight @ np.append(totals_S, 8))
    assert share_bounds(counts_S, totals_S)[1] == pytest.approx(np.quantile(shares, 0.975), abs=2e-4)


@given(COUNTS, st.floats(0.9, 0.9999))
def test_bounds_hold_the_share_and_are_mirrored(counts, tail):
    """What succeeds and what fails have the same bounds from the other end."""
    counts_S, totals_S = np.array(counts), np.full(len(counts), 4)
    low, high = share_bounds(counts_S, totals_S, tail)
    assert 0 <= low <= counts_S.sum() / totals_S.sum() <= high <= 1
    assert share_bounds(totals_S - counts_S, totals_S, tail) == pytest.approx((1 - high, 1 - low), abs=1e-6)


def test_seeds_with_more_trainings_weigh_more_and_those_with_none_nothing():
    """Twice as many trainings, all of which succeed, raise both ends."""
    even, uneven = share_bounds([1, 1, 0, 1], [2] * 4), share_bounds([1, 4, 0, 1], [2, 4, 2, 2])
    assert even[0] < uneven[0]
    assert even[1] < uneven[1]
    assert share_bounds([1, 1, 0, 1, 0], [2, 2, 2, 2, 0]) == even
    assert share_bounds([0, 0], [0, 0]) == (0.0, 1.0)


def test_more_seeds_of_the_same_kind_bring_bounds_together():
    """Twice as many are as if each had come twice."""
    counts, totals = [0, 1, 2, 2], [2, 2, 2, 2]
    assert share_bounds(counts, totals, seeds=8) == pytest.approx(share_bounds(counts * 2, totals * 2))
    low, high = share_bounds(counts, totals, seeds=1_000_000)
    assert low == pytest.approx(0.625, abs=1e-3)
    assert high == pytest.approx(0.625, abs=1e-3)
