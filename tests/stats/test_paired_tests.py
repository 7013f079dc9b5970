import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest, multinomial, t
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from bench.stats.paired_tests import holm, mcnemar_p, paired_difference_interval, pooled_difference, seeds_needed

APPROVED = (1600, 150, 86)  # Agresti 2002, table 10.1: 794 approved twice, 150 then only, 86 later only, 570 never
COUNTS = st.tuples(st.integers(0, 300), st.integers(0, 300), st.integers(0, 300)).filter(lambda some: sum(some) > 0)


def test_the_approval_ratings_change_as_agresti_says():
    """944 less 880 of 1600 approve: 4 points, from 0.02 to 0.06, as printed."""
    low, high = paired_difference_interval(*APPROVED[1:], APPROVED[0])
    assert ((150 - 86) / 1600, float(low), float(high)) == pytest.approx((0.04, 0.02, 0.06), abs=0.005)


def test_mcnemars_p_of_the_approval_ratings_is_the_published_one():
    """Agresti's z is 4.17, with p below 0.0001; the exact p is that of statsmodels."""
    expected = mcnemar([[794, 150], [86, 570]], exact=True).pvalue
    assert mcnemar_p(150, 86) == pytest.approx(expected, rel=1e-12)
    assert mcnemar_p(150, 86) < 0.0001


@given(COUNTS)
def test_mcnemars_p_is_the_binomial_tests(counts):
    """SciPy's test of a fair coin on the discordant pairs gives the same; without any, nothing is seen."""
    one, other, _ = counts
    expected = binomtest(one, one + other).pvalue if one + other else 1.0
    assert mcnemar_p(one, other) == pytest.approx(expected, rel=1e-9)


def test_there_is_no_interval_of_no_pairs():
    """Its ends are missing; those of others in the same array are not."""
    low, high = paired_difference_interval([0, 3], [0, 1], [0, 9])
    assert np.isnan([low[0], high[0]]).all()
    assert (low[1], high[1]) == paired_difference_interval(3, 1, 9)


def test_bonett_and_prices_interval_worked_by_hand():
    """20 pairs, 5 and 1 discordant: 6/22 and 2/22, 4/22 ± 1.96 sqrt((8/22 - (4/22)²) / 22)."""
    half = 1.959964 * np.sqrt((8 / 22 - (4 / 22) ** 2) / 22)
    assert paired_difference_interval(5, 1, 20) == pytest.approx((4 / 22 - half, 4 / 22 + half), abs=1e-6)


@given(COUNTS)
def test_the_interval_holds_the_difference_and_stays_within_its_range(counts):
    """However few the pairs."""
    one, other, same = counts
    low, high = paired_difference_interval(one, other, sum(counts))
    assert -1 <= low <= (one - other) / (one + other + same) <= high <= 1


# ------------------------------------------------------------------ pairs that share seeds


def bonett_price(plus, minus, pairs):
    """Return Bonett and Price's interval by its formula: a pair is added to either side."""
    one, other, size = (plus + 1) / (pairs + 2), (minus + 1) / (pairs + 2), pairs + 2
    half = 1.959964 * np.sqrt((one + other - (one - other) ** 2) / size)
    return one - other - half, one - other + half


def test_a_pooled_difference_worked_by_hand():
    """Thirty seeds with four pairs each: ten come to +3 (three for, none against), twenty to +1 (two and one).

    50 of 120 more: 70 for, 20 against. Residuals 3 - 5/3 and 1 - 5/3: squares 10 16/9 + 20 4/9 = 26.7; the variance of
    the mean is 26.7 30/29 / 120², that of one pair 90/120 - (50/120)²: worth more than 120 pairs, which are all.
    """
    plus, minus = np.array([3.0] * 10 + [2] * 20), np.array([0.0] * 10 + [1] * 20)
    single = (90 / 120 - (50 / 120) ** 2) * (1.959964 / 2.045230) ** 2
    assert single / ((10 * 16 / 9 + 20 * 4 / 9) * 30 / 29 / 120**2) > 120
    found = pooled_difference(plus, minus, np.full(30, 4.0))
    assert found == pytest.approx((50 / 120, *bonett_price(70, 20, 120)))


def test_pairs_that_share_seeds_are_worth_between_seeds_and_pairs():
    """Thirty seeds with four pairs each: half come to +2 and half to -1, of which it takes 60 and 15 in all.

    30 for and 15 against of 120: a mean of 1/8. Residuals 3/2 and -3/2: squares 30 9/4 = 67.5. They are worth
    (45/120 - 1/64) / (67.5 30/29 / 120²) (1.96 / 2.045)² = 68 pairs.
    """
    plus, minus = np.array([2.0, 0] * 15), np.array([0.0, 1] * 15)
    worth = (45 / 120 - 1 / 64) / (67.5 * 30 / 29 / 120**2) * (1.959964 / 2.045230) ** 2
    assert worth == pytest.approx(68, abs=0.5)
    found = pooled_difference(plus, minus, np.full(30, 4.0))
    assert found == pytest.approx((1 / 8, *bonett_price(worth / 4, worth / 8, worth)), rel=1e-5)


@given(st.lists(st.sampled_from([(1, 0), (0, 1), (0, 0)]), min_size=2, max_size=60), st.integers(1, 5))
def test_copies_of_a_comparison_know_no_more_than_one(pairs, copies):
    """Of seeds with a pair each it is the interval of these pairs, and so it is of several that do the same."""
    plus, minus = np.array(pairs, dtype=float).T * copies
    expected = bonett_price(plus.sum() / copies, minus.sum() / copies, len(pairs))
    found = pooled_difference(plus, minus, np.full(len(pairs), float(copies)))
    assert found == pytest.approx((np.mean(plus - minus) / copies, *np.clip(expected, -1, 1)), abs=1e-6)


def test_another_tail_widens_the_interval_and_lowers_what_pairs_are_worth():
    """With 1.25 % beside each end, z is 2.2414 and Student's t of 29 is 2.3638; as by hand above."""
    plus, minus = np.array([2.0, 0] * 15), np.array([0.0, 1] * 15)
    worth = (45 / 120 - 1 / 64) / (67.5 * 30 / 29 / 120**2) * (2.241403 / t.ppf(0.9875, 29)) ** 2
    one, other, size = worth / 4 + 1, worth / 8 + 1, worth + 2
    half = 2.241403 * np.sqrt(((one + other) / size - ((one - other) / size) ** 2) / size)
    expected = (1 / 8, (one - other) / size - half, (one - other) / size + half)
    assert pooled_difference(plus, minus, np.full(30, 4.0), tail=0.9875) == pytest.approx(expected, rel=1e-5)


def test_seeds_without_a_pair_are_none():
    """They neither count nor vary."""
    plus, minus, pairs = np.array([2.0, 0, 1, 1]), np.array([0.0, 1, 0, 0]), np.array([2.0, 2, 2, 1])
    with_others = (np.append(some, [0.0, 0.0]) for some in (plus, minus, pairs))
    assert pooled_difference(*with_others) == pooled_difference(plus, minus, pairs)


# ------------------------------------------------------------------ both ways


@given(COUNTS)
def test_swapping_the_trials_mirrors_everything(counts):
    """The order of two trials is no information."""
    one, other, _ = counts
    low, high = paired_difference_interval(one, other, sum(counts))
    assert paired_difference_interval(other, one, sum(counts)) == pytest.approx((-high, -low))
    assert mcnemar_p(one, other) == mcnemar_p(other, one)
    np.testing.assert_equal(seeds_needed(sum(counts), one, other), seeds_needed(sum(counts), other, one))


def test_holms_adjustment_worked_by_hand():
    """Of 0.01, 0.04, 0.03 the least is taken three times, the next twice, and the last is not below that."""
    assert holm(np.array([0.01, 0.04, 0.03])) == pytest.approx([0.03, 0.06, 0.06])
    assert len(holm(np.array([]))) == 0


@settings(max_examples=5)
@given(st.lists(st.integers(0, 1000), min_size=1, max_size=30))
def test_holms_adjustment_never_lowers_p_and_is_statsmodels(values):
    """Every p is at least its own, and at most Bonferroni's."""
    p = np.array(values) / 1000
    adjusted = holm(p)
    assert (adjusted >= p).all()
    assert (adjusted <= np.minimum(len(p) * p, 1) + 1e-12).all()
    assert adjusted == pytest.approx(multipletests(p, method="holm")[1])


def test_seeds_needed_worked_by_hand():
    """85 % speak for one and none for the other: 6 of a kind are significant, 2/64 = 0.03, and 5 are not, 2/32 = 0.06.

    Of seven seeds 6 or 7 are discordant with 7 0.85⁶ 0.15 + 0.85⁷ = 0.717, of eight 6 or more with 0.895.
    """
    assert (mcnemar_p(6, 0), mcnemar_p(5, 0)) == (2 / 64, 2 / 32)
    assert seeds_needed(20, 17, 0) == 8


def exact_power(size, more, fewer):
    """Return the power of the exact test, summed over every outcome of so many pairs that its p rejects."""
    one, other = (counts.ravel() for counts in np.indices((size + 1, size + 1)))
    rejected = (one + other <= size) & (mcnemar_p(one, other) <= 0.05)
    chances = [more, fewer, max(1 - more - fewer, 0.0)]  # rounding may leave less than nothing
    counts = np.stack([one, other, size - one - other], axis=1)[rejected]
    return multinomial.pmf(counts, size, chances).sum()


@settings(max_examples=15, deadline=None)
@given(COUNTS.filter(lambda some: some[0] - some[1] >= 0.2 * sum(some) and some[0] + some[1] >= 5))
def test_so_many_seeds_and_no_fewer_have_the_power(counts):
    """Summed over all outcomes of so many pairs the power is 80 %, and with one pair fewer it is not."""
    more, fewer = (np.array(counts[:2]) / sum(counts)).tolist()
    needed = int(seeds_needed(sum(counts), *counts[:2]))
    assert exact_power(needed, more, fewer) >= 0.8 - 1e-9
    assert exact_power(needed - 1, more, fewer) < 0.8 + 1e-9


@pytest.fixture(scope="module")
def limits():
    """For 0 to 199 discordant pairs, how few may favour one side where the test still tells the sides apart."""
    few = [np.arange((discordant + 1) // 2) for discordant in range(200)]
    return [some[mcnemar_p(some, d - some) <= 0.05].max(initial=-1) for d, some in enumerate(few)]


@pytest.mark.untraced
@pytest.mark.parametrize(("pairs", "one"), [(27, 22), (55, 34), (200, 163), (10, 10), (31, 28)])
def test_the_first_number_of_seeds_that_suffices_is_found_where_all_pairs_are_discordant(limits, pairs, one):
    """The power then goes up and down like a saw: no smaller number has it."""
    powers = [binom.cdf(k, d, one / pairs) + binom.sf(d - k - 1, d, one / pairs) for d, k in enumerate(limits)]
    assert seeds_needed(pairs, one, pairs - one) == next(d for d, power in enumerate(powers) if power >= 0.8)


def test_no_difference_needs_endless_seeds():
    """What is equal is never told apart."""
    assert np.isinf(seeds_needed([10, 10], [0, 3], [0, 3])).all()


def test_seeds_that_are_needed_cannot_be_known_from_four_discordant_pairs():
    """Four are too few to build on, five are not; each of many has its own number."""
    found = seeds_needed([100, 100, 100], [3, 4, 4], [1, 0, 1])
    assert np.isnan(found[:2]).all()
    assert np.isfinite(found[2])


def test_of_no_comparisons_no_seeds_are_needed():
    """An empty table has an empty column."""
    assert seeds_needed([], [], []).shape == (0,)


@pytest.mark.parametrize(("pairs", "one", "other"), [(20_000, 60, 40), (1000, 280, 260), (5000, 1000, 950)])
def test_beyond_ten_thousand_seeds_a_formula_takes_over(pairs, one, other):
    """n/4 (1 + √(1 + 4 / nδ))², of Miettinen's n (1968): about 1/δ pairs more, since one pair more or less counts."""
    difference, discordant = (one - other) / pairs, (one + other) / pairs
    size = (1.959964 * np.sqrt(discordant) + 0.841621 * np.sqrt(discordant - difference**2)) ** 2 / difference**2
    assert seeds_needed(pairs, one, other) > 10_000
    assert seeds_needed(pairs, one, other) == pytest.approx(size + 2 / difference, rel=0.001)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("one", "other"), [(0.2, 0.1), (0.15, 0.05), (0.3, 0.2), (0.1, 0.07), (0.05, 0), (0.85, 0), (0.9, 0.1), (0.6, 0.4)]
)
def test_so_many_seeds_have_the_power_that_was_promised(one, other):
    """Over 100,000 sweeps of as many seeds McNemar's exact test finds it in 80 %, and in not many more."""
    rng = np.random.default_rng(0)
    needed = int(seeds_needed(10_000, round(one * 10_000), round(other * 10_000)))
    only_one, only_other, _ = rng.multinomial(needed, [one, other, max(1 - one - other, 0)], size=100_000).T
    power = (mcnemar_p(only_one, only_other) <= 0.05).mean()
    assert power >= 0.8 - 0.004  # three standard errors
    assert power <= 0.83 or needed < 20


SAMPLED = [(50, 0.2, 0.1), (200, 0.3, 0.05), (1000, 0.02, 0.01), (30, 0.4, 0.4)]


@pytest.mark.slow
@pytest.mark.parametrize(("size", "one", "other"), SAMPLED)
def test_the_interval_of_a_paired_difference_covers_the_truth(size, one, other):
    """Over 20,000 samples in 93 to 97 %."""
    counts = np.random.default_rng(1).multinomial(size, [one, other, 1 - one - other], size=20_000).T
    low, high = paired_difference_interval(counts[0], counts[1], size)
    assert 0.93 < ((low <= one - other) & (one - other <= high)).mean() < 0.98
