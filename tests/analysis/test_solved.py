import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from bench.analysis.solved import COUNT, HIGH, LOW, RATE, outcome_ledger, solved_rates, wilson_interval
from bench.problem.outcome import Record, Result
from bench.tracking import columns as c

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


@settings(max_examples=40)
@given(OUTCOMES, st.randoms())
def test_the_order_of_the_trainings_never_matters_to_a_rate(outcomes, random):
    """Trainings arrive in any order from their workers."""
    first, second = (
        solved_rates(frame_of(rows), [c.TRIAL_ID]).set_index(c.TRIAL_ID).sort_index()
        for rows in (outcomes, random.sample(outcomes, len(outcomes)))
    )
    pd.testing.assert_frame_equal(first, second)


# ------------------------------------------------------------------ the ledger


@settings(max_examples=40)
@given(OUTCOMES)
def test_the_ledger_accounts_for_every_training(outcomes):
    """The outcomes of a trial add up to its trainings, and none counts twice."""
    ledger = outcome_ledger(frame_of(outcomes))
    for name in ledger.index:
        assert ledger.loc[name].sum() == sum(trial == name for trial, _ in outcomes)
    assert set(ledger.index) == {trial for trial, _ in outcomes}


@settings(max_examples=40)
@given(OUTCOMES)
def test_the_ledger_counts_each_outcome(outcomes):
    """Every number of the ledger is the number of its trainings."""
    ledger = outcome_ledger(frame_of(outcomes))
    assert all(
        ledger.loc[name, outcome] == outcomes.count((name, outcome)) for name in ledger.index for outcome in ledger
    )


@settings(max_examples=40)
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
