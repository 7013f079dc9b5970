"""Exports: trainings, trials and maps as files for other programs."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bench.config.plan import Plan
from bench.metrics import columns as c
from bench.store.mlflow_store import Store
from bench.store.reader import read_columns, trainings_frame
from bench.store.shards import in_order, places
from bench.store.tables import LIST


def exported(trainings: pd.DataFrame) -> pd.DataFrame:
    """Return trainings with the columns of an export, a contract, and with text as text."""
    data = trainings[list(c.EXPORT)]
    return data.astype({name: str for name in data if isinstance(data[name].dtype, pd.CategoricalDtype)})


def write_trainings(store: Store, sweep: str, plan: Plan, path: Path) -> int:
    """Write all trainings of a sweep to a .parquet or .csv file, some at a time; return how many there are."""
    tables = in_order(store, sweep, plan, read_columns(c.EXPORT))
    empty = exported(trainings_frame([], plan, c.EXPORT))
    count = 0
    with _written(path) as file:
        if path.suffix == ".csv":
            _csv(empty).to_csv(file, index=False)
            for table in tables:
                _csv(exported(trainings_frame([table], plan, c.EXPORT))).to_csv(
                    file, mode="a", index=False, header=False
                )
                count += table.num_rows
            return count
        schema = _schema(empty)
        with pq.ParquetWriter(file, schema) as writer:
            for table in tables:
                writer.write_table(_with_parameters(table, plan, schema))
                count += table.num_rows
    return count


def write_export(data: pd.DataFrame, path: Path) -> None:
    """Write a frame to a .parquet or .csv file, lists as JSON, and make its folder."""
    with _written(path) as file:
        _csv(data).to_csv(file, index=False) if path.suffix == ".csv" else data.to_parquet(file, index=False)


def write_arrays(arrays: Mapping[str, NDArray[Any]], path: Path) -> None:
    """Write arrays to a compressed .npz file, and make its folder."""
    named: dict[str, Any] = dict(arrays)
    with _written(path) as file:
        np.savez_compressed(file, **named)


@contextmanager
def _written(path: Path) -> Iterator[Path]:
    """Yield a path beside, whose file gets the name when it is whole: what was there before stays until then."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        yield beside
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _csv(data: pd.DataFrame) -> pd.DataFrame:
    if c.PREDICTIONS not in data:
        return data
    lists = data[c.PREDICTIONS].map(lambda found: json.dumps([float(p) for p in found]), na_action="ignore")
    return data.assign(**{c.PREDICTIONS: lists})


def _schema(empty: pd.DataFrame) -> pa.Schema:
    """Return the columns of a Parquet file, with what pandas notes of its own types in one."""
    found = pa.Schema.from_pandas(empty, preserve_index=False)
    kinds = {c.PREDICTIONS: LIST, c.REASON: pa.large_string()}  # of which an empty frame knows nothing
    return pa.schema([field.with_type(kinds.get(field.name, field.type)) for field in found], found.metadata)


def _with_parameters(table: pa.Table, plan: Plan, schema: pa.Schema) -> pa.Table:
    """Return the columns of an export: results as they were written, what is the same for a trial from the plan."""
    trials = [planned.trial for planned in plan.trials]
    place_T = pa.array(places(table[c.TRIAL_ID], [trial.trial_id for trial in trials]))
    columns = []
    for field in schema:
        if field.name in c.PARAMETERS:
            values = [trial.parameters[field.name] for trial in trials]
            known = pa.array([int(value) if pa.types.is_integer(field.type) else value for value in values], field.type)
            columns.append(known.take(place_T))
        else:
            columns.append(table[field.name].cast(field.type))
    return pa.table(columns, schema=schema)
