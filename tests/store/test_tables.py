"""Rows of trainings and of timings: what they say, and that a file loses nothing of them."""

import struct

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.backends import load
from bench.metrics import columns as c
from bench.model.outcome import Batch, Record, Result
from bench.model.timing import Sample, Timing
from bench.model.trial import BASIC, Trial
from bench.store.tables import (
    GROUP,
    TIMING_SCHEMA,
    TRAINING_SCHEMA,
    concat,
    frame,
    rows,
    timing_frame,
    timing_rows,
    write_table,
)

NUMBERS = st.one_of(st.none(), st.floats())
ROW = st.fixed_dictionaries(
    {
        c.TRIAL_ID: st.sampled_from(["a", "b"]),
        c.SEED: st.integers(0, 2**32 - 1),
        c.FINAL_LOSS: NUMBERS,
        c.SOLVED_AT: st.one_of(st.none(), st.integers(0, 2**40)),
        c.CURVE: st.one_of(st.none(), st.lists(st.floats(), max_size=5)),
    }
)


def trained(seeds=(0, 1, 2), last=10, **parameters):
    trial = Trial(**{"iterations": 40, "curve_points": 10, **parameters})
    return rows(Record(trial, tuple(seeds), outcome=load("numpy").train(Batch.of(trial, seeds))), last)


def test_a_row_carries_every_parameter_of_its_trial():
    """A row can be read without the plan."""
    data = frame(trained(hidden="4-4", loss="bce"))
    trial = Trial(iterations=40, curve_points=10, hidden="4-4", loss="bce")
    assert {name: data[name].iloc[0] for name in BASIC} == trial.content


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


# ------------------------------------------------------------------ files


def bits(value):
    """Return what tells two numbers apart, a NaN of one sign from that of another too."""
    if isinstance(value, list):
        return [bits(item) for item in value]
    return struct.pack("d", value) if isinstance(value, float) else value


@given(st.lists(ROW, max_size=20), st.sampled_from([1, 7, GROUP]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_number_comes_back_bit_for_bit(tmp_path, written, group):
    """Missing ones, infinities and lists of any length included."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bench.store.tables.GROUP", group)
        write_table(pa.Table.from_pylist(written, schema=TRAINING_SCHEMA), tmp_path / "x.parquet")
    back = pq.read_table(tmp_path / "x.parquet").to_pylist()
    assert [{name: bits(row[name]) for name in sent} for row, sent in zip(back, written, strict=True)] == [
        {name: bits(value) for name, value in sent.items()} for sent in written
    ]


# ------------------------------------------------------------------ timings


def sample(number=1, us=7.0, seeds=range(2), **parameters):
    return Sample(
        Timing(Trial(**parameters), seeds, 3), number, 4, 1, us, us / 2, np.array([us, np.nan]), 0.5, 1.5, 1.25
    )


def test_a_sample_carries_its_trial_and_all_that_was_measured():
    """It can be read without the plan."""
    trial = Trial(hidden="4-4", backend="torch")
    (row,) = timing_frame([timing_rows([sample(hidden="4-4", backend="torch")])]).to_dict("records")
    assert row[c.TRIAL_ID] == trial.trial_id
    assert {name: row[name] for name in BASIC} == trial.content
    assert [row[name] for name in (c.SEEDS, c.TOGETHER, c.ROUND, c.ORDER, c.THREADS)] == ["0:2", 2, 1, 4, 1]
    assert [row[name] for name in (c.ITERATION_US, c.TRAINING_US, c.COMPILE_S, c.WALL_S, c.CPU_S)] == [
        7.0,
        3.5,
        0.5,
        1.5,
        1.25,
    ]
    np.testing.assert_array_equal(row[c.CHUNK_US], [7.0, np.nan])


def test_a_sample_that_was_written_twice_keeps_its_first_row():
    """The same trial, seeds and round; another round, and other seeds, are another sample."""
    tables = [timing_rows([sample(us=us), sample(number=2, us=us), sample(seeds=range(2, 4), us=us)]) for us in (7, 8)]
    data = timing_frame(tables)
    assert data[c.ITERATION_US].tolist() == [7, 7, 7]


def test_no_samples_are_an_empty_frame_with_its_columns():
    """A sweep in which nothing was alone."""
    data = timing_frame([])
    assert data.empty
    assert list(data.columns) == TIMING_SCHEMA.names
