"""The store itself: what SQLite is told, and which stores are refused."""

import contextlib
import sqlite3
import subprocess
import sys

import pytest

from bench.errors import RequestError
from bench.tracking.store import DEFAULT_URI, Store, tracking_uri


def test_sqlite_writes_ahead_and_knows_its_statistics(bench, folder):
    """WAL while writing, ANALYZE at the end."""
    bench("sweep", "iterations=20", "seeds=0:2", "--no-report")
    with contextlib.closing(sqlite3.connect(folder / "mlflow.db")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("SELECT count(*) FROM sqlite_stat1").fetchone()[0] > 0


def test_the_uri_comes_from_the_option_then_the_environment(monkeypatch):
    """As MLflow's users expect."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://there")
    assert tracking_uri("http://here") == "http://here"
    assert tracking_uri(None) == "http://there"
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert tracking_uri(None) == DEFAULT_URI


def test_artifacts_lie_beside_the_database(folder, tmp_path_factory, blank_store, monkeypatch):
    """A store named from another folder keeps its files where it is."""
    home = tmp_path_factory.mktemp("home")
    (home / "m.db").write_bytes(blank_store.read_bytes())
    store = Store(f"sqlite:///{home}/m.db")
    found = store.client.get_experiment(store.experiment_id("x"))
    assert found.artifact_location == (home / "mlruns" / "x").as_uri()


def test_a_deleted_experiment_is_said(folder):
    """MLflow keeps the names of deleted experiments taken."""
    store = Store(DEFAULT_URI)
    store.client.delete_experiment(store.experiment_id("x"))
    with pytest.raises(RequestError, match="'x' is deleted"):
        store.experiment_id("x")


def test_a_file_that_is_no_database_is_refused(folder):
    """One message, before any work."""
    (folder / "text.db").write_text("not a database, but long enough to be taken for one" * 100)
    with pytest.raises(RequestError, match="cannot be used"):
        Store("sqlite:///text.db")


def test_sweeps_that_start_at_once_share_a_new_store(tmp_path):
    """MLflow makes its tables on first sight; four processes do not get in each other's way."""
    code = "from bench.tracking.store import Store; Store('sqlite:///new.db').experiment_id('x')"
    processes = [subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path) for _ in range(4)]
    assert [process.wait(120) for process in processes] == [0, 0, 0, 0]
