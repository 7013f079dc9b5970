"""Trainings and timing samples as Arrow tables and as frames: one row each.

Shapes: T trainings, S of them with curves, C checkpoints, K recorded iterations.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from bench.config.seeds import write_seeds
from bench.metrics import columns as c
from bench.model.outcome import NEVER, Outcome, Record, read_outcome
from bench.model.timing import Sample, stretches
from bench.model.trial import Trial

TYPES: dict[str, pa.DataType] = {
    c.TRIAL_ID: pa.string(),
    c.SEED: pa.int64(),
    c.OUTCOME: pa.string(),
    c.REASON: pa.string(),
    c.SOLVED: pa.bool_(),
    c.CORRECT: pa.bool_(),
    c.SOLVED_AT: pa.int64(),
    c.CORRECT_AT: pa.int64(),
    c.FINAL_LOSS: pa.float64(),
    c.FINAL_MSE: pa.float64(),
    c.MAX_ABS_ERROR: pa.float64(),
    c.ITERATION_US: pa.float64(),
    c.ITERATIONS_DONE: pa.int64(),
    c.ALONE: pa.bool_(),
    c.TOGETHER: pa.int64(),
}
LIST = pa.list_(pa.float64())
ArrowTable: TypeAlias = pa.Table


def schema() -> pa.Schema:
    """Return the schema of a shard; hidden layers are text there, since "4-4" is one."""
    scalars = [(name, TYPES[name]) for name in c.SCALARS]
    lists = [(name, LIST) for name in (c.PREDICTIONS, *c.LISTS)]
    return pa.schema([(c.TRIAL_ID, pa.string()), (c.SEED, pa.int64()), *parameter_fields(), *scalars, *lists])


def parameter_fields() -> list[tuple[str, pa.DataType]]:
    """Return the columns of a trial's parameters, which every row carries."""
    kinds = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}
    return [(name, kinds[type(value)]) for name, value in Trial().parameters.items()]


def rows(record: Record, last_curve_seed: int) -> pa.Table:
    """Return a record's trainings as a table; lists are kept up to the last seed whose curve is wanted."""
    size = len(record.seeds)
    constant = {c.TRIAL_ID: record.trial.trial_id, **record.trial.parameters, c.ALONE: record.alone}
    arrays: dict[str, Any] = {name: _repeat(value, size) for name, value in constant.items()}
    arrays[c.SEED] = pa.array(record.seeds, pa.int64())
    arrays |= _untrained(record, size) if record.outcome is None else _trained(record, record.outcome, last_curve_seed)
    layout = schema()
    return pa.table([arrays[name].cast(layout.field(name).type) for name in layout.names], schema=layout)


def stack(tables: Sequence[pa.Table]) -> pa.Table:
    """Return all rows of tables that have the same columns."""
    return pa.concat_tables(tables) if tables else schema().empty_table()


def concat(tables: Sequence[pa.Table]) -> pa.Table:
    """Return all rows once: a training that was written twice keeps its first row."""
    table = stack(tables)
    keys = pd.DataFrame({c.TRIAL_ID: _codes(table[c.TRIAL_ID]), c.SEED: table[c.SEED].to_numpy()})
    twice = keys.duplicated()
    return table.filter(pa.array(~twice)) if twice.any() else table


def _codes(names: pa.ChunkedArray) -> NDArray[np.int64]:
    """Return a number for each name: equal names have equal numbers."""
    codes: NDArray[np.int64] = pc.index_in(names, value_set=names.unique()).to_numpy()
    return codes


def split(table: pa.Table, seeds: Sequence[int]) -> tuple[pa.Table, pa.Table]:
    """Return the trainings with these seeds, and the others."""
    if isinstance(seeds, range):
        within = pc.and_(pc.greater_equal(table[c.SEED], seeds.start), pc.less(table[c.SEED], seeds.stop))
    else:
        within = pc.is_in(table[c.SEED], value_set=pa.array(seeds, pa.int64()))
    return table.filter(within), table.filter(pc.invert(within))


def seeds_of(table: pa.Table) -> list[int]:
    """Return the seeds of a table's trainings."""
    return [int(seed) for seed in table[c.SEED].to_pylist()]


def by_trial(table: pa.Table) -> dict[str, pa.Table]:
    """Return a table for each trial."""
    ids = table[c.TRIAL_ID].to_pandas()
    return {str(name): table.take(pa.array(places)) for name, places in ids.groupby(ids).groups.items()}


def frame(table: pa.Table, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Return a table as a frame: missing iterations as NA, hidden as numbers where it can be."""
    data: pd.DataFrame = table.select(list(columns or table.column_names)).to_pandas()
    for name in (c.SOLVED_AT, c.CORRECT_AT, c.ITERATIONS_DONE, c.TOGETHER):
        if name in data:
            data[name] = data[name].astype("Int64")
    if c.HIDDEN in data and data[c.HIDDEN].str.isdigit().all():
        data[c.HIDDEN] = data[c.HIDDEN].astype(np.int64)
    return data


def _repeat(value: Any, size: int) -> pa.Array:
    return pa.repeat(pa.scalar(value), size)


def _untrained(record: Record, size: int) -> dict[str, Any]:
    trained = (*c.SCALARS, c.PREDICTIONS, *c.LISTS)
    nothing: dict[str, Any] = {name: pa.nulls(size) for name in trained if name != c.ALONE}
    no = _repeat(False, size)
    return nothing | {
        c.OUTCOME: _repeat(str(record.result), size),
        c.REASON: _repeat(record.reason, size),
        c.SOLVED: no,
        c.CORRECT: no,
    }


def _trained(record: Record, outcome: Outcome, last_curve_seed: int) -> dict[str, Any]:
    trial, size = record.trial, len(record.seeds)
    reading = read_outcome(trial, outcome)
    kept = np.asarray(record.seeds) <= last_curve_seed
    kept_seeds = [seed for seed in record.seeds if seed <= last_curve_seed]
    curved = outcome.take(np.flatnonzero(kept))
    recorded = np.searchsorted(trial.checkpoints, trial.recorded_iterations)
    return {
        c.OUTCOME: pa.array(reading.result_T.astype(object), pa.string()),
        c.REASON: pa.nulls(size, pa.string()),
        c.SOLVED: pa.array(reading.solved_T),
        c.CORRECT: pa.array(reading.correct_T),
        c.SOLVED_AT: pa.array(outcome.solved_at_T, mask=outcome.solved_at_T == NEVER),
        c.CORRECT_AT: pa.array(outcome.correct_at_T, mask=outcome.correct_at_T == NEVER),
        c.FINAL_LOSS: pa.array(reading.final_loss_T),
        c.FINAL_MSE: pa.array(reading.final_mse_T),
        c.MAX_ABS_ERROR: pa.array(reading.max_abs_error_T),
        c.ITERATION_US: pa.array(reading.iteration_us_T),
        c.ITERATIONS_DONE: pa.array(outcome.iterations_T),
        c.TOGETHER: _repeat(outcome.together, size),
        c.PREDICTIONS: _lists(outcome.predictions_TN, np.full(size, True)),
        c.CURVE: _lists(curved.loss_TC[:, recorded], kept),
        c.CURVE_US: _lists(_curve_us(trial, curved), kept),
        c.INITIAL_WEIGHTS: _lists(trial.initial_weights(kept_seeds), kept),
        c.WEIGHTS: _lists(curved.weights_TP, kept),
    }


def _curve_us(trial: Trial, outcome: Outcome) -> NDArray[np.float64]:
    """Return microseconds per iteration ``[T, K]`` between recorded iterations; NaN where none was done."""
    seconds, done = stretches(trial, outcome)
    per_iteration: NDArray[np.float64] = np.divide(
        seconds * 1e6, done, out=np.full_like(seconds, np.nan), where=done > 0
    )
    return per_iteration


def _lists(values_SX: NDArray[np.float64], kept_T: NDArray[np.bool_]) -> pa.ListArray:
    """Return one list per training: those that are kept, in order, from the values' rows; null for the others."""
    ends = np.cumsum(kept_T) * values_SX.shape[1]
    offsets = pa.array(np.concatenate([[0], ends]).astype(np.int32))
    flat = pa.array(np.ascontiguousarray(values_SX).ravel())
    return pa.ListArray.from_arrays(offsets, flat, mask=pa.array(~kept_T))


# ------------------------------------------------------------------ timings


KEY = (c.TRIAL_ID, c.SEEDS, c.ROUND)
TIMING_TYPES: dict[str, pa.DataType] = {
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
    return pa.schema([(c.TRIAL_ID, pa.string()), *parameter_fields(), *TIMING_TYPES.items()])


def timing_rows(samples: Sequence[Sample]) -> pa.Table:
    """Return samples as a table."""
    return pa.Table.from_pylist([_row(sample) for sample in samples], schema=timing_schema())


def timing_frame(tables: Sequence[pa.Table]) -> pd.DataFrame:
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
