import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis.paired import paired_difference_interval

PAIRS = st.integers(1, 500).flatmap(
    lambda n: st.integers(0, n).flatmap(lambda plus: st.tuples(st.just(plus), st.integers(0, n - plus), st.just(n)))
)


def test_a_difference_has_the_interval_that_bonett_and_price_give_it():
    """By hand: 20 for, 6 against, 14 tied: 21/42 - 7/42 = 1/3, give or take 1.95996 √((28/42 - 1/9) / 42)."""
    width = 1.959963984540054 * np.sqrt((28 / 42 - 1 / 9) / 42)
    assert paired_difference_interval(20, 6, 40) == pytest.approx((1 / 3 - width, 1 / 3 + width))


@given(PAIRS)
def test_the_interval_has_the_difference_inside(counts):
    """It stays within what a difference of shares can be."""
    plus, minus, pairs = counts
    low, high = paired_difference_interval(plus, minus, pairs)
    assert -1 <= low <= (plus - minus) / pairs <= high <= 1


@given(PAIRS)
def test_the_other_way_round_it_is_the_mirror_image(counts):
    """Neither side is preferred."""
    plus, minus, pairs = counts
    low, high = paired_difference_interval(plus, minus, pairs)
    assert paired_difference_interval(minus, plus, pairs) == pytest.approx((-high, -low))


def test_there_is_no_interval_of_no_pairs():
    """Its ends are missing; those of others in the same array are not."""
    low, high = paired_difference_interval([0, 3], [0, 1], [0, 9])
    assert np.isnan([low[0], high[0]]).all()
    assert (low[1], high[1]) == paired_difference_interval(3, 1, 9)


@pytest.mark.slow
@pytest.mark.parametrize("shares", [(0.3, 0.3), (0.5, 0.2), (0.05, 0.1)])
def test_the_interval_covers_the_truth_nineteen_times_of_twenty(shares):
    """Twenty thousand samples of sixty pairs: at least 94 % of the intervals hold the true difference."""
    rng = np.random.default_rng(3)
    plus, minus, _ = rng.multinomial(60, [*shares, 1 - sum(shares)], 20_000).T
    low, high = paired_difference_interval(plus, minus, 60)
    truth = shares[0] - shares[1]
    assert ((low <= truth) & (truth <= high)).mean() > 0.94
