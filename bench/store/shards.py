"""Tables in Parquet files: written small, and read with no more of their lists than is wanted."""

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from mlflow.artifacts import download_artifacts
from mlflow.utils.file_utils import local_file_uri_to_path
from mlflow.utils.uri import is_local_uri

from bench.metrics import columns as c
from bench.store import mlflow_store as names
from bench.store.mlflow_store import Store
from bench.store.tables import schema

GROUP = 4096  # rows; of a group without wanted lists none is read


def write_table(table: pa.Table, path: Path) -> None:
    """Write a table; numbers that hardly repeat are split by their bytes, which makes them a third smaller."""
    numbers = [field for field in table.schema if field.name not in c.PARAMETERS and _is_number(field.type)]
    split = [f"{field.name}.list.element" if pa.types.is_list(field.type) else field.name for field in numbers]
    repeating = [name for name in table.column_names if name not in {field.name for field in numbers}]
    pq.write_table(
        table,
        path,
        compression="zstd",
        row_group_size=GROUP,
        use_dictionary=repeating,
        column_encoding=dict.fromkeys(split, "BYTE_STREAM_SPLIT"),
    )


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind.value_type if pa.types.is_list(kind) else kind))


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
    layout = schema()
    wanted = layout if columns is None else pa.schema([layout.field(name) for name in columns])
    if not store.client.list_artifacts(sweep, names.SHARDS):
        yield from ([] for _ in parts)  # nothing was written yet
        return
    with artifact(store, sweep, names.SHARDS) as path:
        for last_seeds in parts:
            yield _tables(path, wanted, last_seeds)


def read_tables(store: Store, sweep: str, folder: str, layout: pa.Schema) -> list[pa.Table]:
    """Return all whole tables of a folder; one that was cut off by a kill counts as never written."""
    if not store.client.list_artifacts(sweep, folder):
        return []  # nothing was written yet
    with artifact(store, sweep, folder) as path:
        return _tables(path, layout)


@contextmanager
def artifact(store: Store, sweep: str, name: str) -> Iterator[Path]:
    """Yield where an artifact lies: in place if that is on this machine, else in a copy that ends here."""
    uri = f"{store.client.get_run(sweep).info.artifact_uri}/{name}"
    if is_local_uri(uri):  # MLflow's own download would leave a copy behind each time
        yield Path(local_file_uri_to_path(uri))
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(download_artifacts(run_id=sweep, artifact_path=name, dst_path=folder, tracking_uri=store.uri))


def _tables(folder: Path, layout: pa.Schema, last_seeds: Mapping[str, int] | None = None) -> list[pa.Table]:
    tables = [_table(file, layout, last_seeds) for file in sorted(folder.glob("*.parquet"))]
    return [table for table in tables if table is not None]


def _table(path: Path, layout: pa.Schema, last_seeds: Mapping[str, int] | None) -> pa.Table | None:
    try:
        with pq.ParquetFile(path) as file:
            if last_seeds is None:
                return _columns(file.read(layout.names), layout)
            groups = (_group(file, place, layout, last_seeds) for place in range(file.num_row_groups))
            return pa.concat_tables([layout.empty_table(), *groups])
    except (pa.ArrowException, OSError, KeyError):
        return None


def _group(file: pq.ParquetFile, place: int, layout: pa.Schema, last_seeds: Mapping[str, int]) -> pa.Table:
    """Return the wanted trials of one group of rows; of a group that has none, no more than names is read."""
    named = file.read_row_group(place, [c.TRIAL_ID, c.SEED])
    last = pc.take(
        pa.array(last_seeds.values(), pa.int64()),
        pc.index_in(named[c.TRIAL_ID], value_set=pa.array(last_seeds.keys(), pa.string())),
    )
    if last.null_count == len(last):
        return layout.empty_table()
    lists = [name for name in layout.names if name in c.LISTS]
    table = file.read_row_group(place, [name for name in layout.names if name not in lists])
    kept = pc.less_equal(named[c.SEED], last)
    found = file.read_row_group(place, lists) if lists and pc.any(kept).as_py() else None
    for name in lists:
        table = table.append_column(name, _kept(found, layout.field(name), kept))
    return _columns(table, layout).filter(last.is_valid())


def _kept(table: pa.Table | None, field: pa.Field, kept: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the lists that are kept, null for the others; all are null if there is no table."""
    if table is None:
        return pa.chunked_array([pa.nulls(len(kept), field.type)])
    return pc.if_else(kept, table[field.name].cast(field.type), pa.scalar(None, field.type))


def _columns(table: pa.Table, layout: pa.Schema) -> pa.Table:
    return table.select(layout.names).cast(layout)
