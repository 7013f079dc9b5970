"""Objectives over seeds: failures count as worst, and none is missing."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_rel

from bench.metrics import columns as c
from bench.metrics.objectives import OBJECTIVES, is_worse, objective, per_training
from bench.stats.survival import RMST, times_to_solution

BUDGET = 100


def rows(solved_at, error=None, us=1.0, outcome=None, done=BUDGET):
    """Make up a trial's trainings: when each was solved, None for never."""
    size = len(solved_at)
    return pd.DataFrame(
        {
            c.TRIAL_ID: "a",
            c.SEED: range(size),
            c.ITERATIONS: BUDGET,
            c.OUTCOME: outcome or ["stuck" if at is None else "solved" for at in solved_at],
            c.SOLVED: [at is not None for at in solved_at],
            c.SOLVED_AT: pd.array(solved_at, dtype="Int64"),
            c.FINAL_MSE: error or [0.001] * size,
            c.ITERATION_US: us,
            c.ITERATIONS_DONE: pd.array([done] * size, dtype="Int64"),
            c.WEIGHTS_COUNT: 13,
        }
    )


TIMES = st.lists(st.one_of(st.none(), st.integers(0, BUDGET)), min_size=1, max_size=30)


@given(TIMES)
def test_the_restricted_mean_is_that_of_survival_analysis(times):
    """The report's table and the search's objective are the same number."""
    table = times_to_solution(rows(times))
    assert objective(rows(times), "rmst") == pytest.approx(float(table[RMST].iloc[0]))


@given(TIMES)
def test_no_objective_depends_on_the_order_of_rows(times):
    """Bit for bit: a search must not depend on which worker was first."""
    data = rows(times, error=[0.1 / (n + 1) for n in range(len(times))], us=[1 / (n + 3) for n in range(len(times))])
    for name in OBJECTIVES:
        assert objective(data, name) == objective(data.iloc[::-1], name)


def test_what_is_never_solved_counts_at_the_budget():
    """The median is the budget where fewer than half solve; the mean counts every failure in full."""
    data = rows([10, None, None])
    assert objective(data, "median_solved_at") == BUDGET
    assert objective(data, "rmst") == pytest.approx((10 + 100 + 100) / 3)
    assert objective(rows([10, 30, None]), "median_solved_at") == 30


@pytest.mark.parametrize("outcome", ["diverged", "failed", "unsupported"])
def test_a_failure_is_the_worst_there_is(outcome):
    """Its error is 1, its time the budget, its rate 0: never missing."""
    data = rows([None, None], error=[math.nan, math.nan], us=math.nan, outcome=[outcome] * 2)
    assert objective(data, "median_mse") == 1
    assert objective(data, "rmst") == BUDGET
    assert objective(data, "solved_rate") == 0
    assert objective(data, "train_seconds") == math.inf


def test_seconds_and_sizes():
    """100 iterations of 3 µs; 13 weights and biases."""
    assert objective(rows([5, 5], us=3.0), "train_seconds") == pytest.approx(300e-6)
    assert objective(rows([5]), "parameters") == 13


def test_what_does_not_differ_by_training_prunes_nothing():
    """The number of parameters is known without training."""
    assert per_training(rows([5]), "parameters") is None
    assert not is_worse(rows([None] * 20), rows([5] * 20), "parameters")


PAIRS = st.tuples(st.integers(0, BUDGET), st.integers(0, BUDGET))


@given(st.lists(PAIRS, min_size=8, max_size=9) | st.lists(PAIRS, min_size=14, max_size=30))  # 10 to 13: all of 2**n
def test_a_trial_is_worse_as_the_test_of_paired_means_says(pairs):
    """Student's, one-sided at 10 %, of what the objective is the mean of."""
    own, other = (np.asarray(some, dtype=float) for some in zip(*pairs, strict=True))
    if np.ptp(own - other) == 0:
        expected = own[0] > other[0]
    else:
        expected = own.mean() > other.mean() and ttest_rel(own, other, alternative="greater").pvalue < 0.1
    assert is_worse(rows(list(own)), rows(list(other)), "rmst") == expected


def test_a_rare_failure_is_seen():
    """Of 40 trainings 36 are one iteration faster, and four never solve it: by ranks it is the better."""
    assert is_worse(rows([9] * 36 + [None] * 4), rows([10] * 40), "rmst")
