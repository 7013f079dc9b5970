"""When a claim is decided: over seeds that trials share, at several looks, and with how many seeds it would be."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import betainc
from scipy.stats import binom, binomtest

from bench.stats.claims import HOLDS, REFUTED, UNDECIDED

SOLVED, STUCK = [0, 1, 1, 0], [0.5] * 4
SOLVES = {"solved": True}
MOST = 200


@pytest.fixture(scope="module")
def made(trial, ended, table):
    """Return the rows of so many seeds of a trial, of which so many solve it."""
    whole = table(ended(trial(), [SOLVED] * MOST + [STUCK] * MOST))

    def rows(solved, size):
        return whole.iloc[MOST - solved : MOST - solved + size]

    return rows


@pytest.fixture(scope="module")
def verdict(trial, check, made):
    """Return the verdict on a claim about the share that solves it, of so many seeds."""

    def found(solved, size, look=0, **bound):
        (one,) = check(made(solved, size), [trial()], event=SOLVES, look=look, **bound)
        return one

    return found


@pytest.mark.untraced
@pytest.mark.parametrize("size", [7, 60])
def test_a_share_is_above_a_bound_where_the_binomial_test_says_so(verdict, size):
    """It holds, or is refuted, exactly where SciPy's test of the bound has a one-sided p below 2.5 %."""
    for bound in (0.2, 0.9):
        for solved in range(0, size + 1, max(size // 10, 1)):
            p_above, p_below = (binomtest(solved, size, bound, side).pvalue for side in ("greater", "less"))
            above = HOLDS if p_above < 0.025 else REFUTED if p_below < 0.025 else UNDECIDED
            assert verdict(solved, size, above=bound).verdict == above
            below = {HOLDS: REFUTED, REFUTED: HOLDS, UNDECIDED: UNDECIDED}[above]
            assert verdict(solved, size, below=bound).verdict == below


TRIALS = st.lists(st.lists(st.booleans(), min_size=1, max_size=25), min_size=1, max_size=3)


@given(TRIALS, st.floats(0.01, 0.99), st.integers(0, 6))
def test_above_and_below_the_same_bound_are_never_both_true_nor_both_false(
    trial, ended, table, check, some, bound, look
):
    """Whatever came of however many trials: what refutes the one shows the other."""
    trials = [trial(hidden=2 + place) for place in range(len(some))]
    ends = ([SOLVED if solved else STUCK for solved in flags] for flags in some)
    data = table(*(ended(*one) for one in zip(trials, ends, strict=True)))
    (above,), (below,) = (check(data, trials, event=SOLVES, look=look, **{side: bound}) for side in ("above", "below"))
    assert {above.verdict, below.verdict} in ({HOLDS, REFUTED}, {UNDECIDED})


# ------------------------------------------------------------------ trials that share their seeds


def pooled(ended, table, trial, *flags):
    """Return trials, each with which of the same seeds solve it, and their rows."""
    trials = [trial(hidden=2 + place) for place in range(len(flags))]
    ends = ([SOLVED if solved else STUCK for solved in some] for some in flags)
    return trials, table(*(ended(*one) for one in zip(trials, ends, strict=True)))


def interval(count, size):
    """Return the exact interval in words, by SciPy."""
    low, high = binomtest(count, size).proportion_ci(method="exact")
    return f"[{low:.1%}, {high:.1%}]"


def test_trials_that_do_the_same_with_every_seed_are_worth_one(trial, ended, table, check):
    """Eight trials of five seeds are no forty seeds: five of five are not surely more than half."""
    trials, data = pooled(ended, table, trial, *[[True] * 5] * 8)
    (found,) = check(data, trials, event=SOLVES, above=0.5)
    assert found.observed == f"100.0% {interval(5, 5)}, 40 of 40"
    assert found.verdict == UNDECIDED
    assert binomtest(40, 40).pvalue < 1e-10
    trials, data = pooled(ended, table, trial, *[[True] * 29 + [False] * 11] * 2)
    (found,) = check(data, trials, event=SOLVES, above=0.5)
    assert found.observed == f"72.5% {interval(29, 40)}, 58 of 80"


def test_trials_of_which_each_seed_solves_one_are_surer_than_either(trial, ended, table, check):
    """What is lost with one of two is won with the other: of half of all, a single trial knows far less."""
    trials, data = pooled(ended, table, trial, [True, False] * 20, [False, True] * 20)
    assert check(data, trials, event=SOLVES, above=0.45)[0].verdict == HOLDS
    assert check(data, trials[:1], event=SOLVES, above=0.45)[0].verdict == UNDECIDED


def test_never_of_ten_trials_takes_as_many_seeds_as_of_one(trial, ended, table, check):
    """Two hundred trainings from twenty seeds are no 183 seeds."""
    trials, data = pooled(ended, table, trial, *[[False] * 20] * 10)
    (found,) = check(data, trials, event=SOLVES, never=True)
    assert (found.verdict, found.seeds) == (UNDECIDED, 183)


def test_one_value_of_ten_trials_takes_as_many_seeds_as_of_one(trial, ended, table, check):
    """Nor can twenty seeds show that nothing depends on the seed, whatever number of trials has them."""
    trials, data = pooled(ended, table, trial, *[[False] * 20] * 10)
    (found,) = check(data, trials, varies="outcome")
    assert found.verdict == UNDECIDED


# ------------------------------------------------------------------ with how many seeds it would be


def decided(size, share, *ends, error=0.025):
    """Whether a binomial count of this share is beyond each end, by the incomplete beta function."""
    count = share * size
    is_below = [betainc(size - count, count + 1, 1 - end) < error for end in ends]
    is_above = [count > 0 and betainc(count, size - count + 1, end) < error for end in ends]
    return all(low or high for low, high in zip(is_below, is_above, strict=True))


@pytest.mark.parametrize(
    ("solved", "size", "bound", "ends"),
    [
        (12, 20, {"above": 0.5}, [0.5]),
        (12, 20, {"below": 0.7}, [0.7]),
        (21, 40, {"above": 0.55}, [0.55]),
        (22, 40, {"between": [0.4, 0.65]}, [0.4, 0.65]),
        (3, 100, {"below": 0.05}, [0.05]),
        (0, 10, {"below": 0.1}, [0.1]),
        (10, 10, {"above": 0.9}, [0.9]),
        (0, 10, {"never": True}, [0.02]),
        (10, 10, {"always": True}, [0.98]),
    ],
)
def test_the_seeds_that_would_decide_a_share_are_the_fewest(verdict, solved, size, bound, ends):
    """If the share stays what it is; found here by trying one number after the other."""
    found = verdict(solved, size, **bound)
    assert found.verdict == UNDECIDED
    assert found.seeds == next(more for more in range(size, 10**5) if decided(more, solved / size, *ends))


def test_nobody_knows_the_seeds_that_would_decide_a_share_at_its_bound(verdict):
    """An interval around the bound itself never leaves it."""
    assert verdict(10, 20, above=0.5).seeds is None


def test_what_is_decided_needs_no_more_seeds(verdict):
    """Whether it holds or not."""
    assert [verdict(20, 20, above=0.5).seeds, verdict(0, 20, above=0.5).seeds] == [None, None]


def errors(*wanted):
    """Return predictions of XOR that have these errors in every observation."""
    return [[error, 1 - error, 1 - error, error] for error in wanted]


@pytest.mark.untraced
@pytest.mark.parametrize(
    ("wins", "losses", "ties"), [(3, 0, 0), (0, 4, 0), (5, 0, 5), (6, 3, 0), (3, 6, 9), (12, 8, 5)]
)
def test_the_seeds_that_would_decide_a_comparison_are_the_fewest(sides, ended, table, compared, wins, losses, ties):
    """If as many win and tie; where no seed lost, six that differ are enough."""
    ends = errors(*[0.4] * wins, *[0.2] * losses, *[0.3] * ties)
    found = compared(table(ended(sides[0], ends), ended(sides[1], errors(*[0.3] * len(ends)))))
    differing = wins + losses
    enough = next(more for more in range(differing, 10**4) if decided(more, wins / differing, 0.5))
    assert found.verdict == UNDECIDED
    assert found.seeds == math.ceil(enough / differing * len(ends))


def test_at_a_later_look_it_takes_more_seeds(verdict):
    """Its bound is wider, so that the number of seeds there are is never the number that it takes."""
    for look in (0, 1, 3, 6):
        error = 0.025 / (look * (look + 1) or 1)
        found = verdict(29, 40, look, above=0.55)
        if found.verdict == UNDECIDED:
            assert found.seeds == next(n for n in range(40, 10**4) if decided(n, 29 / 40, 0.55, error=error))


@pytest.mark.untraced
def test_the_seeds_that_would_decide_several_trials_are_just_enough(trial, ended, table, check):
    """Of the same kind: what one trial solves every other seed, and another every third."""
    flags = [True, False, True, False, True, False], [True, True, False, True, True, False]

    def verdict(repeats):
        trials, data = pooled(ended, table, trial, *(some * repeats for some in flags))
        return check(data, trials, event=SOLVES, above=0.5)[0]

    found = verdict(7)
    assert found.verdict == UNDECIDED
    enough = -(-found.seeds // 6)
    assert verdict(enough).verdict == HOLDS
    assert verdict(enough - 1).verdict == UNDECIDED


# ------------------------------------------------------------------ at several looks


def test_a_claim_may_be_decided_at_the_only_look_but_not_at_the_fifth(verdict):
    """Whoever looks more often needs more: 29 of 40 against a half errs in 0.3 %, and the fifth look in 0.08 %."""
    p = binom.sf(28, 40, 0.5)
    assert 0.025 / 30 < p < 0.025
    assert [verdict(29, 40, look, above=0.5).verdict for look in (0, 1, 2, 5)] == [HOLDS, HOLDS, HOLDS, UNDECIDED]
    assert [verdict(11, 40, look, above=0.5).verdict for look in (0, 5)] == [REFUTED, UNDECIDED]


@pytest.mark.untraced
def test_the_errors_of_all_looks_together_are_two_and_a_half_percent(verdict):
    """By the fewest seeds without one that solves it that show "below a half", look by look: 2 to the minus that."""
    looks = range(1, 13)
    fewest = [math.floor(math.log2(look * (look + 1) / 0.025)) + 1 for look in looks]
    for look, size in zip(looks, fewest, strict=True):
        assert [verdict(0, n, look, below=0.5).verdict for n in (size - 1, size)] == [UNDECIDED, HOLDS]
    assert sum(0.5**size for size in fewest) <= 0.025
    assert sum(0.025 / (look * (look + 1)) for look in range(1, 10_000)) < 0.025


def chances(verdict, sizes, *, looks):
    """Return how probably a share of exactly one half is ever said to be above it, and ever not to be.

    At any of these numbers of seeds, the first of which that decides it being the last.
    """
    alive, said = np.ones(1), {HOLDS: 0.0, REFUTED: 0.0}
    for look, (before, size) in enumerate(zip([0, *sizes[:-1]], sizes, strict=True), 1):
        alive = np.convolve(alive, binom.pmf(np.arange(size - before + 1), size - before, 0.5))
        for solved in range(size + 1):
            found = verdict(solved, size, look if looks else 0, above=0.5).verdict
            if found != UNDECIDED:
                said[found] += alive[solved]
                alive[solved] = 0
    return said


@pytest.mark.untraced
def test_seeds_may_be_doubled_until_a_claim_is_decided(verdict):
    """Exactly: of sweeps in which neither is true, fewer than 2.5 of 100 ever say so; without the levels more do."""
    sizes = [8, 16, 32, 64]
    assert max(chances(verdict, sizes, looks=True).values()) <= 0.025
    assert min(chances(verdict, sizes, looks=False).values()) > 0.025
