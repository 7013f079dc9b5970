import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, quantile_test, t
from statsmodels.stats.proportion import proportion_confint

from bench.metrics import columns as c
from bench.model.outcome import Record, Result
from bench.stats.proportions import (
    COUNT,
    HIGH,
    LOW,
    MISSING,
    PLANNED,
    RATE,
    TAIL,
    clustered_interval,
    clustered_rate,
    effective_size,
    exact_interval,
    half_width,
    ledger,
    median_place,
    outcome_ledger,
    seeds_for_half_width,
    solved_rates,
    tail_at_once,
    tail_together,
)

RATES = st.floats(0, 1, allow_subnormal=False)
COUNTS = st.integers(1, 5000).flatmap(lambda size: st.tuples(st.integers(0, size), st.just(size)))
OUTCOMES = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c"]), st.sampled_from([str(result) for result in Result])), min_size=1
)

SOLVED, STUCK, DIVERGED = [0, 1, 1, 0], [0.5] * 4, [np.nan] * 4


def frame_of(outcomes):
    """Return a frame of trainings of which only the trial and the outcome are known."""
    data = pd.DataFrame(outcomes, columns=[c.TRIAL_ID, c.OUTCOME])
    return data.assign(**{c.SOLVED: data[c.OUTCOME] == Result.SOLVED})


# ------------------------------------------------------------------ the interval


@given(COUNTS)
def test_the_interval_is_scipys(counts):
    """Two independent implementations of Clopper and Pearson's interval agree."""
    count, size = counts
    expected = binomtest(count, size).proportion_ci(0.95, method="exact")
    assert exact_interval(count, size) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize(
    ("count", "size", "low", "high"),
    [(81, 263, 0.2527, 0.3676), (15, 148, 0.0578, 0.1617), (0, 20, 0.0000, 0.1684), (1, 29, 0.0009, 0.1776)],
)
def test_the_interval_is_the_published_one(count, size, low, high):
    """Newcombe (1998), table I, method 5, prints these to four digits."""
    assert exact_interval(count, size) == pytest.approx((low, high), abs=0.00005)


@pytest.mark.untraced
@pytest.mark.parametrize("size", [*range(1, 50), 100, 200, 1000, 10_000])
def test_the_interval_of_none_begins_at_zero_and_that_of_all_ends_at_one(size):
    """Rounding must not make an event certain that never happened, or uncertain that always did."""
    assert exact_interval(0, size)[0] == 0
    assert exact_interval(size, size)[1] == 1


def test_many_intervals_are_those_of_each():
    """Arrays of counts give arrays of ends."""
    lows, highs = exact_interval([0, 3, 9], [10, 10, 20])
    singles = [exact_interval(*counts) for counts in ((0, 10), (3, 10), (9, 20))]
    assert list(zip(lows, highs, strict=True)) == singles


def test_nothing_is_known_without_a_training():
    """No trainings leave every share possible."""
    assert exact_interval(0, 0) == (0, 1)


@given(RATES, st.floats(1, 5000))
def test_the_interval_of_a_broken_number_of_trainings_is_statsmodels(share, size):
    """Trainings may be worth fewer than they are; its beta distribution takes any number."""
    expected = proportion_confint(share * size, size, method="beta")
    low, high = exact_interval(share * size, size)
    assert (low, high) == pytest.approx(
        (expected[0] if share * size > 0 else 0, expected[1] if share * size < size else 1), abs=1e-9
    )


@pytest.mark.parametrize("size", [1, 2, 3, 5, 10])
def test_each_end_is_a_rate_at_which_what_was_seen_is_that_rare(size):
    """By summing over all outcomes: so many or more happen in 2.5 % at the lower end, so few or fewer at the upper."""
    counts = np.arange(size + 1)
    for count in counts:
        low, high = exact_interval(count, size)
        chances = [
            np.array([math.comb(size, some) * rate**some * (1 - rate) ** (size - some) for some in counts])
            for rate in (low, high)
        ]
        assert count == 0 or chances[0][counts >= count].sum() == pytest.approx(0.025)
        assert count == size or chances[1][counts <= count].sum() == pytest.approx(0.025)


def test_another_tail_gives_bounds_that_hold_as_often():
    """Each end is exact in 90 %: together they hold in 80 %."""
    expected = binomtest(7, 30).proportion_ci(0.8, method="exact")
    assert exact_interval(7, 30, 0.9) == pytest.approx((expected.low, expected.high))


# ------------------------------------------------------------------ the median


@pytest.mark.untraced
@pytest.mark.parametrize("size", range(1, 130))
def test_the_places_of_a_median_are_scipys(size):
    """Two independent implementations of the order statistics' interval agree; below six there is none."""
    expected = quantile_test(np.arange(size), q=0, p=0.5).confidence_interval(0.95)
    place = median_place(size)
    if size < 6:
        assert (place, np.isnan(expected.low)) == (-1, True)
    else:
        assert (place, size - 1 - place) == (expected.low, expected.high)


@pytest.mark.parametrize("size", [*range(1, 30), 100])
def test_the_places_of_a_median_are_the_nearest_that_hold_it_in_95_of_100(size):
    """How many values of a sample lie below the median is a fair coin's: whole numbers, added up."""
    place = median_place(size)
    missed = [2 * sum(math.comb(size, below) for below in range(one + 1)) for one in (place, place + 1)]
    assert missed[0] <= 0.05 * 2**size < missed[1]


@pytest.mark.parametrize("size", [6, 10, 30, 100])
def test_a_median_may_be_held_more_often(size):
    """SciPy's places at 99 %; of six there are none."""
    expected = quantile_test(np.arange(size), q=0, p=0.5).confidence_interval(0.99)
    place = median_place(size, 0.995)
    if size == 6:
        assert (place, np.isnan(expected.low)) == (-1, True)
    else:
        assert (place, size - 1 - place) == (expected.low, expected.high)


def test_many_places_are_those_of_each():
    """Arrays of sizes give arrays; of nothing there is none."""
    assert median_place([0, 5, 6, 30]).tolist() == [-1, -1, 0, 9]


# ------------------------------------------------------------------ how many seeds


@pytest.mark.parametrize(("count", "size", "expected"), [(81, 263, 0.0596), (15, 148, 0.0603), (0, 20, 0.1684)])
def test_the_half_width_is_how_far_the_published_interval_reaches(count, size, expected):
    """Newcombe (1998), table I, method 5, prints the ends: the farther one is 0.3676, 0.1617 and 0.1684."""
    assert half_width(count, size) == pytest.approx(expected, abs=0.0001)
    assert half_width(size - count, size) == pytest.approx(expected, abs=0.0001)


def test_many_half_widths_are_those_of_each():
    """Arrays of counts give arrays; nothing is known without a training."""
    assert half_width([81, 0], [263, 0]).tolist() == [half_width(81, 263), 1]


@pytest.mark.parametrize("rate", [0, 1])
@pytest.mark.parametrize(("wanted", "seeds"), [(0.05, 72), (0.1, 36), (0.25, 13), (0.4, 8)])
def test_the_seeds_for_a_half_width_at_none_and_all_are_worked_out_by_hand(rate, wanted, seeds):
    """There the interval is 1 - 0.025 ** (1 / n) wide: n = ln 0.025 / ln (1 - h), the next whole number."""
    assert math.ceil(math.log(0.025) / math.log(1 - wanted)) == seeds
    assert seeds_for_half_width(rate, wanted) == seeds


@pytest.mark.untraced
@pytest.mark.parametrize("rate", [0, 0.1, 0.25, 0.5, 0.9, 1])
@pytest.mark.parametrize("wanted", [0.5, 0.4, 0.2, 0.1, 0.07])
def test_the_seeds_for_a_half_width_are_found_by_counting_up(rate, wanted):
    """From one training on, by statsmodels' interval, the first whose ends are both near enough to the rate."""
    for size in range(1, 1000):
        ends = proportion_confint(rate * size, size, method="beta")
        low, high = ends[0] if rate > 0 else 0, ends[1] if rate < 1 else 1
        if rate - low <= wanted and high - rate <= wanted:
            break
    assert seeds_for_half_width(rate, wanted) == size


@given(RATES, st.integers(1, 3000))
def test_more_seeds_never_widen_the_interval_of_a_rate(rate, size):
    """Which bisection takes for granted."""
    assert half_width(rate * (size + 1), size + 1) < half_width(rate * size, size) + 1e-12


@given(RATES, st.floats(0.005, 0.6))
def test_the_seeds_for_a_half_width_are_the_fewest(rate, wanted):
    """With so many the interval reaches no farther, and with one fewer it does."""
    seeds = seeds_for_half_width(rate, wanted)
    assert half_width(rate * seeds, seeds) <= wanted + 1e-9
    assert seeds == 1 or half_width(rate * (seeds - 1), seeds - 1) > wanted - 1e-9


@pytest.mark.parametrize(
    ("rate", "wanted"), [(1.2, 0.1), (-0.1, 0.1), (0.5, 0), (0.5, -1), (np.nan, 0.1), (0.5, np.nan)]
)
def test_a_rate_or_a_half_width_that_cannot_be_is_refused(rate, wanted):
    """One message says what, got, allowed."""
    with pytest.raises(ValueError, match="choose 0 to 1, and above 0"):
        seeds_for_half_width(rate, wanted)


# ------------------------------------------------------------------ rates


def test_a_rate_is_the_share_of_seeds_that_solved(trial, ended, table):
    """Two of five seeds are 40 %, with the interval of two in five."""
    rates = solved_rates(table(ended(trial(), [SOLVED, STUCK, STUCK, SOLVED, STUCK])), [c.TRIAL_ID])
    expected = {COUNT: 5, c.SOLVED: 2, RATE: 0.4, LOW: exact_interval(2, 5)[0], HIGH: exact_interval(2, 5)[1]}
    assert rates.drop(columns=c.TRIAL_ID).to_dict("records") == [expected]


def test_intervals_that_hold_all_at_once_share_what_they_err(trial, ended, table):
    """Of five trials each errs in 1 %, Bonferroni's share of 5 %: 0.5 % beside each end."""
    assert [tail_at_once(count) for count in (0, 1, 5)] == pytest.approx([0.975, 0.975, 0.995])
    data = table(*(ended(trial(hidden=2 + k), [SOLVED] * k + [STUCK] * (6 - k)) for k in range(5)))
    rates = solved_rates(data, [c.TRIAL_ID], at_once=True)
    expected = [binomtest(k, 6).proportion_ci(0.99, method="exact") for k in range(5)]
    assert rates[LOW].tolist() == pytest.approx([ends.low for ends in expected])
    assert rates[HIGH].tolist() == pytest.approx([ends.high for ends in expected])


def test_estimates_that_go_together_need_no_correction_and_independent_ones_that_of_sidak():
    """The same estimate twenty times is one; of twenty independent ones all hold in 95 %, each in 0.95^(1/20)."""
    values_SK = np.random.default_rng(1).normal(size=(20_000, 20))
    assert tail_together([np.repeat(values_SK[:, :1], 20, axis=1)]) == pytest.approx(TAIL, abs=0.005)
    alone = (1 + 0.95 ** (1 / 20)) / 2
    assert tail_together([values_SK]) == pytest.approx(alone, abs=0.0005)
    assert tail_together([values_SK[:, :10], values_SK[:, 10:]]) == pytest.approx(alone, abs=0.0005)
    assert tail_together([np.zeros((5, 3))]) == tail_together([]) == TAIL


def test_diverged_and_failed_trainings_are_not_solved(trial, ended, table):
    """What crashed or blew up stays in the denominator."""
    one = trial()
    crashed = Record(one, (7, 8), result=Result.FAILED, reason="ValueError: no")
    rates = solved_rates(table(ended(one, [SOLVED, DIVERGED]), crashed), [c.TRIAL_ID])
    assert rates[[c.SOLVED, COUNT]].to_numpy().tolist() == [[1, 4]]


def test_unsupported_trainings_are_in_no_denominator(trial, ended, table):
    """A backend's refusal says nothing of whether a network learns."""
    refused = Record(trial(device="cuda"), (0, 1), result=Result.UNSUPPORTED, reason="no such device")
    rates = solved_rates(table(ended(trial(), [SOLVED, STUCK]), refused), [c.GATE])
    assert rates[[c.SOLVED, COUNT]].to_numpy().tolist() == [[1, 2]]


def test_where_everything_is_unsupported_there_is_no_rate(trial, table):
    """A trial that nobody could train has no row."""
    refused = Record(trial(), (0, 1), result=Result.UNSUPPORTED, reason="no")
    assert solved_rates(table(refused), [c.TRIAL_ID]).empty


def test_a_sweep_without_trainings_has_no_rates_and_an_empty_ledger(table):
    """A sweep that was interrupted at once can be read."""
    assert solved_rates(table(), [c.TRIAL_ID]).empty
    assert outcome_ledger(table()).empty


def test_rates_are_by_whatever_parameters_are_wanted(trial, ended, table):
    """Trials that share the named parameters are counted together, in the order in which they come."""
    data = table(
        ended(trial(hidden=8, loss="l1"), [SOLVED, STUCK]),
        ended(trial(hidden=8, loss="mse"), [SOLVED]),
        ended(trial(hidden=2), [STUCK]),
    )
    rates = solved_rates(data, [c.GATE, c.HIDDEN])
    assert rates[[c.GATE, c.HIDDEN, c.SOLVED, COUNT]].to_numpy().tolist() == [["xor", 8, 2, 3], ["xor", 2, 0, 1]]


@given(OUTCOMES, st.randoms())
def test_the_order_of_the_trainings_never_matters_to_a_rate(outcomes, random):
    """Trainings arrive in any order from their workers."""
    first, second = (
        solved_rates(frame_of(rows), [c.TRIAL_ID]).set_index(c.TRIAL_ID).sort_index()
        for rows in (outcomes, random.sample(outcomes, len(outcomes)))
    )
    pd.testing.assert_frame_equal(first, second)


# ------------------------------------------------------------------ the ledger


@given(OUTCOMES)
def test_the_ledger_accounts_for_every_training(outcomes):
    """The outcomes of a trial add up to its trainings, and none counts twice."""
    ledger = outcome_ledger(frame_of(outcomes))
    for name in ledger.index:
        assert ledger.loc[name].sum() == sum(trial == name for trial, _ in outcomes)
    assert set(ledger.index) == {trial for trial, _ in outcomes}


@given(OUTCOMES)
def test_the_ledger_counts_each_outcome(outcomes):
    """Every number of the ledger is the number of its trainings."""
    ledger = outcome_ledger(frame_of(outcomes))
    assert all(
        ledger.loc[name, outcome] == outcomes.count((name, outcome)) for name in ledger.index for outcome in ledger
    )


@given(OUTCOMES, st.randoms())
def test_the_order_of_the_trainings_never_matters_to_the_ledger(outcomes, random):
    """Trainings arrive in any order from their workers."""
    first = outcome_ledger(frame_of(outcomes))
    second = outcome_ledger(frame_of(random.sample(outcomes, len(outcomes))))
    pd.testing.assert_frame_equal(first.sort_index(), second.sort_index())


def test_the_ledger_has_a_column_for_every_outcome(trial, ended, table):
    """An outcome that nothing had is a zero, not a gap."""
    ledger = outcome_ledger(table(ended(trial(), [SOLVED])))
    assert list(ledger.columns) == ["solved", "slow", "stuck", "diverged", "failed", "unsupported"]
    assert ledger.to_numpy().tolist() == [[1, 0, 0, 0, 0, 0]]


def test_trials_stand_in_the_ledger_in_the_order_in_which_they_come(trial, ended, table):
    """The ledger keeps the plan's order."""
    trials = [trial(hidden=size) for size in (8, 2, 5, 3)]
    ledger = outcome_ledger(table(*(ended(one, [STUCK]) for one in trials)))
    assert list(ledger.index) == [one.trial_id for one in trials]


# ------------------------------------------------------------------ the ledger of a plan


@given(OUTCOMES, st.lists(st.integers(0, 9), min_size=4, max_size=4))
def test_the_ledger_of_a_plan_leaves_no_training_over(outcomes, missing):
    """Planned is the sum of every outcome and of what is missing, for trials without a row too."""
    done = [name for name, _ in outcomes]
    planned = {name: done.count(name) + more for name, more in zip("dcba", missing, strict=True)}
    counts = ledger(outcome_ledger(frame_of(outcomes)), planned)
    assert counts[PLANNED].to_dict() == planned
    assert counts[MISSING].to_dict() == dict(zip("dcba", missing, strict=True))
    assert (counts.drop(columns=PLANNED).sum(axis=1) == counts[PLANNED]).all()
    assert list(counts.index) == list("dcba")


def test_a_trial_of_which_nothing_is_there_is_missing_as_a_whole(trial, ended, table):
    """An interrupted sweep shows what it has not begun."""
    one, other = trial(hidden=2), trial(hidden=8)
    counts = ledger(outcome_ledger(table(ended(one, [SOLVED, STUCK]))), pd.Series({other.trial_id: 5, one.trial_id: 3}))
    assert list(counts.columns) == [
        "planned", "solved", "slow", "stuck", "diverged", "failed", "unsupported", "missing",
    ]  # fmt: skip
    assert counts.to_numpy().tolist() == [[5, 0, 0, 0, 0, 0, 0, 5], [3, 1, 0, 1, 0, 0, 0, 1]]


def test_a_sweep_without_trainings_misses_all_of_its_plan(table):
    """And one without a plan misses nothing."""
    assert ledger(outcome_ledger(table()), {"a": 3})[MISSING].tolist() == [3]
    assert ledger(outcome_ledger(table()), {}).empty


def test_more_trainings_than_planned_are_an_error_that_names_every_trial():
    """A training that nobody planned would hide one that is missing."""
    data = frame_of([("a", "solved"), ("a", "stuck"), ("b", "stuck"), ("c", "failed")])
    with pytest.raises(ValueError, match="more trainings than planned: a has 2, planned 1; c has 1, planned 0"):
        ledger(outcome_ledger(data), {"a": 1, "b": 1})


# ------------------------------------------------------------------ words that are kept once


@given(OUTCOMES)
def test_words_that_are_kept_once_are_counted_alike(outcomes):
    """Pandas' categories, also those that no training has, are words like others."""
    data = frame_of(outcomes)
    kept = data.astype({c.TRIAL_ID: pd.CategoricalDtype(["c", "z", "b", "a"]), c.OUTCOME: "category"})
    pd.testing.assert_frame_equal(outcome_ledger(kept), outcome_ledger(data))
    pd.testing.assert_frame_equal(solved_rates(kept, [c.TRIAL_ID]), solved_rates(data, [c.TRIAL_ID]))


# ------------------------------------------------------------------ the rate of several trials together


def grid(solved_CS):
    """Return the trainings of a grid ``[trials, seeds]`` of which it is known who solved."""
    solved = np.asarray(solved_CS, dtype=bool)
    trial, seed = np.indices(solved.shape)
    data = pd.DataFrame({c.TRIAL_ID: [f"t{place}" for place in trial.ravel()], c.SEED: seed.ravel()})
    return data.assign(**{c.SOLVED: solved.ravel(), c.OUTCOME: np.where(solved.ravel(), "solved", "stuck")})


def exactly(rate, size):
    """Return the exact interval of a rate of so many trainings, a broken number, by statsmodels."""
    low, high = proportion_confint(rate * size, size, method="beta")
    return 0.0 if rate == 0 else low, 1.0 if rate == 1 else high


def korn_graubard(count_S, total_S):
    """Return the interval of Korn & Graubard (1998) of a cluster sample, from the linearized residual of each value.

    The design effect is their variance over seeds by that of a simple sample; Student's t is of one degree of freedom
    fewer than there are seeds.
    """
    value_T = np.concatenate(
        [[1.0] * count + [0.0] * (total - count) for count, total in zip(count_S, total_S, strict=True)]
    )
    seed_T = np.repeat(np.arange(len(total_S)), total_S)
    rate, size, seeds = value_T.mean(), len(value_T), len(total_S)
    linear_S = np.array([((value_T - rate) / size)[seed_T == seed].sum() for seed in range(seeds)])
    variance = seeds * linear_S.var(ddof=1)
    degrees = (1.959964 / t.ppf(0.975, seeds - 1)) ** 2
    worth = rate * (1 - rate) / variance * degrees
    return exactly(rate, np.clip(worth, size**2 / sum(total**2 for total in total_S), size))


def test_the_rate_of_trials_that_share_seeds_is_worked_out_by_hand():
    """Three trials, four seeds that solve 3, 2, 1 and 1: 7 of 12.

    Residuals 5/4, 1/4, -3/4, -3/4 have squares of 44/16 together: the variance of the rate is 44/16 4/3 / 144, and
    that of one training 7/12 5/12. With Student's t of three degrees they are worth 3.6 trainings; no fewer than four.
    """
    worth = (35 / 144) / (44 / 16 * 4 / 3 / 144) * (1.959964 / 3.182446) ** 2
    assert worth == pytest.approx(3.62, abs=0.01)
    assert effective_size(np.array([3.0, 2, 1, 1]), np.full(4, 3.0), 35 / 144) == 4
    found = clustered_rate(grid([[1, 1, 1, 0], [1, 1, 0, 1], [1, 0, 0, 0]]))
    assert found == pytest.approx((7 / 12, *exactly(7 / 12, 4)))


def test_what_trainings_are_worth_lies_between_seeds_and_trainings():
    """Twenty seeds with 3 or 0 of six: squares of 2.25 each; variance 20 2.25 20/19 / 120², Student's t of 19."""
    worth = 0.1875 / (((3 - 1.5) ** 2 * 20) * 20 / 19 / 120**2) * (1.959964 / 2.093024) ** 2
    assert 20 < worth < 120
    assert effective_size(np.array([3.0, 0] * 10), np.full(20, 6.0), 0.1875) == pytest.approx(worth, rel=1e-6)
    assert clustered_interval([3, 0] * 10, [6] * 20) == pytest.approx(exactly(0.25, worth), rel=1e-5)


@given(
    st.lists(st.integers(1, 12).flatmap(lambda m: st.tuples(st.integers(0, m), st.just(m))), min_size=2, max_size=30)
    .filter(lambda counts: max(total for _, total in counts) > 1)
    .filter(lambda counts: 0 < sum(count for count, _ in counts) < sum(total for _, total in counts))
    .filter(lambda counts: len({count / total for count, total in counts}) > 1)
)
def test_the_interval_over_seeds_is_korn_and_graubards(counts):
    """Another few lines, by linearization over single trainings, give the same."""
    count_S, total_S = zip(*counts, strict=True)
    assert clustered_interval(count_S, total_S) == pytest.approx(korn_graubard(count_S, total_S), rel=1e-5)


def test_what_sums_of_other_values_are_worth_is_worked_out_by_hand():
    """Ten seeds of two values, 5 and 7 or 1 and 3: a mean of 4, squares of 16 for each seed's sum; variance 5.

    The mean's variance is 160 10/9 / 20², so that 20 values are worth 5 9/4 (1.96 / 2.262)² = 8.4, and no fewer than
    ten. Where seeds differ half as much, squares of 4 and a variance of 2, they are worth 2 9 (1.96 / 2.262)² = 13.5.
    """
    sums_S = np.array([12.0, 4.0] * 5)
    assert effective_size(sums_S, np.full(10, 2.0), 5) == 10
    worth = 2 * 9 * (1.959964 / 2.262157) ** 2
    assert effective_size((sums_S + 8) / 2, np.full(10, 2.0), 2) == pytest.approx(worth, rel=1e-6)


def test_seeds_that_all_solve_the_same_share_are_worth_all_their_trainings():
    """Nothing varies between them."""
    assert clustered_interval([3] * 10, [6] * 10) == pytest.approx(exactly(0.5, 60), rel=1e-5)


@pytest.mark.parametrize("every", [0, 1])
def test_where_none_or_all_solve_only_the_seeds_count(every):
    """Whether trials do the same cannot be seen: 36 trials of 100 seeds are worth 100, and not 3,600."""
    rate, low, high = clustered_rate(grid(np.full((36, 100), every)))
    assert (rate, low, high) == pytest.approx((every, *exactly(every, 100)))
    assert (low, high)[every] == every


def test_a_seed_that_trained_more_often_counts_for_more():
    """Ten trainings of one seed and one of each of ten others are worth 20² / (100 + 10) seeds where all solve."""
    assert clustered_interval([10] + [1] * 10, [10] + [1] * 10)[0] == pytest.approx(0.025 ** (110 / 400), rel=1e-5)


@given(st.lists(st.integers(0, 30).flatmap(lambda m: st.tuples(st.integers(0, m), st.just(m))), min_size=1))
def test_the_interval_over_seeds_holds_the_rate_and_mirrors(counts):
    """However the seeds are filled; what is not solved mirrors it; seeds that never began are none."""
    count_S, total_S = np.array(counts).T
    low, high = clustered_interval(count_S, total_S)
    assert clustered_interval(total_S - count_S, total_S) == pytest.approx((1 - high, 1 - low))
    assert clustered_interval([0, *count_S], [0, *total_S]) == (low, high)
    assert 0 <= low <= high <= 1
    assert not total_S.sum() or low - 1e-12 <= count_S.sum() / total_S.sum() <= high + 1e-12


def test_the_rate_of_one_trial_has_the_exact_interval():
    """There is nothing to share: that of 3 of 4, as tables print it."""
    assert clustered_rate(grid([[1, 1, 0, 1]])) == pytest.approx((0.75, 0.19412, 0.99369), abs=0.00001)


def test_trials_that_all_do_the_same_are_worth_no_more_than_one():
    """Ten copies of a trial know the rate no better: the interval is that of one, and not of ten times n."""
    one = np.random.default_rng(1).random(400) < 0.3
    rate, low, high = clustered_rate(grid([one] * 10))
    expected = binomtest(int(one.sum()), 400).proportion_ci(0.95, method="exact")
    assert (rate, low, high) == pytest.approx((one.mean(), expected.low, expected.high))


def test_of_nothing_there_is_no_rate():
    """Its ends are missing too."""
    assert np.isnan(clustered_rate(grid([[1]]).assign(**{c.OUTCOME: "unsupported"}))).all()
