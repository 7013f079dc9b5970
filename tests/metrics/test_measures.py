"""Measures of a training: one definition each, which whatever is said of trainings goes by."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.metrics import columns as c
from bench.metrics.measures import (
    ERRORS,
    LOG_MSE,
    SOLVED_SHARE,
    begun,
    left_solution,
    lost,
    measured,
    never_trained,
    time_to_solution,
)
from bench.metrics.objectives import objective
from bench.model.outcome import NEVER
from bench.stats.claims import measure
from bench.stats.mlflow_summary import describe_trial, trial_medians
from bench.stats.survival import AT, MEDIAN, SHARE, solution_curves, times_to_solution

SOLVED, STUCK, DIVERGED = [0, 1, 1, 0], [0.5] * 4, [np.nan] * 4
INF = math.inf


@pytest.fixture
def every(trial, ended, failed, refused, table):
    """A training of each kind: solved early and by its last update, left again, stuck, diverged, failed, refused."""
    ends = [SOLVED, SOLVED, STUCK, STUCK, DIVERGED]
    made = ended(trial(), ends, solved_at=[40, NEVER, 10, NEVER, 20], correct_at=[30, NEVER, 5, NEVER, NEVER])
    return table(made, failed(trial(), [5]), refused(trial(), [6]))


def test_the_worst_error_is_that_of_the_outputs(trial, ended, table):
    """A tanh is at most 2 away; what is linear counts up to a hundred times as far as targets lie apart."""
    far = [[1e9] * 4, [3.0] * 4, DIVERGED]
    found = measured(table(ended(trial(output="linear"), far), ended(trial(output="tanh"), [DIVERGED])), LOG_MSE)
    assert found == pytest.approx([4, np.log10(6.5), 4, np.log10(4)])


def test_a_training_is_solved_when_it_first_was_if_it_is_at_its_end(every):
    """What left the solution again is censored, however early it was there; the last update may bring it."""
    assert time_to_solution(every).tolist() == [40, 100, INF, INF, INF, INF, INF]
    assert measured(every, c.SOLVED_AT).tolist() == time_to_solution(every).tolist()
    assert measured(every, c.CORRECT_AT).tolist() == [30, 100, INF, INF, INF, INF, INF]
    assert measured(every, SOLVED_SHARE).tolist() == [0.4, 1, 1, 1, 1, 1, 1]


def test_what_left_the_solution_was_there_and_is_not_at_its_end(every):
    """Whether it is stuck or diverged."""
    assert left_solution(every).tolist() == [False, False, True, False, True, False, False]


def test_what_was_refused_was_never_begun_and_what_diverged_was_trained(every):
    """Failed trainings were begun; of the diverged, the failed and the refused there is no number."""
    assert begun(every)[c.SEED].tolist() == [0, 1, 2, 3, 4, 5]
    assert never_trained(every).tolist() == [False] * 5 + [True] * 2
    assert lost(every).tolist() == [False] * 4 + [True] * 3


@pytest.mark.parametrize("name", ERRORS)
def test_errors_of_what_diverged_or_failed_are_infinite(every, name):
    """Nothing is worse, and nothing is missing."""
    assert np.isinf(measured(every, name)).tolist() == lost(every).tolist()


def made_times(at, solved, budget=100):
    """Return one trial's trainings: when each was first within the tolerance, None for never, and how it ended."""
    data = pd.DataFrame(
        {
            c.TRIAL_ID: "a",
            c.SEED: range(len(at)),
            c.ITERATIONS: budget,
            c.OUTCOME: np.where(solved, "solved", "stuck"),
            c.SOLVED: solved,
            c.CORRECT: solved,
            c.SOLVED_AT: pd.array(at, dtype="Int64"),
            c.CORRECT_AT: pd.array(at, dtype="Int64"),
            c.ITERATION_US: 1.0,
            c.ALONE: False,
            c.CURVE: None,
            c.CURVE_US: None,
        }
    )
    return data.assign(**dict.fromkeys(ERRORS, 0.25))


@given(st.lists(st.tuples(st.one_of(st.none(), st.integers(1, 100)), st.booleans()), min_size=1, max_size=30))
def test_whatever_counts_solutions_counts_the_same(trainings):
    """Claims, survival analysis, the search's objectives, MLflow's figures and the terminal's table."""
    data = made_times(*map(list, zip(*trainings, strict=True)))
    times = np.sort(time_to_solution(data))
    median = times[(len(times) + 1) // 2 - 1]
    assert sorted(measure(data, c.SOLVED_AT)) == times.tolist()
    assert objective(data, "rmst") == pytest.approx(np.minimum(times, 100).mean())
    assert objective(data, "median_solved_at") == min(median, 100)
    assert describe_trial(data)[0].get("solved_at_median", INF) == median
    assert trial_medians(data)[c.SOLVED_AT].tolist() == [median]
    assert times_to_solution(data)[MEDIAN].fillna(INF).tolist() == [median]
    curve = solution_curves(data, 1000)
    assert curve[SHARE].tolist() == pytest.approx([(times <= at).mean() for at in curve[AT]])
