import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bench.metrics import columns as c
from bench.model.gate import Gate
from bench.model.outcome import Record, Result
from bench.stats.final_patterns import (
    PATTERN,
    WRONG,
    WRONG_OBSERVATION,
    name_patterns,
    unique_rows,
    where_they_end,
)

ADDER = Gate("adder", np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), np.array([[0.0, 0], [1, 0], [1, 0], [0, 1]]))


def ends(data):
    """Return what is known of each training, with None where nothing is."""
    found = where_they_end(data)
    return [
        tuple(None if pd.isna(value) else value for value in row)
        for row in found[[WRONG, WRONG_OBSERVATION, PATTERN]].itertuples(index=False)
    ]


@pytest.mark.parametrize(
    ("predictions", "pattern"),
    [
        ([0.3336, 0.9862, 0.3336, 0.3336], "⅓ 1 ⅓ ⅓"),  # printed in the page on hidden layers
        ([1.231995e-03, 9.983570e-01, 1.666987e-09, 8.205257e-04], "0 1 0 0"),  # and in the walkthrough
        ([0.5, 0.6667, 0.25, 0.75], "½ ⅔ ¼ ¾"),
        ([0.1, 0.9, 0.11, 0.89], "0 1 · ·"),
        ([0.509, 0.511, 0.491, 0.489], "½ · ½ ·"),
        ([np.nan, np.inf, -np.inf, 2.0], "· · · ·"),
    ],
)
def test_predictions_are_named_by_what_they_are_near(predictions, pattern):
    """Ends are wide, fractions are narrow, and anything else is a dot."""
    assert name_patterns(np.array([predictions]))[0] == pattern


def test_predictions_beyond_all_targets_have_their_digits():
    """Where digits are asked for; of many predictions, those alike in a row are counted."""
    assert name_patterns(np.array([[-2.5, 3.14159, 0.5, 1e300]]), digits=True)[0] == "-2.50 3.14 ½ 100000.00"
    assert name_patterns(np.array([[0.5] * 20 + [0.0]]), digits=True)[0] == "½ ×20 0"


def test_predictions_are_read_as_the_gate_has_its_targets(trial, ended, table):
    """Whatever a trial makes of targets of 0 and 1, they are those, and the middle is a half."""
    low = ended(trial(target_low=0.1, target_high=0.9, hidden=2), [[0.1, 0.9, 0.9, 0.1], [0.5, 0.9, 0.9, 0.13]])
    both = ended(trial(target_low=-1.0, output="tanh", hidden=3), [[-1, 1, 1, -1], [-1, -0.4, 1, -0.9]])
    assert ends(table(low, both)) == [
        (0, None, "0 1 1 0"),
        (0, None, "½ 1 1 0"),
        (0, None, "0 1 1 0"),
        (1, 2, "0 · 1 0"),
    ]


def test_an_observation_is_wrong_where_any_of_its_outputs_is(trial, ended, table):
    """Of a half adder's four rows, whatever is wrong in one of them counts once."""
    data = table(
        ended(trial(gate=ADDER), [[0, 0, 1, 0, 1, 0, 1, 0], [0, 0, 1, 0, 1, 0, 0, 1], [1, 1, 0, 1, 1, 0, 0, 1]])
    )
    assert [row[:2] for row in ends(data)] == [(1, 4), (0, None), (2, None)]


def test_a_regression_has_no_wrong_side(trial, ended, table):
    """Nothing is said of it."""
    gate = Gate("line", np.array([[0.0], [1.0]]), np.array([-3.0, 2.0]))
    assert ends(table(ended(trial(gate=gate, output="linear"), [[-3, 2]]))) == [(None, None, "· ·")]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_every_prediction_has_one_name(predictions):
    """A pattern has as many names as there are predictions."""
    assert len(name_patterns(np.array([predictions]))[0].split(" ")) == len(predictions)


def test_a_training_says_how_many_it_gets_wrong_and_which_if_it_is_one(trial, ended, table):
    """Observations are counted from 1, as the tables do."""
    data = table(ended(trial(), [[0, 1, 1, 0], [0, 1, 0, 0], [0.6, 1, 1, 0], [0.5] * 4, [1, 0, 0, 1]]))
    assert ends(data) == [
        (0, None, "0 1 1 0"),
        (1, 3, "0 1 0 0"),
        (1, 1, "· 1 1 0"),
        (2, None, "½ ½ ½ ½"),
        (4, None, "1 0 0 1"),
    ]


@given(st.lists(st.lists(st.floats(0, 1), min_size=4, max_size=4), min_size=1))
def test_a_training_is_correct_if_it_gets_none_wrong(trial, ended, table, predictions):
    """The count of wrong observations and the outcome's own judgement agree."""
    data = table(ended(trial(), predictions))
    assert (where_they_end(data)[WRONG] == 0).tolist() == data[c.CORRECT].tolist()


@pytest.mark.parametrize("result", [Result.FAILED, Result.UNSUPPORTED])
def test_a_training_without_predictions_ends_nowhere(trial, ended, table, result):
    """Nothing is known of it, and its neighbours are not disturbed."""
    one = trial()
    data = table(ended(one, [[0, 1, 1, 0]]), Record(one, (1,), result=result, reason="no"))
    assert ends(data) == [(0, None, "0 1 1 0"), (None, None, None)]


@pytest.mark.parametrize("weights", [0.0, np.inf])
def test_a_diverged_training_predicts_nothing(trial, ended, table, weights):
    """What is not a number is on no side of 0.5, and infinite weights end nowhere whatever they predict."""
    predictions = [np.nan] * 4 if weights == 0 else [0, 1, 0, 0]
    data = table(ended(trial(gate="and"), [predictions], weights=weights))
    assert data[c.OUTCOME].tolist() == [Result.DIVERGED]
    assert ends(data) == [(None, None, None)]


def test_gates_of_different_sizes_stand_in_one_table(trial, ended, table):
    """Every training is held against its own gate's targets."""
    data = table(ended(trial(gate="or"), [[0, 1, 1, 0]]), ended(trial(gate="parity3"), [[0, 1, 1, 0, 1, 0, 0, 0]]))
    assert ends(data) == [(1, 4, "0 1 1 0"), (1, 8, "0 1 1 0 1 0 0 0")]


def test_what_is_known_stands_beside_its_training(trial, ended, table):
    """The rows can be joined to the trainings, whatever their order."""
    data = table(ended(trial(), [[0, 1, 1, 0], [0, 1, 0, 0]])).iloc[::-1]
    assert where_they_end(data)[WRONG].to_dict() == {1: 1, 0: 0}


def test_no_trainings_end_nowhere(table):
    """A sweep that was interrupted at once has an empty table."""
    assert where_they_end(table()).empty


@given(arrays(np.int64, st.tuples(st.integers(1, 40), st.integers(1, 20)), elements=st.sampled_from([0, 1, 64, 127])))
def test_different_rows_are_numpys(rows):
    """The oracle sorts them whole; folding loses none, however many columns there are."""
    oracle, inverse = np.unique(rows, axis=0, return_inverse=True)
    different, which = unique_rows(rows)
    assert different.tolist() == oracle.tolist()
    assert which.tolist() == inverse.tolist()


@given(arrays(np.float64, st.tuples(st.integers(1, 20), st.integers(1, 5)), elements=st.floats(0, 1)))
def test_many_are_named_as_one_by_one(predictions):
    """A training's name does not depend on which others there are."""
    assert name_patterns(predictions).tolist() == [name_patterns(row[None])[0] for row in predictions]
