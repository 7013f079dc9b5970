import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from bench.metrics import columns as c
from bench.model.outcome import Record, Result
from bench.stats.proportions import (
    COUNT,
    HIGH,
    LOW,
    MISSING,
    PLANNED,
    RATE,
    clustered_interval,
    clustered_rate,
    half_width,
    ledger,
    outcome_ledger,
    seeds_for_half_width,
    solved_rates,
    wilson_interval,
)

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
    """Two independent implementations of Wilson's interval agree."""
    count, size = counts
    expected = binomtest(count, size).proportion_ci(0.95, method="wilson")
    assert wilson_interval(count, size) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize(
    ("count", "size", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0000, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_the_interval_is_the_published_one(count, size, low, high):
    """Newcombe (1998), table I, method 3, prints these to four digits."""
    assert wilson_interval(count, size) == pytest.approx((low, high), abs=0.00005)


@pytest.mark.parametrize("size", [*range(1, 50), 100, 200, 1000, 10_000])
def test_the_interval_of_none_begins_at_zero_and_that_of_all_ends_at_one(size):
    """Rounding must not make an event certain that never happened, or uncertain that always did."""
    assert wilson_interval(0, size)[0] == 0
    assert wilson_interval(size, size)[1] == 1


def test_many_intervals_are_those_of_each():
    """Arrays of counts give arrays of ends."""
    lows, highs = wilson_interval([0, 3, 9], [10, 10, 20])
    singles = [wilson_interval(*counts) for counts in ((0, 10), (3, 10), (9, 20))]
    assert list(zip(lows, highs, strict=True)) == singles


def test_nothing_is_known_without_a_training():
    """No trainings leave every share possible."""
    assert wilson_interval(0, 0) == (0, 1)


@pytest.mark.slow
@pytest.mark.parametrize("size", [50, 200])
def test_the_interval_covers_the_truth_as_often_as_it_says(size):
    """In 1,000 sweeps for each of forty solved rates, over which coverage oscillates, it holds the rate in 95 %."""
    rates = np.linspace(0.05, 0.95, 40)[:, None]
    solved = np.random.default_rng(size).random((40, 1_000, size)) < rates[:, :, None]
    trials = np.repeat(np.arange(40_000).astype(str), size)
    data = pd.DataFrame(
        {c.TRIAL_ID: trials, c.OUTCOME: np.where(solved.ravel(), "solved", "stuck"), c.SOLVED: solved.ravel()}
    )
    found = solved_rates(data, [c.TRIAL_ID])
    low, high = (found[name].to_numpy().reshape(40, 1_000) for name in (LOW, HIGH))
    assert 0.94 <= ((low <= rates) & (rates <= high)).mean() <= 0.96


# ------------------------------------------------------------------ how many seeds


@pytest.mark.parametrize(("count", "size", "expected"), [(81, 263, 0.0555), (15, 148, 0.0491), (0, 20, 0.0806)])
def test_the_half_width_is_half_of_the_published_interval(count, size, expected):
    """Newcombe (1998), table I, method 3, prints the ends to four digits."""
    assert half_width(count, size) == pytest.approx(expected, abs=0.0001)


def test_many_half_widths_are_those_of_each():
    """Arrays of counts give arrays; nothing is known without a training."""
    assert half_width([81, 0], [263, 0]).tolist() == [half_width(81, 263), 0.5]


@pytest.mark.parametrize(
    ("rate", "wanted", "seeds"), [(0.5, 0.05, 381), (0.5, 0.01, 9600), (0, 0.05, 35), (1, 0.05, 35)]
)
def test_the_seeds_for_a_half_width_are_worked_out_by_hand(rate, wanted, seeds):
    """At a half, n = z² (1 / 4h² - 1); at none and all, n = z² (1 / 2h - 1)."""
    assert seeds_for_half_width(rate, wanted) == seeds


@given(st.floats(0, 1), st.floats(0.005, 0.6))
def test_the_seeds_for_a_half_width_are_the_fewest(rate, wanted):
    """With so many the interval is no wider, and with one fewer it is."""
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
    expected = {COUNT: 5, c.SOLVED: 2, RATE: 0.4, LOW: wilson_interval(2, 5)[0], HIGH: wilson_interval(2, 5)[1]}
    assert rates.drop(columns=c.TRIAL_ID).to_dict("records") == [expected]


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
    counts = ledger(frame_of(outcomes), planned)
    assert counts[PLANNED].to_dict() == planned
    assert counts[MISSING].to_dict() == dict(zip("dcba", missing, strict=True))
    assert (counts.drop(columns=PLANNED).sum(axis=1) == counts[PLANNED]).all()
    assert list(counts.index) == list("dcba")


def test_a_trial_of_which_nothing_is_there_is_missing_as_a_whole(trial, ended, table):
    """An interrupted sweep shows what it has not begun."""
    one, other = trial(hidden=2), trial(hidden=8)
    counts = ledger(table(ended(one, [SOLVED, STUCK])), pd.Series({other.trial_id: 5, one.trial_id: 3}))
    assert list(counts.columns) == [
        "planned", "solved", "slow", "stuck", "diverged", "failed", "unsupported", "missing",
    ]  # fmt: skip
    assert counts.to_numpy().tolist() == [[5, 0, 0, 0, 0, 0, 0, 5], [3, 1, 0, 1, 0, 0, 0, 1]]


def test_a_sweep_without_trainings_misses_all_of_its_plan(table):
    """And one without a plan misses nothing."""
    assert ledger(table(), {"a": 3})[MISSING].tolist() == [3]
    assert ledger(table(), {}).empty


def test_more_trainings_than_planned_are_an_error_that_names_every_trial():
    """A training that nobody planned would hide one that is missing."""
    data = frame_of([("a", "solved"), ("a", "stuck"), ("b", "stuck"), ("c", "failed")])
    with pytest.raises(ValueError, match="more trainings than planned: a has 2, planned 1; c has 1, planned 0"):
        ledger(data, {"a": 1, "b": 1})


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


def agresti_coull(rate, size):
    """Return the interval of Agresti & Coull (1998) by its formula."""
    z = 1.959964
    middle = (rate * size + z**2 / 2) / (size + z**2)
    reach = z * np.sqrt(middle * (1 - middle) / (size + z**2))
    return max(middle - reach, 0), min(middle + reach, 1)


def test_the_rate_of_trials_that_share_seeds_is_worked_out_by_hand():
    """Three trials, four seeds that solve 3, 2, 1 and 1: 7 of 12.

    Residuals 5/4, 1/4, -3/4, -3/4 have squares of 44/16 together: the variance of the rate is 44/16 4/3 / 144, and
    that of one training 7/12 5/12. With Student's t of three degrees they are worth 3.6 trainings; no fewer than four.
    """
    worth = (35 / 144) / (44 / 16 * 4 / 3 / 144) * (1.959964 / 3.182446) ** 2
    assert worth == pytest.approx(3.62, abs=0.01)
    found = clustered_rate(grid([[1, 1, 1, 0], [1, 1, 0, 1], [1, 0, 0, 0]]))
    assert found == pytest.approx((7 / 12, *agresti_coull(7 / 12, 4)))


def test_what_trainings_are_worth_lies_between_seeds_and_trainings():
    """Twenty seeds with 3 or 0 of six: squares of 2.25 each; variance 20 2.25 20/19 / 120², Student's t of 19."""
    worth = 0.1875 / (((3 - 1.5) ** 2 * 20) * 20 / 19 / 120**2) * (1.959964 / 2.093024) ** 2
    assert 20 < worth < 120
    assert clustered_interval([3, 0] * 10, [6] * 20) == pytest.approx(agresti_coull(0.25, worth), rel=1e-5)


def test_seeds_that_all_solve_the_same_share_are_worth_all_their_trainings():
    """Nothing varies between them."""
    assert clustered_interval([3] * 10, [6] * 10) == pytest.approx(agresti_coull(0.5, 60), rel=1e-5)


@pytest.mark.parametrize("every", [0, 1])
def test_where_none_or_all_solve_only_the_seeds_count(every):
    """Whether trials do the same cannot be seen: 36 trials of 100 seeds are worth 100, and not 3,600."""
    rate, low, high = clustered_rate(grid(np.full((36, 100), every)))
    assert (rate, low, high) == pytest.approx((every, *agresti_coull(every, 100)))
    assert (low, high)[every] == every


def test_a_seed_that_trained_more_often_counts_for_more():
    """Ten trainings of one seed and one of each of ten others are worth 20² / (100 + 10) seeds where all solve."""
    assert clustered_interval([10] + [1] * 10, [10] + [1] * 10)[0] == pytest.approx(
        agresti_coull(1, 400 / 110)[0], rel=1e-5
    )


@given(st.lists(st.integers(0, 30).flatmap(lambda m: st.tuples(st.integers(0, m), st.just(m))), min_size=1))
def test_the_interval_over_seeds_holds_the_rate_and_mirrors(counts):
    """However the seeds are filled; what is not solved mirrors it; seeds that never began are none."""
    count_S, total_S = np.array(counts).T
    low, high = clustered_interval(count_S, total_S)
    assert clustered_interval(total_S - count_S, total_S) == pytest.approx((1 - high, 1 - low))
    assert clustered_interval([0, *count_S], [0, *total_S]) == (low, high)
    assert 0 <= low <= high <= 1
    assert not total_S.sum() or low - 1e-12 <= count_S.sum() / total_S.sum() <= high + 1e-12


def test_the_rate_of_one_trial_has_wilsons_interval():
    """There is nothing to share."""
    assert clustered_rate(grid([[1, 1, 0, 1]])) == pytest.approx((0.75, *wilson_interval(3, 4)))


def test_trials_that_all_do_the_same_are_worth_no_more_than_one():
    """Ten copies of a trial know the rate no better: the interval is about that of one, and not of ten times n."""
    one = np.random.default_rng(1).random(400) < 0.3
    rate, low, high = clustered_rate(grid([one] * 10))
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(rate * (1 - rate) / 400), rel=0.01)


def test_of_nothing_there_is_no_rate():
    """Its ends are missing too."""
    assert np.isnan(clustered_rate(grid([[1]]).assign(**{c.OUTCOME: "unsupported"}))).all()


def held(solved_RS, trials, truth):
    """Return in which share of sweeps, of whose seeds so many of the trials solved, the interval holds the truth."""
    ends = np.array([clustered_interval(solved_S, np.full(len(solved_S), trials)) for solved_S in solved_RS])
    return ((ends[:, 0] <= truth) & (truth <= ends[:, 1])).mean()


def seeded(rng, *, mean, alike, trials, seeds):
    """Return how many of the trials each seed solves in 1,000 sweeps: seeds have chances of their own, from a beta.

    ``alike`` is the correlation of two trials over seeds: 0 where they know nothing of each other, 1 for copies.
    """
    if alike in (0, 1):
        chance = np.full((1_000, seeds), mean) if alike == 0 else rng.random((1_000, seeds)) < mean
    else:
        chance = rng.beta(mean * (1 / alike - 1), (1 - mean) * (1 / alike - 1), (1_000, seeds))
    return rng.binomial(trials, chance)


@pytest.mark.slow
@pytest.mark.parametrize("alike", [0, 0.05, 0.3, 0.5, 1])
@pytest.mark.parametrize("mean", [0.4, 0.6, 0.8])
def test_the_interval_over_shared_seeds_covers_the_truth_nineteen_times_of_twenty(alike, mean):
    """Good and bad seeds: each has a chance of its own, the same in twelve trials; a thousand sweeps of 100 seeds."""
    solved_RS = seeded(np.random.default_rng(5), mean=mean, alike=alike, trials=12, seeds=100)
    assert 0.93 <= held(solved_RS, 12, mean) <= 0.97


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mean", "alike", "trials", "seeds"),
    [
        *((0.995, 1, 36, 100), (0.995, 0, 36, 100), (0.005, 1, 36, 100), (0.97, 0, 6, 20)),
        *((0.97, 1, 6, 20), (0.97, 0.3, 6, 20), (0.03, 0.05, 36, 100), (0.9, 0.5, 6, 20)),
    ],
)
def test_the_interval_over_shared_seeds_covers_the_truth_at_the_edges(mean, alike, trials, seeds):
    """Where nearly all or nearly none are solved it may hold it more often, but not less."""
    solved_RS = seeded(np.random.default_rng(6), mean=mean, alike=alike, trials=trials, seeds=seeds)
    assert held(solved_RS, trials, mean) >= 0.93
