"""Samples of timings to Arrow tables, and tables to frames: one row per timing and round."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import pyarrow as pa

from bench.experiment.seeds import write_seeds
from bench.problem.timing import Sample
from bench.tracking import columns as c
from bench.tracking.rows import LIST, Table, frame, parameter_fields

KEY = (c.TRIAL_ID, c.SEEDS, c.ROUND)
TYPES: dict[str, pa.DataType] = {
    c.SEEDS: pa.string(),
    c.TOGETHER: pa.int64(),
    c.ROUND: pa.int64(),
    c.ORDER: pa.int64(),
    c.THREADS: pa.int64(),
    c.ITERATION_US: pa.float64(),
    c.TRAINING_US: pa.float64(),
    c.CHUNK_US: LIST,
    c.COMPILE_S: pa.float64(),
    c.WALL_S: pa.float64(),
    c.CPU_S: pa.float64(),
}


def timing_schema() -> pa.Schema:
    """Return the schema of a table of timings: every row carries its trial's parameters."""
    return pa.schema([(c.TRIAL_ID, pa.string()), *parameter_fields(), *((name, TYPES[name]) for name in TYPES)])


def timing_rows(samples: Sequence[Sample]) -> Table:
    """Return samples as a table."""
    return pa.Table.from_pylist([_row(sample) for sample in samples], schema=timing_schema())


def timing_frame(tables: Sequence[Table]) -> pd.DataFrame:
    """Return all samples once, by trial, batch and round: one that was written twice keeps its first row."""
    data = frame(pa.concat_tables(tables) if tables else timing_schema().empty_table())
    return data.drop_duplicates(list(KEY)).reset_index(drop=True)


def _row(sample: Sample) -> dict[str, Any]:
    trial = sample.timing.trial
    return {
        c.TRIAL_ID: trial.trial_id,
        **trial.parameters,
        c.SEEDS: write_seeds(sample.timing.seeds),
        c.TOGETHER: len(sample.timing.seeds),
        c.ROUND: sample.round,
        c.ORDER: sample.order,
        c.THREADS: sample.threads,
        c.ITERATION_US: sample.iteration_us,
        c.TRAINING_US: sample.training_us,
        c.CHUNK_US: sample.chunk_us_K,
        c.COMPILE_S: sample.compile_s,
        c.WALL_S: sample.wall_s,
        c.CPU_S: sample.cpu_s,
    }
