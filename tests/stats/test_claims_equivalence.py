"""Two selections do the same: their shares differ by less than a margin."""

import numpy as np
import pytest
from scipy.stats import norm

from bench.stats.claims import HOLDS, NO_DATA, REFUTED, UNDECIDED

SOLVED, STUCK = [0, 1, 1, 0], [0.5] * 4


@pytest.fixture(scope="module")
def same(check, sides, ended, table):
    """Return the verdict on whether two trials solve it equally often, given which of their seeds do."""

    def verdict(first, second, within=0.05, look=0):
        ends = ([SOLVED if solved else STUCK for solved in flags] for flags in (first, second))
        data = table(*(ended(*one) for one in zip(sides, ends, strict=True)))
        claim = {"than": {}, "event": {"solved": True}, "within": within}
        return check(data, sides[:1], sides[1:], look=look, **claim)[0]

    return verdict


def flags(plus, minus, tied):
    """Return which seeds solve the first and the second of two trials."""
    return [True] * plus + [False] * minus + [True] * tied, [False] * plus + [True] * minus + [True] * tied


def test_what_never_differs_is_the_same_within_a_margin_that_is_wide_enough(same):
    """By hand: of 98 pairs none is won or lost, of either surely less than 1 - 0.025^(1/98), which is 3.69 %."""
    found = same(*flags(0, 0, 98))
    assert found.expected == "the same within 5 points"
    assert found.observed == "+0.0 points [-3.7, +3.7], 98 seeds"
    assert (found.verdict, found.seeds) == (HOLDS, None)
    assert same(*flags(0, 0, 98), within=0.037).verdict == HOLDS
    assert same(*flags(0, 0, 98), within=0.036).verdict == UNDECIDED


def test_what_always_differs_is_not_the_same(same):
    """By hand: surely more than 96.31 % are won and less than 3.69 % lost: 100 - √2 · 3.69 points."""
    found = same(*flags(98, 0, 0))
    assert found.observed == "+100.0 points [+94.8, +100.0], 98 seeds"
    assert found.verdict == REFUTED
    assert same(*flags(98, 0, 0), within=0.94).verdict == REFUTED
    assert same(*flags(98, 0, 0), within=0.95).verdict == UNDECIDED


@pytest.mark.untraced
@pytest.mark.parametrize(
    ("plus", "minus", "tied"), [(20, 20, 158), (40, 20, 138), (20, 60, 118), (3, 0, 20), (1, 1, 0)]
)
def test_a_difference_is_within_a_margin_where_two_one_sided_tests_say_so(same, plus, minus, tied):
    """With a pair added to either side: z of the mean against the margin's ends, each at 2.5 % (Schuirmann 1987)."""
    size = plus + minus + tied + 2
    mean = (plus - minus) / size
    error = np.sqrt(((plus + minus + 2) / size - mean**2) / size)
    for within in (0.02, 0.05, 0.1, 0.2, 0.35, 0.6):
        p_holds = max(norm.sf((mean + within) / error), norm.cdf((mean - within) / error))
        p_refuted = min(norm.sf((mean - within) / error), norm.cdf((mean + within) / error))
        wanted = HOLDS if p_holds < 0.025 else REFUTED if p_refuted < 0.025 else UNDECIDED
        assert same(*flags(plus, minus, tied), within).verdict == wanted


@pytest.mark.untraced
def test_the_other_way_round_it_is_the_same_verdict(same):
    """That two do the same has no direction."""
    for within in (0.03, 0.1, 0.3):
        first, second = flags(30, 10, 60)
        one, other = same(first, second, within), same(second, first, within)
        assert (one.verdict, one.seeds) == (other.verdict, other.seeds)


def test_only_seeds_that_both_have_are_compared(same):
    """A seed of one side alone is in no pair."""
    assert same([True] * 40, [True] * 30).observed.endswith(", 30 seeds")


def test_several_trials_of_a_side_are_one_share_for_each_seed(trial, ended, table, check):
    """Two trials of which one solves are one half, for every seed: fifty points from what always solves."""
    first, other = [trial(hidden=2), trial(hidden=3)], trial(hidden=8)
    data = table(ended(first[0], [SOLVED] * 98), ended(first[1], [STUCK] * 98), ended(other, [SOLVED] * 98))
    (found,) = check(data, first, [other], than={}, event={"solved": True}, within=0.2)
    assert found.observed.startswith("-50.0 points [")
    assert found.observed.endswith(", 98 seeds")
    assert found.verdict == REFUTED


def test_what_was_refused_is_neither_the_same_nor_another(sides, ended, table, check, refused):
    """Where one side was not trained nothing is known."""
    data = table(ended(sides[0], [SOLVED] * 20), refused(sides[1], range(20)))
    (found,) = check(data, sides[:1], sides[1:], than={}, event={"solved": True}, within=0.5)
    assert (found.observed, found.verdict, found.seeds) == (NO_DATA, UNDECIDED, None)


def test_a_failed_training_had_no_event(sides, ended, table, check, failed):
    """It counts, as in any share."""
    data = table(ended(sides[0], [SOLVED] * 98), failed(sides[1], range(98)))
    (found,) = check(data, sides[:1], sides[1:], than={}, event={"solved": True}, within=0.5)
    assert found.verdict == REFUTED


def test_with_about_so_many_seeds_it_is_decided(same):
    """With as many as are named, that differ as often, and not with three quarters of them."""
    found = same(*flags(10, 10, 180), within=0.03)
    assert found.verdict == UNDECIDED
    times = found.seeds / 200
    for part, verdict in ((1.05, HOLDS), (0.75, UNDECIDED)):
        one, tied = round(10 * times * part), round(180 * times * part)
        assert same(*flags(one, one, tied), within=0.03).verdict == verdict


def test_nobody_knows_how_many_seeds_show_a_difference_that_is_the_margin(same):
    """An interval around the margin never leaves it."""
    assert same(*flags(20, 0, 80), within=0.2).seeds is None


def test_at_a_later_look_it_takes_more(same):
    """The bound of a fifth look errs in 0.08 %, not in 2.5 %."""
    assert [same(*flags(0, 0, 98), 0.04, look).verdict for look in (0, 5)] == [HOLDS, UNDECIDED]
