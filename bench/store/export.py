"""Exports: trainings, trials and maps as files for other programs.

Shapes: T trainings.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bench.config.plan import Plan
from bench.metrics import columns as c
from bench.model.outcome import Result
from bench.store.mlflow_store import Store
from bench.store.reader import read_columns, trainings_frame
from bench.store.shards import Places, in_order, places
from bench.store.tables import LIST
from bench.user_files import as_text, written_aside

LISTS = {"curves": (c.CURVE,), "weights": (c.INITIAL_WEIGHTS, c.WEIGHTS)}  # what an export may have as well
MOST_VALUES = 10_000_000  # of lists in memory at a time: 80 MB
NAMED_BY_USERS = (c.GATE, "init_table", c.REASON)  # columns whose words are not ours
NO_TRAINING = pa.array([str(Result.FAILED), str(Result.UNSUPPORTED)])


def exported(trainings: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Return trainings with the columns of an export, a contract, and with text as text."""
    data = trainings[list(columns)]
    return data.astype({name: str for name in data if isinstance(data[name].dtype, pd.CategoricalDtype)})


def write_trainings(
    store: Store, sweep: str, plan: Plan, path: Path, lists: Sequence[str] = ()
) -> tuple[int, Counter[str]]:
    """Write all trainings of a sweep to a .parquet or .csv file, some at a time.

    The columns of ``lists`` come after those of every export. Return how many trainings there are, and of how many
    these were not kept, by the reason why: they are null there. Initial weights that were not kept are drawn again.
    """
    columns = (*c.exported(plan.parameters), *lists)
    empty = exported(trainings_frame([], plan, columns), columns)
    count, without = 0, Counter[str]()
    with written_aside(path) as file, _writer(file, path.suffix, empty, plan, columns) as write:
        for table in in_order(store, sweep, plan, read_columns(columns, plan), part=_part(plan, lists)):
            write(_with_initial_weights(table, plan) if c.INITIAL_WEIGHTS in lists else table)
            count += table.num_rows
            without += _without(table, [name for name in lists if name != c.INITIAL_WEIGHTS])
    return count, without


@contextmanager
def _writer(
    file: Path, suffix: str, empty: pd.DataFrame, plan: Plan, columns: Sequence[str]
) -> Iterator[Callable[[pa.Table], None]]:
    """Yield what writes some trainings more to a file of this kind."""
    if suffix == ".csv":
        _csv(empty).to_csv(file, index=False)
        yield lambda table: _csv(exported(trainings_frame([table], plan, columns), columns)).to_csv(
            file, mode="a", index=False, header=False
        )
        return
    schema = _schema(empty)
    with pq.ParquetWriter(file, schema) as writer:
        yield lambda table: writer.write_table(_with_parameters(table, plan, schema))


def write_export(data: pd.DataFrame, path: Path) -> None:
    """Write a frame to a .parquet or .csv file, lists as JSON, and make its folder."""
    with written_aside(path) as file:
        _csv(data).to_csv(file, index=False) if path.suffix == ".csv" else data.to_parquet(file, index=False)


def write_arrays(arrays: Mapping[str, NDArray[Any]], path: Path) -> None:
    """Write arrays to a compressed .npz file, and make its folder."""
    named: dict[str, Any] = dict(arrays)
    with written_aside(path) as file:
        np.savez_compressed(file, **named)


def _csv(data: pd.DataFrame) -> pd.DataFrame:
    """Return a frame as a CSV file has it: lists as JSON, and nothing that a spreadsheet would compute."""
    lists = [name for name in (c.PREDICTIONS, *c.LISTS) if name in data]
    words = [name for name in NAMED_BY_USERS if name in data]
    return data.assign(
        **{
            name: data[name].map(lambda found: json.dumps([float(p) for p in found]), na_action="ignore")
            for name in lists
        },
        **{name: data[name].replace({one: as_text(one) for one in data[name].unique()}) for name in words},
    )


def _schema(empty: pd.DataFrame) -> pa.Schema:
    """Return the columns of a Parquet file, with what pandas notes of its own types in one."""
    found = pa.Schema.from_pandas(empty, preserve_index=False)
    kinds = {
        **dict.fromkeys((c.PREDICTIONS, *c.LISTS), LIST),
        c.REASON: pa.large_string(),
    }  # of which an empty frame knows nothing
    return pa.schema([field.with_type(kinds.get(field.name, field.type)) for field in found], found.metadata)


def _with_parameters(table: pa.Table, plan: Plan, schema: pa.Schema) -> pa.Table:
    """Return the columns of an export: results as they were written, what is the same for a trial from the plan."""
    trials, place_T = [planned.trial for planned in plan.trials], pa.array(_places(table, plan))
    columns = []
    for field in schema:
        if field.name in c.PARAMETERS:
            values = [trial.parameters[field.name] for trial in trials]
            known = pa.array([int(value) if pa.types.is_integer(field.type) else value for value in values], field.type)
            columns.append(known.take(place_T))
        else:
            columns.append(table[field.name].cast(field.type))
    return pa.table(columns, schema=schema)


# ------------------------------------------------------------------ lists


def _part(plan: Plan, lists: Sequence[str]) -> int | None:
    """Return how many trainings with these lists are read at a time; None without lists, which leave it as it is."""
    if not lists or not plan.trials:
        return None
    trials = [planned.trial for planned in plan.trials]
    sizes = [
        (len(one.recorded_iterations) if name == c.CURVE else one.network.parameters)
        for one in trials
        for name in lists
    ]
    return max(MOST_VALUES // (max(sizes) * len(lists)), 1)


def _without(table: pa.Table, lists: Sequence[str]) -> Counter[str]:
    """Return why, and how often, trainings have none of the lists that are kept of some."""
    if not lists:
        return Counter()
    missing_T, failed_T = pc.is_null(table[lists[0]]), pc.is_in(table[c.OUTCOME], value_set=NO_TRAINING)
    beyond, failed = (
        int(pc.sum(pc.and_(missing_T, flags_T)).as_py() or 0) for flags_T in (pc.invert(failed_T), failed_T)
    )
    why = {
        f"they are kept for the first {c.CURVES_PER_TRIAL:,} seeds of each trial": beyond,
        "they failed, or their backend refused them": failed,
    }
    return +Counter(why)


def _with_initial_weights(table: pa.Table, plan: Plan) -> pa.Table:
    """Return trainings with the initial weights that were not kept drawn again: a trial and a seed give the same."""
    kept = table[c.INITIAL_WEIGHTS].combine_chunks()
    missing_T = kept.is_null().to_numpy(zero_copy_only=False)
    if not missing_T.any():
        return table
    place_T, seed_T = _places(table, plan), table[c.SEED].to_numpy()
    sizes_T, drawn = np.zeros(len(table), dtype=np.int64), []
    for place in np.unique(place_T[missing_T]):  # rows are in the plan's order
        trial, own_T = plan.trials[place].trial, missing_T & (place_T == place)
        sizes_T[own_T] = trial.network.parameters
        seeds, at_once = seed_T[own_T], max(MOST_VALUES // (trial.draws_before + trial.network.parameters), 1)
        drawn += [trial.initial_weights(seeds[at : at + at_once]).ravel() for at in range(0, len(seeds), at_once)]
    offsets = pa.array(np.concatenate([[0], np.cumsum(sizes_T)]).astype(np.int32))
    again = pa.ListArray.from_arrays(offsets, pa.array(np.concatenate(drawn)), mask=pa.array(~missing_T))
    column = pc.if_else(pa.array(missing_T), again, kept)
    return table.set_column(table.column_names.index(c.INITIAL_WEIGHTS), c.INITIAL_WEIGHTS, column)


def _places(table: pa.Table, plan: Plan) -> Places:
    """Return the place ``[T]`` of each training's trial in the plan."""
    return places(table[c.TRIAL_ID], [planned.trial.trial_id for planned in plan.trials])
