"""Trainings and timing samples, a row each, as Arrow tables, in Parquet files and as frames.

Shapes: T trainings, S of them with curves, K recorded iterations.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bench.config.seeds import write_seeds
from bench.errors import RequestError
from bench.metrics import columns as c
from bench.model.outcome import NEVER, Outcome, Reading, Record, Result, read_outcome
from bench.model.timing import Sample, stretches
from bench.model.trial import BASIC, Scalar, Trial
from bench.store import names

ArrowTable: TypeAlias = pa.Table
LIST = pa.list_(pa.float64())
TEXTS = (c.TRIAL_ID, c.SEEDS, c.OUTCOME, c.REASON)
FLAGS = (c.SOLVED, c.CORRECT, c.ALONE)
COUNTS = (c.SEED, c.SOLVED_AT, c.CORRECT_AT, c.ITERATIONS_DONE, c.TOGETHER, c.ROUND, c.ORDER, c.THREADS)
LISTS = (c.PREDICTIONS, *c.LISTS, c.CHUNK_US)
NOT_WHOLE = (pa.ArrowException, OSError, KeyError, UnicodeDecodeError)  # what reading a file raises that is not whole
CHECKSUMS = {"write_page_checksum": True}  # of every page, verified when it is read; older files have none
NAMED_ROWS = re.compile(rf"-(\d+){names.ROWS}\b")  # in a shard's name; older ones have none
GROUP = 4096  # rows; of a group without wanted lists none is read
MAY_BE_MISSING = (c.SOLVED_AT, c.CORRECT_AT, c.ITERATIONS_DONE, c.TOGETHER)


def _schema(*names: str) -> pa.Schema:
    """Return the schema of these columns; hidden layers are text, since "4-4" is one."""
    by_kind = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}
    types = {name: by_kind[type(value)] for name, value in Trial().parameters.items()}
    for some, kind in ((TEXTS, pa.string()), (FLAGS, pa.bool_()), (COUNTS, pa.int64()), (LISTS, LIST)):
        types |= dict.fromkeys(some, kind)
    return pa.schema([(name, types.get(name, pa.float64())) for name in names])


TRAINING_SCHEMA = _schema(c.TRIAL_ID, c.SEED, *BASIC, *c.SCALARS, c.PREDICTIONS, *c.LISTS)
EVERY_COLUMN = _schema(*TRAINING_SCHEMA.names, *c.DIAGNOSTICS)
TIMING_SCHEMA = _schema(
    *(c.TRIAL_ID, *BASIC, c.SEEDS, c.TOGETHER, c.ROUND, c.ORDER, c.THREADS),
    *(c.ITERATION_US, c.TRAINING_US, c.CHUNK_US, c.COMPILE_S, c.WALL_S, c.CPU_S),
)


def training_schema(parameters: Collection[str]) -> pa.Schema:
    """Return the schema of trainings whose trials set these parameters."""
    return EVERY_COLUMN if c.diagnostics_of(parameters) else TRAINING_SCHEMA


def rows(record: Record, last_curve_seed: int) -> pa.Table:
    """Return a record's trainings as a table; lists are kept up to the last seed whose curve is wanted."""
    columns = {c.TRIAL_ID: record.trial.trial_id, c.SEED: np.array(record.seeds), c.ALONE: record.alone}
    columns |= record.trial.parameters
    if record.outcome is None:
        columns |= {c.OUTCOME: str(record.result), c.REASON: record.reason, c.SOLVED: False, c.CORRECT: False}
    else:
        columns |= _trained(record, record.outcome, last_curve_seed)
    schema = training_schema(record.trial.content)
    return pa.table(
        [_column(columns.get(field.name), field.type, len(record.seeds)) for field in schema], schema=schema
    )


def _column(value: Any, kind: pa.DataType, size: int) -> Any:
    """Return the values of every row: those given, or one value for all of them."""
    return pa.repeat(pa.scalar(value, kind), size) if value is None or isinstance(value, Scalar) else value


def _trained(record: Record, outcome: Outcome, last_curve_seed: int) -> dict[str, Any]:
    """Return the columns of the results of trainings."""
    trial = record.trial
    reading = read_outcome(trial, outcome)
    kept = np.asarray(record.seeds) <= last_curve_seed
    kept_seeds = [seed for seed in record.seeds if seed <= last_curve_seed]
    curved = outcome.take(np.flatnonzero(kept))
    recorded = np.searchsorted(trial.checkpoints, trial.recorded_iterations)
    seconds_SK, done_SK = stretches(trial, curved)
    curve_us_SK = np.divide(seconds_SK * 1e6, done_SK, out=np.full_like(seconds_SK, np.nan), where=done_SK > 0)
    return {
        c.OUTCOME: reading.result_T.astype(object),
        c.SOLVED: reading.solved_T,
        c.CORRECT: reading.correct_T,
        c.SOLVED_AT: pa.array(outcome.solved_at_T, mask=outcome.solved_at_T == NEVER),
        c.CORRECT_AT: pa.array(outcome.correct_at_T, mask=outcome.correct_at_T == NEVER),
        c.FINAL_LOSS: reading.final_loss_T,
        c.FINAL_MSE: reading.final_mse_T,
        c.MAX_ABS_ERROR: reading.max_abs_error_T,
        c.ITERATION_US: reading.iteration_us_T,
        c.ITERATIONS_DONE: outcome.iterations_T,
        c.TOGETHER: outcome.together,
        c.PREDICTIONS: _lists(outcome.predictions_TN, np.full(len(kept), True)),
        c.CURVE: _lists(curved.loss_TC[:, recorded], kept),
        c.CURVE_US: _lists(curve_us_SK, kept),
        c.INITIAL_WEIGHTS: _lists(trial.initial_weights(kept_seeds), kept),
        c.WEIGHTS: _lists(curved.weights_TP, kept),
        **_diagnostics(outcome, reading),
    }


def _diagnostics(outcome: Outcome, reading: Reading) -> dict[str, Any]:
    """Return the columns of diagnostics, where there are any; null where a training diverged."""
    if outcome.diagnostics_TD is None:
        return {}
    missing_TD = np.isnan(outcome.diagnostics_TD) | (reading.result_T == Result.DIVERGED)[:, None]
    columns = zip(c.DIAGNOSTICS, outcome.diagnostics_TD.T, missing_TD.T, strict=True)
    return {name: pa.array(values_T, mask=missing_T) for name, values_T, missing_T in columns}


def _lists(values_SX: NDArray[np.float64], kept_T: NDArray[np.bool_]) -> pa.ListArray:
    """Return one list per training: those that are kept, in order, from the values' rows; null for the others."""
    ends = np.cumsum(kept_T) * values_SX.shape[1]
    offsets = pa.array(np.concatenate([[0], ends]).astype(np.int32))
    flat = pa.array(np.ascontiguousarray(values_SX).ravel())
    return pa.ListArray.from_arrays(offsets, flat, mask=pa.array(~kept_T))


def timing_rows(samples: Sequence[Sample]) -> pa.Table:
    """Return samples as a table."""
    return pa.Table.from_pylist([_timing_row(sample) for sample in samples], schema=TIMING_SCHEMA)


def _timing_row(sample: Sample) -> dict[str, Any]:
    """Return a sample's columns and its trial's parameters; most columns have the names of fields."""
    trial, seeds = sample.timing.trial, sample.timing.seeds
    named = {c.TRIAL_ID: trial.trial_id, c.SEEDS: write_seeds(seeds), c.TOGETHER: len(seeds)}
    return {**vars(sample), **trial.parameters, **named, c.CHUNK_US: sample.chunk_us_K}


def concat(
    tables: Sequence[pa.Table], schema: pa.Schema = TRAINING_SCHEMA, key: Sequence[str] = (c.TRIAL_ID, c.SEED)
) -> pa.Table:
    """Return all rows once: one whose key was written twice keeps its first row.

    What only some tables have, as diagnostics, is null in the others.
    """
    table = pa.concat_tables(tables, promote_options="default") if tables else schema.empty_table()
    twice = table.select(key).to_pandas(strings_to_categorical=True).duplicated()
    return table.filter(pa.array(~twice)) if twice.any() else table


def stack(tables: Sequence[pa.Table]) -> pa.Table:
    """Return all rows of tables that have the same columns."""
    return pa.concat_tables(tables) if tables else TRAINING_SCHEMA.empty_table()


def split(table: pa.Table, seeds: Sequence[int]) -> tuple[pa.Table, pa.Table]:
    """Return the trainings with these seeds, and the others."""
    if isinstance(seeds, range):
        within = pc.and_(pc.greater_equal(table[c.SEED], seeds.start), pc.less(table[c.SEED], seeds.stop))
    else:
        within = pc.is_in(table[c.SEED], value_set=pa.array(seeds, pa.int64()))
    return table.filter(within), table.filter(pc.invert(within))


def seeds_of(table: pa.Table) -> NDArray[np.int64]:
    """Return the seeds of a table's trainings."""
    return np.asarray(table[c.SEED].to_numpy(), dtype=np.int64)


def count_outcomes(table: pa.Table, wanted_T: NDArray[np.bool_]) -> Counter[str]:
    """Return how many of the wanted trainings have each outcome, and how many are correct."""
    wanted = table.select([c.OUTCOME, c.CORRECT]).filter(pa.array(wanted_T))
    counts = Counter({found["values"]: found["counts"] for found in wanted[c.OUTCOME].value_counts().to_pylist()})
    return counts + Counter({c.CORRECT: int(pc.sum(wanted[c.CORRECT]).as_py() or 0)})


def by_trial(table: pa.Table) -> dict[str, pa.Table]:
    """Return a table for each trial."""
    ids = table[c.TRIAL_ID].to_pandas()
    return {str(name): table.take(pa.array(places)) for name, places in ids.groupby(ids).groups.items()}


def frame(table: pa.Table, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Return a table as a frame: missing iterations as NA, hidden as numbers where it can be."""
    data: pd.DataFrame = table.select(list(columns or table.column_names)).to_pandas()
    data = data.astype({name: "Int64" for name in MAY_BE_MISSING if name in data})
    if c.HIDDEN in data and data[c.HIDDEN].str.isdigit().all():
        data[c.HIDDEN] = data[c.HIDDEN].astype(np.int64)
    return data


def timing_frame(tables: Sequence[pa.Table]) -> pd.DataFrame:
    """Return all samples once, by trial, batch and round."""
    return frame(concat(tables, TIMING_SCHEMA, (c.TRIAL_ID, c.SEEDS, c.ROUND)))


# ------------------------------------------------------------------ Parquet files


def write_table(table: pa.Table, path: Path) -> None:
    """Write a table; numbers that hardly repeat are split by their bytes, which makes them a third smaller."""
    floats = {field.name: field.type for field in table.schema if field.type in (pa.float64(), LIST)}
    numbers = [name for name in floats if name not in c.PARAMETERS]
    split = [f"{name}.list.element" if floats[name] == LIST else name for name in numbers]
    pq.write_table(
        table,
        path,
        compression="zstd",
        row_group_size=GROUP,
        use_dictionary=[name for name in table.column_names if name not in numbers],
        column_encoding=dict.fromkeys(split, "BYTE_STREAM_SPLIT"),
        **CHECKSUMS,
    )


class BrokenShardError(RequestError):
    """A shard that is whole, and not what was written."""


@contextmanager
def shard_file(path: Path) -> Iterator[pq.ParquetFile | None]:
    """Yield a shard to read from, each of whose pages is verified, or None if a kill cut it off.

    That may be of older ones alone, whose names do not say how many rows they have: these had a name before they were
    whole. Raise BrokenShardError where what is read is not what was written: other bytes, rows or types.
    """
    named = NAMED_ROWS.search(path.name)
    try:
        file = pq.ParquetFile(path, page_checksum_verification=True)
    except NOT_WHOLE as error:
        if named:
            raise _broken(path, error) from error
        yield None
        return
    try:
        with file:
            if named and int(named[1]) != file.metadata.num_rows:
                raise pa.ArrowInvalid(f"it has {file.metadata.num_rows} rows, and was written with {named[1]}")
            yield file
    except NOT_WHOLE as error:
        raise _broken(path, error) from error


def _broken(path: Path, error: Exception) -> BrokenShardError:
    why = (str(error).splitlines() or [type(error).__name__])[0]
    return BrokenShardError(
        f"shard {str(path)!r} is not what was written: {why}; python -m bench doctor --repair sets it aside, and "
        "--resume trains again what was in it"
    )


def is_whole(path: Path, schema: pa.Schema | None) -> bool:
    """Whether all of a shard can be read, by a schema if there is one; raise BrokenShardError if it is broken."""
    with shard_file(path) as file:
        if file is None:
            return False
        for group in range(file.num_row_groups):
            table = file.read_row_group(group)
            if schema is not None:
                with_nulls(table, schema)
        return True


def count_rows(path: Path) -> int:
    """Return how many rows a file has; none if it is not whole."""
    try:
        return int(pq.read_metadata(path).num_rows)
    except NOT_WHOLE:
        return 0


def read_table(path: Path, schema: pa.Schema, last_seeds: Mapping[str, int] | None) -> pa.Table | None:
    """Return a file's wanted columns and trials, or None if it was cut off; raise BrokenShardError if it is broken."""
    with shard_file(path) as file:
        if file is None:
            return None
        if last_seeds is None:
            return with_nulls(file.read(schema.names), schema)
        groups = (_read_group(file, group, schema, last_seeds) for group in range(file.num_row_groups))
        return pa.concat_tables([schema.empty_table(), *groups])


def with_nulls(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return a table's columns by a schema; of trials that ask for no diagnostics, these are null."""
    for name in c.DIAGNOSTICS:
        if name in schema.names and name not in table.column_names:
            table = table.append_column(name, pa.nulls(table.num_rows, schema.field(name).type))
    return table.select(schema.names).cast(schema)


def _read_group(file: pq.ParquetFile, group: int, schema: pa.Schema, last_seeds: Mapping[str, int]) -> pa.Table:
    """Return the wanted trials of one group of rows; of a group that has none, no more than names is read."""
    named = file.read_row_group(group, [c.TRIAL_ID, c.SEED])
    last_T = pc.take(
        pa.array(last_seeds.values(), pa.int64()),
        pc.index_in(named[c.TRIAL_ID], value_set=pa.array(last_seeds.keys(), pa.string())),
    )
    if last_T.null_count == len(last_T):
        return schema.empty_table()
    kept_T = pc.less_equal(named[c.SEED], last_T)
    any_kept = pc.any(kept_T).as_py()
    table = file.read_row_group(group, [name for name in schema.names if any_kept or name not in c.LISTS])
    known = pa.schema([field for field in schema if any_kept or field.name not in c.LISTS])
    table = with_nulls(table, known)

    def column(name: str) -> Any:
        if name not in c.LISTS:
            return table[name]
        return pc.if_else(kept_T, table[name], None) if any_kept else pa.nulls(len(kept_T))

    return pa.table([column(name) for name in schema.names], schema=schema).filter(last_T.is_valid())
