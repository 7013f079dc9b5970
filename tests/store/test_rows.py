"""Records to tables: what a row says of a training."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from bench.backends import load
from bench.metrics import columns as c
from bench.model.outcome import Batch, Record, Result
from bench.model.trial import Trial
from bench.store.tables import TRAINING_SCHEMA, concat, frame, rows


def trained(seeds=(0, 1, 2), last=10, **parameters):
    trial = Trial(**{"iterations": 40, "curve_points": 10, **parameters})
    return rows(Record(trial, tuple(seeds), outcome=load("numpy").train(Batch.of(trial, seeds))), last)


def test_a_row_carries_every_parameter_of_its_trial():
    """A row can be read without the plan."""
    data = frame(trained(hidden="4-4", loss="bce"))
    trial = Trial(iterations=40, curve_points=10, hidden="4-4", loss="bce")
    assert {name: data[name].iloc[0] for name in c.PARAMETERS} == trial.parameters


def test_hidden_is_a_number_where_every_layer_is_single():
    """Scripts compare hidden == 3; "4-4" makes the column text."""
    assert frame(trained(hidden=2))[c.HIDDEN].tolist() == [2, 2, 2]
    assert set(frame(concat([trained(hidden=2), trained(hidden="2-2")]))[c.HIDDEN]) == {"2", "2-2"}


def test_an_untrained_row_has_a_reason_and_is_not_solved():
    """Failed and unsupported trainings keep their place in the table."""
    trial = Trial()
    data = frame(rows(Record(trial, (5,), result=Result.FAILED, reason="out of luck"), 10))
    row = data.iloc[0]
    assert (row[c.OUTCOME], row[c.REASON], row[c.SOLVED], row[c.CORRECT]) == ("failed", "out of luck", False, False)
    assert row[c.PREDICTIONS] is None
    assert pd.isna(row[c.SOLVED_AT])
    assert pd.isna(row[c.FINAL_MSE])


def test_curves_are_kept_for_the_first_seeds_only():
    """Beyond the limit a row has its figures and no lists."""
    data = frame(trained(seeds=(0, 1, 2), last=1))
    assert data[c.CURVE].notna().tolist() == [True, True, False]
    assert data[c.WEIGHTS].notna().tolist() == [True, True, False]
    assert data[c.PREDICTIONS].notna().all()


def test_iterations_that_never_came_are_missing():
    """A training that never solved has no solved_at."""
    data = frame(trained(hidden=0))
    assert data[c.SOLVED_AT].isna().all()
    assert str(data[c.SOLVED_AT].dtype) == "Int64"


@pytest.mark.parametrize("points", [7, 10, 100])
def test_time_per_iteration_adds_up_to_the_whole(points):
    """The recorded chunks' times are those of the whole training, whatever the points."""
    data = frame(trained(iterations=40, curve_points=points))
    recorded = Trial(iterations=40, curve_points=points).recorded_iterations
    lengths = np.diff([*recorded, 40])
    for _, row in data.iterrows():
        assert np.dot(row[c.CURVE_US], lengths) == pytest.approx(row[c.ITERATION_US] * 40)


def test_an_empty_table_has_the_columns():
    """A sweep that was interrupted before its first shard can be read."""
    data = frame(concat([]))
    assert set(data.columns) == set(TRAINING_SCHEMA.names)
    assert data.empty


def test_concat_keeps_the_first_of_two_rows_of_one_training():
    """A training is named by trial and seed for ever."""
    one = trained(seeds=(0, 1))
    both = concat([one, trained(seeds=(1, 2))])
    assert both[c.SEED].to_pylist() == [0, 1, 2]
    assert isinstance(both, pa.Table)
