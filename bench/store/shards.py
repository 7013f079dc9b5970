"""Shards of a sweep: trainings as they were written, or each once, in order and a part at a time.

The rows of a shard lie in groups, of which Parquet keeps the least and the greatest seed: where a part of a sweep is
read, groups that it cannot be in are not. A shard that a kill cut off counts as never written; one that is not what was
written, by the checksums of its pages or the number of its rows, is read by nobody.

Shapes: T trainings, G groups of rows.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bench.config.plan import Plan
from bench.metrics import columns as c
from bench.store import names
from bench.store.mlflow_store import Store
from bench.store.tables import EVERY_COLUMN, TRAINING_SCHEMA, count_rows, read_table, shard_file, with_nulls

Places = NDArray[np.int64]
SEED_BITS = 32  # a seed has no more
PART = 500_000  # trainings in memory at a time


def read_shards(
    store: Store, sweep: str, columns: Sequence[str] | None = None, last_seeds: Mapping[str, int] | None = None
) -> list[pa.Table]:
    """Return the tables of all whole shards, or some columns of them.

    ``last_seeds`` says which trials are wanted, and for each up to which seed its trainings keep their lists; the
    others' are null.
    """
    return next(read_shards_in_parts(store, sweep, columns, [last_seeds]))


def read_shards_in_parts(
    store: Store, sweep: str, columns: Sequence[str] | None, parts: Iterable[Mapping[str, int] | None]
) -> Iterator[list[pa.Table]]:
    """Yield the tables of some trials at a time, as `read_shards` does: all of them at once may be too much."""
    return read_tables(store, sweep, names.SHARDS, _schema(columns), parts)


def read_tables(
    store: Store, sweep: str, folder: str, schema: pa.Schema, parts: Iterable[Mapping[str, int] | None] = (None,)
) -> Iterator[list[pa.Table]]:
    """Yield for each part all whole tables of a folder."""
    if not store.has_artifact(sweep, folder):
        yield from ([] for _ in parts)  # nothing was written yet
        return
    with store.artifact(sweep, folder) as path:
        for last_seeds in parts:
            yield list(_whole(path, schema, last_seeds))


def _whole(folder: Path, schema: pa.Schema, last_seeds: Mapping[str, int] | None = None) -> Iterator[pa.Table]:
    tables = (read_table(file, schema, last_seeds) for file in sorted(folder.glob("*.parquet")))
    yield from (table for table in tables if table is not None)


def written_trainings(store: Store, sweep: str, files: str = "*.parquet") -> int:
    """Return how many rows the whole shards of a sweep have, or some by their names, those of its maps included."""
    count = 0
    for folder in (names.SHARDS, names.MAPS):
        if store.has_artifact(sweep, folder):
            with store.artifact(sweep, folder) as path:
                count += sum(map(count_rows, path.rglob(files)))
    return count


def shards_one_by_one(store: Store, sweep: str, columns: Sequence[str]) -> Iterator[pa.Table]:
    """Yield some columns of each whole shard."""
    if store.has_artifact(sweep, names.SHARDS):
        with store.artifact(sweep, names.SHARDS) as path:
            yield from _whole(path, _schema(columns))


def _schema(columns: Sequence[str] | None) -> pa.Schema:
    return TRAINING_SCHEMA if columns is None else pa.schema([EVERY_COLUMN.field(name) for name in columns])


def places(found: pa.ChunkedArray, known: Sequence[str]) -> Places:
    """Return the index of each name among the known ones ``[T]``, or -1."""
    indices = pc.fill_null(pc.index_in(found, value_set=pa.array(known, pa.string())), fill_value=-1)
    return np.asarray(indices.to_numpy(), dtype=np.int64)


def order(place_T: Places, seed_T: Places) -> Places | slice:
    """Return the order of the planned trainings, the first row of each; a slice if they all are in order already."""
    key_T = (place_T << SEED_BITS) | seed_T
    if not len(key_T) or (place_T[0] >= 0 and (np.diff(key_T) > 0).all()):
        return slice(None)
    found = np.argsort(key_T, kind="stable")
    key_T = key_T[found]
    first: Places = found[(key_T >= 0) & np.append(True, np.diff(key_T) > 0)]
    return first


# ------------------------------------------------------------------ in order


class _Group(NamedTuple):
    """Rows of one trial, the place-th of the plan, in a group of a file, from one seed to another."""

    file: int
    group: int
    place: int
    low: int
    high: int


class _Part(NamedTuple):
    """Trials of the plan from one place to another, and of them the seeds from one to another."""

    first: int
    last: int
    low: int
    high: int


def in_order(
    store: Store,
    sweep: str,
    plan: Plan,
    columns: Sequence[str],
    first: int | None = None,
    curves: int | None = None,
    part: int | None = None,
) -> Iterator[pa.Table]:
    """Yield each planned training once, in the plan's order and by seed, ``part`` of them, or PART, at a time.

    Of each trial the ``first`` so many seeds, or all; of them some first
    ones have ``curves`` and weights, or all. ``columns`` must have the trial's id and the seed.
    """
    if not store.has_artifact(sweep, names.SHARDS):
        return
    trials = [planned.trial.trial_id for planned in plan.trials]
    seeds = [planned.seeds[:first] for planned in plan.trials]
    last_P, listed_P = _last(seeds), _last([some[:curves] for some in seeds])
    schema = _schema(columns)
    with store.artifact(sweep, names.SHARDS) as folder:
        files = sorted(folder.glob("*.parquet"))
        groups_G = np.array(list(_groups(files, trials)), dtype=np.int64).reshape(-1, len(_Group._fields))
        file_G, group_G, place_G, low_G, high_G = groups_G[groups_G[:, 3] <= last_P[groups_G[:, 2]]].T
        for one in _parts(seeds, part or PART):
            within_G = (place_G >= one.first) & (place_G <= one.last) & (low_G <= one.high) & (high_G >= one.low)
            tables = [schema.empty_table()]
            for file in np.unique(file_G[within_G]):
                wanted = np.unique(group_G[within_G & (file_G == file)]).tolist()
                with shard_file(files[file]) as shard:
                    assert shard is not None  # it was whole when its groups were listed
                    tables.append(with_nulls(shard.read_row_groups(wanted, schema.names), schema))
            yield without_lists(_each_once(pa.concat_tables(tables), trials, last_P, one), trials, listed_P)


def _each_once(table: pa.Table, trials: Sequence[str], last_P: Places, part: _Part) -> pa.Table:
    """Return the trainings of a part, each once and in order."""
    place_T, seed_T = places(table[c.TRIAL_ID], trials), table[c.SEED].to_numpy()
    there_T = (place_T >= part.first) & (place_T <= part.last) & (seed_T >= part.low) & (seed_T <= part.high)
    there_T &= seed_T <= last_P[place_T]
    if not there_T.all():
        table, place_T, seed_T = table.filter(pa.array(there_T)), place_T[there_T], seed_T[there_T]
    places_T = order(place_T, seed_T)
    return table if isinstance(places_T, slice) else table.take(pa.array(places_T))


def without_lists(table: pa.Table, trials: Sequence[str], listed_P: Places) -> pa.Table:
    """Return trainings of which those up to a seed of each trial keep their lists."""
    beyond_T = table[c.SEED].to_numpy() > listed_P[places(table[c.TRIAL_ID], trials)]
    if beyond_T.any():
        for name in set(c.LISTS) & set(table.column_names):
            kept = pc.if_else(pa.array(beyond_T), None, table[name])
            table = table.set_column(table.column_names.index(name), name, kept)
    return table


def _last(seeds: Sequence[Sequence[int]]) -> Places:
    return np.array([some[-1] if some else -1 for some in seeds], dtype=np.int64)


def _parts(seeds: Sequence[Sequence[int]], most: int) -> Iterator[_Part]:
    """Yield parts of a plan of at most so many trainings: several whole trials, or some seeds of one."""
    begun, held = 0, 0
    for place, own in enumerate(seeds):
        if held and held + len(own) > most:
            yield _whole_trials(seeds, begun, place - 1)
            begun, held = place, 0
        if len(own) > most:
            for start in range(0, len(own), most):
                some = own[start : start + most]
                yield _Part(place, place, some[0], some[-1])
            begun = place + 1
        else:
            held += len(own)
    if held:
        yield _whole_trials(seeds, begun, len(seeds) - 1)


def _whole_trials(seeds: Sequence[Sequence[int]], first: int, last: int) -> _Part:
    some = [own for own in seeds[first : last + 1] if own]
    return _Part(first, last, min(own[0] for own in some), max(own[-1] for own in some))


def _groups(files: Sequence[Path], trials: Sequence[str]) -> Iterator[_Group]:
    """Yield what lies in each group of each whole file, but for trials that are not asked for."""
    known = {trial_id: place for place, trial_id in enumerate(trials)}
    for number, path in enumerate(files):
        with shard_file(path) as shard:
            found = [
                _Group(number, group, known[trial_id], low, high)
                for group in range(shard.num_row_groups if shard else 0)
                for trial_id, low, high in _trials_of(shard, group)
                if trial_id in known
            ]
        yield from found


def _trials_of(shard: pq.ParquetFile, group: int) -> Iterator[tuple[str, int, int]]:
    """Yield the trials of a group of rows, each with its least and its greatest seed, as Parquet noted or as read."""
    noted = {}
    for number, name in enumerate(shard.schema_arrow.names[:2]):  # columns of one value each, before any list
        noted[name] = shard.metadata.row_group(group).column(number).statistics
    of, seeds = noted.get(c.TRIAL_ID), noted.get(c.SEED)
    if of and seeds and of.has_min_max and seeds.has_min_max and of.min == of.max:
        yield of.min, seeds.min, seeds.max
        return
    table = shard.read_row_group(group, [c.TRIAL_ID, c.SEED])
    ends = table.group_by(c.TRIAL_ID).aggregate([(c.SEED, "min"), (c.SEED, "max")])
    columns = (ends[c.TRIAL_ID], ends[f"{c.SEED}_min"], ends[f"{c.SEED}_max"])
    yield from zip(*(column.to_pylist() for column in columns), strict=True)
