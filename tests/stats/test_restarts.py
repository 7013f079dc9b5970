"""How many starts it takes, and when to give one up."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from bench.metrics import columns as c
from bench.stats.proportions import exact_interval
from bench.stats.restarts import BEST, BEST_ERT, GAIN, NEEDED, at_least_one, costs, restarts, shorter_budgets
from bench.stats.survival import AT, ERT, times_to_solution


def trainings(times, budget, name="a"):
    """Return a frame of one trial that solved at these iterations, those after the budget not at all."""
    solved = np.asarray(times) <= budget
    return pd.DataFrame(
        {
            c.TRIAL_ID: name,
            c.SEED: range(len(times)),
            c.OUTCOME: np.where(solved, "solved", "stuck"),
            c.SOLVED: solved,
            c.SOLVED_AT: pd.array(np.where(solved, times, 0), dtype="Int64"),
            c.ITERATIONS: budget,
            c.ITERATION_US: 1.0,
        }
    )


def test_the_best_of_two_starts_fails_where_both_do():
    """Of four starts one solves it: of all pairs of draws, 7 of 16 have it."""
    share, low, high = at_least_one(1, 4, [1, 2])
    pairs = [any(pair) for pair in itertools.product([1, 0, 0, 0], repeat=2)]
    ends = binomtest(1, 4).proportion_ci(method="exact")
    assert share == pytest.approx([0.25, np.mean(pairs)])
    assert (low[1], high[1]) == pytest.approx((1 - (1 - ends.low) ** 2, 1 - (1 - ends.high) ** 2))


@given(st.integers(0, 50), st.integers(1, 50))
def test_the_starts_that_are_needed_are_the_fewest_that_are_enough(solved, more):
    """With one fewer it is below 99 %; and their interval is where the ends of the rate's own are."""
    size = solved + more
    row = restarts(trainings([5] * solved + [200] * more, 100)).iloc[0]
    if not solved:
        assert row[NEEDED] == np.inf
        return
    assert at_least_one(solved, size, row[NEEDED])[0] >= 0.99 - 1e-12
    assert row[NEEDED] == 1 or at_least_one(solved, size, row[NEEDED] - 1)[0] < 0.99
    low, high = exact_interval(solved, size)
    assert row[f"{NEEDED}_low"] == max(math.ceil(math.log(0.01) / math.log1p(-high) - 1e-9), 1)
    assert row[f"{NEEDED}_high"] == math.ceil(math.log(0.01) / math.log1p(-low) - 1e-9)


def test_a_start_is_given_up_when_those_that_are_still_unsolved_are_stuck():
    """Half solve it at 20 and half never: after 25 of 100 iterations, (20 + 25) in place of (20 + 100)."""
    row = restarts(trainings([20] * 500 + [200] * 500, 100)).iloc[0]
    assert (row[BEST], row[BEST_ERT], row[ERT]) == (25, 45, 120)
    assert row[GAIN]


def test_where_all_solve_it_there_is_nothing_to_give_up():
    """Half of them take longer than a shorter budget has."""
    row = restarts(trainings([70, 90] * 50, 100)).iloc[0]
    assert row[BEST] == 100
    assert not row[GAIN]


def test_where_none_solves_it_nothing_is_known():
    """No budget is better than another."""
    row = restarts(trainings([200] * 20, 100)).iloc[0]
    assert np.isinf([row[NEEDED], row[BEST_ERT], row[ERT]]).all()
    assert not row[GAIN]


def test_the_whole_budgets_cost_is_the_expected_running_time():
    """The same estimate, in a wider interval: it is to hold beside those of all other budgets and trials."""
    data = pd.concat([trainings([20, 30, 200] * 30, 100, "a"), trainings([3, 300, 300] * 30, 200, "b")])
    table, known = restarts(data).set_index(c.TRIAL_ID), times_to_solution(data).set_index(c.TRIAL_ID)
    assert table[ERT].to_dict() == known[ERT].to_dict()
    assert (table["ert_low"] < known["ert_low"]).all()
    assert (table["ert_high"] > known["ert_high"]).all()


@given(st.lists(st.integers(1, 300), min_size=1, max_size=40))
def test_a_shorter_budget_costs_what_its_trainings_would_have(times):
    """As if the sweep had had that budget: everything spent, for each solution."""
    found = costs(trainings(times, 200))
    assert found[AT].tolist() == shorter_budgets(200).tolist()
    for at, cost in zip(found[AT], found[ERT], strict=True):
        solved = sum(time <= at for time in times)
        assert cost == pytest.approx(sum(min(time, at) for time in times) / solved if solved else np.inf)


@pytest.mark.parametrize(("budget", "expected"), [(64, [16, 22, 32, 45, 64]), (16, [16]), (3, [3]), (1, [1])])
def test_budgets_are_the_whole_over_powers_of_the_root_of_two(budget, expected):
    """Down to sixteen iterations: they do not depend on what is seen."""
    assert shorter_budgets(budget).tolist() == expected
