"""Runs that are written whole: the same by MLflow's client and into its tables, and all or nothing."""

import contextlib
import math
import sqlite3

import mlflow
import pytest

from bench.store import finished_runs
from bench.store.finished_runs import COLUMNS, FinishedRun, Summary, write_runs
from bench.store.mlflow_store import Store, StoreError

LOSS = [(0, 0.5), (100, 0.3), (2000, 0.25)]
TRAININGS = [
    FinishedRun(f"seed {seed}", {"kind": "training"}, {"seed": seed}, Summary({"mse": 0.1 + seed}, {"loss": LOSS}))
    for seed in range(3)
]
RUNS = [
    FinishedRun("hidden=2", {"kind": "trial", "note": "η\n'%"}, {"hidden": 2, "gate": "xor"}, Summary({"rate": 0.5})),
    FinishedRun(
        "hidden=3",
        {"kind": "trial"},
        {"hidden": 3, "loss": "mse", "bias": True, "rate": 1e-7},
        Summary({"rate": 1, "worst": math.inf, "none": math.nan}, {"loss": LOSS, "bad": [(0, math.inf)]}),
        TRAININGS,
    ),
]
GENERATED = {"run_uuid", "timestamp", "start_time", "end_time"}


@pytest.fixture
def store(folder):
    return Store("sqlite:///mlflow.db")


def by_client(monkeypatch):
    """Let tables have a column that is not known here."""
    monkeypatch.setitem(COLUMNS, "runs", {*COLUMNS["runs"], "new"})
    finished_runs._tables_are_known.cache_clear()


@pytest.fixture(autouse=True)
def _known_again():
    yield
    finished_runs._tables_are_known.cache_clear()


def rows(folder, parent):
    """Return all that the tables have of the runs, as text and in order, but for ids and times, which say whose."""
    found = []
    with contextlib.closing(sqlite3.connect(folder / "mlflow.db")) as connection:
        connection.row_factory = sqlite3.Row
        names = {row["run_uuid"]: row["name"] for row in connection.execute("SELECT run_uuid, name FROM runs")}
        names[parent] = "parent"
        for table in COLUMNS:
            for row in connection.execute(f"SELECT * FROM {table}"):
                kept = {key: row[key] for key in row.keys() if key not in GENERATED}  # noqa: SIM118 - no mapping
                text = repr((table, names[row["run_uuid"]], kept))
                for run_id, name in names.items():
                    text = text.replace(run_id, name)
                found.append(text)
    return sorted(found)


def test_the_tables_get_what_the_client_writes(store, folder, monkeypatch):
    """Every column of every row, but for ids and times."""
    experiment = store.experiment_id("e")
    write_runs(store, experiment, RUNS, "parent")
    inserted = rows(folder, "parent")
    by_client(monkeypatch)
    with contextlib.closing(sqlite3.connect(folder / "mlflow.db")) as connection, connection:
        for table in reversed(COLUMNS):
            connection.execute(f"DELETE FROM {table}")
    write_runs(store, experiment, RUNS, "parent")
    assert inserted == rows(folder, "parent")
    assert len(inserted) > 50


@pytest.mark.parametrize("way", ["tables", "client"])
def test_mlflow_reads_what_was_written(store, way, monkeypatch):
    """A stranger's search, histories and order, whichever way they were written."""
    if way == "client":
        by_client(monkeypatch)
    experiment = store.experiment_id("e")
    first, second = write_runs(store, experiment, RUNS, "above")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.uri)
    found = mlflow.search_runs([experiment], order_by=["start_time"]).set_index("tags.mlflow.runName")
    assert list(found.index[found["tags.kind"] == "trial"]) == ["hidden=2", "hidden=3"]
    assert set(found["status"]) == {"FINISHED"}
    assert found["tags.mlflow.parentRunId"].to_dict() == {
        "hidden=2": "above",
        "hidden=3": "above",
        **{f"seed {seed}": second for seed in range(3)},
    }
    assert found.loc["hidden=2", ["run_id", "params.gate", "tags.note"]].tolist() == [first, "xor", "η\n'%"]
    assert found.loc["hidden=3", ["params.rate", "metrics.rate", "metrics.loss"]].tolist() == ["1e-07", 1.0, 0.25]
    assert not {"metrics.worst", "metrics.none", "metrics.bad"} & set(found.columns)
    history = store.client.get_metric_history(second, "loss")
    assert [(point.step, point.value) for point in history] == LOSS
    run = store.client.get_run(first)
    assert (run.info.end_time - run.info.start_time) >= 0
    assert run.info.artifact_uri.endswith(f"mlruns/e/{first}/artifacts")
    store.client.set_tag(first, "later", "can be added")


def test_a_run_with_others_below_it_ends_after_them(store, monkeypatch):
    """If writing fails among them, it is not finished, and what resumes removes it."""

    def failing():
        yield TRAININGS[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_runs(store, store.experiment_id("e"), [FinishedRun("t", {}, {}, Summary(), failing())], "above")
    (run,) = store.client.search_runs([store.experiment_id("e")])
    assert (run.info.run_name, run.info.status) == ("t", "RUNNING")


def test_what_cannot_be_written_is_not_half_written(store, folder, monkeypatch):
    """One transaction: a store that another program keeps locked, or a row that it refuses, leaves nothing behind."""
    experiment = store.experiment_id("e")
    refused = FinishedRun("second", {}, {}, Summary({None: 1.0}))
    with pytest.raises(StoreError, match="NOT NULL"):
        write_runs(store, experiment, [RUNS[0], refused], "above")
    monkeypatch.setattr("bench.store.mlflow_store.PATIENCE_S", 0.1)
    with contextlib.closing(sqlite3.connect(folder / "mlflow.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked"):
            write_runs(store, experiment, RUNS, "above")
    assert store.client.search_runs([experiment]) == []
