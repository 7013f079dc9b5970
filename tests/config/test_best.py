"""The best of several trials, and the front of several values."""

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.config.search_state import Candidate, best, front

VALUES = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=25)


@given(VALUES, st.tuples(*[st.sampled_from(["minimize", "maximize"])] * 2))
def test_the_front_is_optunas(values, directions):
    """An independent implementation finds the same trials."""
    candidates = [Candidate(n, str(n), tuple(map(float, pair))) for n, pair in enumerate(values)]
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(directions=list(directions))
    study.add_trials([optuna.trial.create_trial(values=list(map(float, pair))) for pair in values])
    assert {c.number for c in front(candidates, directions)} == {trial.number for trial in study.best_trials}


@given(st.lists(st.integers(0, 5), min_size=1, max_size=12), st.integers(1, 12))
def test_the_best_come_in_order_and_each_trial_once(values, most):
    """A trial that was proposed twice is one trial; of equal ones the first comes first."""
    candidates = [Candidate(n, str(value), (float(value),)) for n, value in enumerate(values)]
    found = best(candidates, ["minimize"], most)
    assert [one.values[0] for one in found] == sorted(set(map(float, values)))[:most]
    assert all(one.number == values.index(int(one.values[0])) for one in found)


def test_a_trial_beyond_its_constraints_is_never_before_one_within():
    """However good it is; where none is within, the least violation counts."""
    within, beyond, further = (
        Candidate(0, "a", (9.0,)),
        Candidate(1, "b", (1.0,), violation=0.1),
        Candidate(2, "c", (0.0,), violation=0.2),
    )
    assert best([within, beyond, further], ["minimize"], 5) == [within]
    assert best([further, beyond], ["minimize"], 5) == [beyond, further]


def test_of_a_long_front_its_ends_are_kept():
    """Those between are taken at even places."""
    line = [Candidate(n, str(n), (float(n), float(10 - n))) for n in range(11)]
    assert [one.number for one in best(line, ["minimize", "minimize"], 3)] == [0, 5, 10]


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_nothing_has_no_best(direction):
    """An empty search has none."""
    assert best([], [direction], 3) == []
