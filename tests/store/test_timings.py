"""Samples of timings as rows."""

import numpy as np

from bench.metrics import columns as c
from bench.model.timing import Sample, Timing
from bench.model.trial import Trial
from bench.store.tables import TIMING_SCHEMA, timing_frame, timing_rows


def sample(number=1, us=7.0, seeds=range(2), **parameters):
    return Sample(
        Timing(Trial(**parameters), seeds, 3), number, 4, 1, us, us / 2, np.array([us, np.nan]), 0.5, 1.5, 1.25
    )


def test_a_sample_carries_its_trial_and_all_that_was_measured():
    """It can be read without the plan."""
    trial = Trial(hidden="4-4", backend="torch")
    (row,) = timing_frame([timing_rows([sample(hidden="4-4", backend="torch")])]).to_dict("records")
    assert row[c.TRIAL_ID] == trial.trial_id
    assert {name: row[name] for name in c.PARAMETERS} == trial.parameters
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
