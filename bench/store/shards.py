"""Tables in Parquet files: written small, and read with no more of their lists than is wanted."""

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from mlflow.artifacts import download_artifacts
from mlflow.utils.file_utils import local_file_uri_to_path
from mlflow.utils.uri import is_local_uri

from bench.metrics import columns as c
from bench.store.mlflow_store import SHARDS, Store
from bench.store.tables import LIST, TRAINING_SCHEMA

GROUP = 4096  # rows; of a group without wanted lists none is read


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
    )


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
    wanted = TRAINING_SCHEMA if columns is None else pa.schema([TRAINING_SCHEMA.field(name) for name in columns])
    return read_tables(store, sweep, SHARDS, wanted, parts)


def read_tables(
    store: Store, sweep: str, folder: str, schema: pa.Schema, parts: Iterable[Mapping[str, int] | None] = (None,)
) -> Iterator[list[pa.Table]]:
    """Yield for each part all whole tables of a folder; one that was cut off by a kill counts as never written."""
    if not store.client.list_artifacts(sweep, folder):
        yield from ([] for _ in parts)  # nothing was written yet
        return
    with artifact(store, sweep, folder) as path:
        for last_seeds in parts:
            tables = (_read_table(file, schema, last_seeds) for file in sorted(path.glob("*.parquet")))
            yield [table for table in tables if table is not None]


@contextmanager
def artifact(store: Store, sweep: str, name: str) -> Iterator[Path]:
    """Yield the path of an artifact: in place if that is on this machine, else of a copy that ends here."""
    uri = f"{store.client.get_run(sweep).info.artifact_uri}/{name}"
    if is_local_uri(uri):  # MLflow's own download would leave a copy behind each time
        yield Path(local_file_uri_to_path(uri))
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(download_artifacts(run_id=sweep, artifact_path=name, dst_path=folder, tracking_uri=store.uri))


def _read_table(path: Path, schema: pa.Schema, last_seeds: Mapping[str, int] | None) -> pa.Table | None:
    """Return a file's wanted columns and trials, or None if it is not whole."""
    try:
        with pq.ParquetFile(path) as file:
            if last_seeds is None:
                return file.read(schema.names).select(schema.names).cast(schema)
            groups = (_read_group(file, group, schema, last_seeds) for group in range(file.num_row_groups))
            return pa.concat_tables([schema.empty_table(), *groups])
    except (pa.ArrowException, OSError, KeyError):
        return None


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

    def column(name: str) -> Any:
        if name not in c.LISTS:
            return table[name]
        return pc.if_else(kept_T, table[name], None) if any_kept else pa.nulls(len(kept_T))

    return pa.table([column(name) for name in schema.names], schema=schema).filter(last_T.is_valid())
