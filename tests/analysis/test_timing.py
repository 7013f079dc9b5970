import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.analysis.timing import COUNT, HIGH, LOW, MEDIAN, NOISY, SPREAD, iteration_times
from bench.problem.outcome import Record, Result
from bench.tracking import columns as c

STUCK = [0.5] * 4
TIMES = st.lists(st.floats(0.1, 1e6), min_size=1, max_size=20)


@settings(max_examples=30)
@given(TIMES)
def test_times_are_numpys_median_and_quartiles(trial, ended, table, times):
    """The median and both quartiles are those of NumPy, over the seeds of a trial."""
    (row,) = iteration_times(table(ended(trial(), [STUCK] * len(times), us=times))).to_dict("records")
    assert [row[LOW], row[MEDIAN], row[HIGH]] == pytest.approx(np.quantile(times, [0.25, 0.5, 0.75]), rel=1e-9)
    assert row[COUNT] == len(times)


@pytest.mark.parametrize(("times", "noisy"), [([95, 100, 104], False), ([80, 100, 120], True), ([100], False)])
def test_a_spread_over_a_tenth_of_the_median_is_flagged(trial, ended, table, times, noisy):
    """Times that vary are kept, and marked."""
    (row,) = iteration_times(table(ended(trial(), [STUCK] * len(times), us=times))).to_dict("records")
    assert bool(row[NOISY]) is noisy
    assert row[SPREAD] == pytest.approx(np.subtract(*np.quantile(times, [0.75, 0.25])) / np.median(times))


def test_times_taken_alone_stand_apart_from_those_taken_beside_others(trial, ended, table):
    """One trial has a row for each way in which it ran."""
    one = trial()
    times = iteration_times(
        table(
            ended(one, [STUCK] * 3, us=[9, 9, 9], seeds=[3, 4, 5]),
            ended(one, [STUCK] * 3, us=[1, 2, 3], alone=True),
        )
    )
    assert times[[c.ALONE, MEDIAN, COUNT]].to_numpy().tolist() == [
        [False, pytest.approx(9), 3],
        [True, pytest.approx(2), 3],
    ]


def test_every_trial_has_its_row_with_its_backend(trial, ended, table):
    """Trials are listed in the order in which they come."""
    trials = [trial(backend="torch", dtype="float64"), trial(backend="numpy")]
    times = iteration_times(table(*(ended(one, [STUCK]) for one in trials)))
    assert times[[c.TRIAL_ID, c.BACKEND]].to_numpy().tolist() == [[one.trial_id, one.backend] for one in trials]


@pytest.mark.parametrize("result", [Result.FAILED, Result.UNSUPPORTED])
def test_what_was_not_trained_took_no_time(trial, ended, table, result):
    """Trainings without a time are in no median and no count."""
    one = trial()
    data = table(ended(one, [STUCK], us=7), Record(one, (1,), result=result, reason="no"))
    assert iteration_times(data)[[MEDIAN, COUNT]].to_numpy().tolist() == [[pytest.approx(7), 1]]


def test_without_any_time_there_is_no_row(trial, table):
    """A sweep in which everything failed, or nothing was trained, has an empty table of times."""
    assert iteration_times(table()).empty
    assert iteration_times(table(Record(trial(), (0, 1), result=Result.FAILED, reason="no"))).empty


@settings(max_examples=30)
@given(TIMES, st.randoms())
def test_the_order_of_the_trainings_never_matters(trial, ended, table, times, random):
    """Trainings arrive in any order from their workers."""
    data = table(ended(trial(), [STUCK] * len(times), us=times))
    shuffled = data.iloc[random.sample(range(len(data)), len(data))]
    assert iteration_times(shuffled).equals(iteration_times(data))
