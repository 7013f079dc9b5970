"""Trainings in order: each planned one once, however they were written and whatever part is asked for."""

import itertools
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from bench.metrics import columns as c
from bench.store import shards, tables
from bench.store.mlflow_store import Store
from bench.store.names import DEFAULT_URI, SHARDS
from bench.store.reader import read_plan, trainings_frame
from bench.store.shards import in_order, read_shards
from bench.store.tables import write_table

NAMES = [c.TRIAL_ID, c.SEED, c.OUTCOME, c.FINAL_MSE, c.CURVE]


@pytest.fixture
def written(bench, monkeypatch, tmp_path):
    """Write a sweep's rows anew: shuffled, some twice, in groups of 7 rows and several files, one of them cut off."""
    monkeypatch.setattr(tables, "GROUP", 7)
    sweep = bench("sweep", "hidden=0,2,3", "seeds=0:20", "iterations=20", "--json", "--no-report").json["sweep"]
    store = Store(DEFAULT_URI)
    rows = pa.concat_tables(read_shards(store, sweep))
    with store.artifact(sweep, SHARDS) as folder:
        for path in folder.iterdir():
            path.unlink()
        rng = np.random.default_rng(0)
        order = np.concatenate([rng.permutation(rows.num_rows), rng.integers(0, rows.num_rows, 15)])
        for number, some in enumerate(np.array_split(order, 4)):
            write_table(rows.take(pa.array(some)), folder / f"{number}.parquet")
        write_table(rows, folder / "9.parquet")
        (folder / "9.parquet").write_bytes((folder / "9.parquet").read_bytes()[:-20])
    return store, sweep, read_plan(store, sweep)


@pytest.mark.untraced
def test_every_training_is_there_once_and_in_order(written, monkeypatch):
    """In parts of some seeds, of one trial, of several, and of all."""
    for part, first in itertools.product([5, 20, 45, 1000], [None, 3, 20, 1000]):
        check_order(*written, monkeypatch, part, first)


def check_order(store, sweep, plan, monkeypatch, part, first):
    whole = trainings_frame(read_shards(store, sweep, NAMES), plan, NAMES[2:])
    expected = whole[whole[c.SEED] < (first or 20)]
    monkeypatch.setattr(shards, "PART", part)
    found = list(in_order(store, sweep, plan, NAMES, first))
    assert max(table.num_rows for table in found) <= part
    table = pa.concat_tables(found)
    assert list(zip(table[c.TRIAL_ID].to_pylist(), table[c.SEED].to_pylist(), strict=True)) == list(
        zip(expected[c.TRIAL_ID], expected[c.SEED], strict=True)
    )
    assert table[c.FINAL_MSE].to_pylist() == expected[c.FINAL_MSE].tolist()
    assert None not in table[c.CURVE].to_pylist()


def test_curves_are_those_of_the_first_seeds(written):
    """The others' are missing."""
    store, sweep, plan = written
    table = pa.concat_tables(in_order(store, sweep, plan, NAMES, 10, curves=4))
    seeds = [seed for seed, curve in zip(table[c.SEED].to_pylist(), table[c.CURVE].to_pylist(), strict=True) if curve]
    assert seeds == [0, 1, 2, 3] * 3


@pytest.mark.untraced
def test_of_trials_that_are_not_asked_for_there_is_nothing(written):
    """Nor is there of a sweep that has written nothing."""
    store, sweep, plan = written
    (table,) = in_order(store, sweep, replace(plan, trials=plan.trials[1:2]), NAMES)
    assert set(table[c.TRIAL_ID].to_pylist()) == {plan.trials[1].trial.trial_id}
    with store.artifact(sweep, SHARDS) as folder:
        for path in folder.iterdir():
            path.unlink()
    assert sum(table.num_rows for table in in_order(store, sweep, plan, NAMES)) == 0


@pytest.mark.untraced
def test_groups_that_a_part_cannot_be_in_are_not_read(written, monkeypatch):
    """Where rows lie in order, each is read once."""
    store, sweep, plan = written
    rows = pa.concat_tables(in_order(store, sweep, plan, NAMES))
    whole = pa.concat_tables(read_shards(store, sweep)).slice(0, 0)
    with store.artifact(sweep, SHARDS) as folder:
        for path in folder.iterdir():
            path.unlink()
        tables_of = trainings_rows(rows, whole.schema)
        write_table(tables_of, folder / "0.parquet")
    read = []
    reading = shards.pq.ParquetFile.read_row_groups
    monkeypatch.setattr(
        shards.pq.ParquetFile,
        "read_row_groups",
        lambda self, groups, names: read.extend(groups) or reading(self, groups, names),
    )
    monkeypatch.setattr(shards, "PART", 20)
    assert sum(table.num_rows for table in in_order(store, sweep, plan, NAMES, first=6)) == 18
    assert len(read) <= 6


def trainings_rows(rows, schema):
    """Return rows with all columns, those that they have not missing."""
    missing = {field.name: pa.nulls(rows.num_rows, field.type) for field in schema}
    return pa.table({**missing, **{name: rows[name] for name in rows.column_names}}, schema=schema)
