"""The store itself: what SQLite is told, and which stores are refused."""

import contextlib
import signal
import sqlite3

import pytest

from bench.errors import RequestError
from bench.store.mlflow_store import Store
from bench.store.names import DEFAULT_URI, tracking_uri

MOMENTS = {  # where a process that makes a store kills itself
    "among the tables": """
from sqlalchemy import event
from sqlalchemy.engine import Engine
event.listen(Engine, "after_cursor_execute", lambda *_: deadly(at=200))
""",
    "before the store has its name": """
os.replace = lambda *_: deadly(at=1)
""",
}
KILLED = """
import os, signal
calls = []
def deadly(at):
    calls.append(1)
    if len(calls) == at:
        os.kill(os.getpid(), signal.SIGKILL)
{moment}
from bench.store.mlflow_store import Store
Store("sqlite:///mlflow.db")
"""


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


@pytest.mark.slow
def test_sweeps_that_start_at_once_share_a_new_store(tmp_path, child):
    """MLflow makes its tables on first sight; two processes do not get in each other's way."""
    code = "from bench.store.mlflow_store import Store; Store('sqlite:///new.db').experiment_id('x')"
    processes = [child(code, tmp_path) for _ in range(2)]
    told = [process.communicate(120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], told


@pytest.mark.untraced
@pytest.mark.parametrize(
    "moment", ["among the tables", pytest.param("before the store has its name", marks=pytest.mark.slow)]
)
@pytest.mark.slow
def test_a_store_whose_making_was_killed_is_made_by_the_next_command(bench, folder, child, moment):
    """MLflow refuses a database that has only some of its tables: one is there when it is whole."""
    (folder / "mlflow.db").unlink()
    killed = child(KILLED.format(moment=MOMENTS[moment]), folder)
    told = killed.communicate(120)
    assert killed.returncode == -signal.SIGKILL, told
    assert not (folder / "mlflow.db").exists()
    assert bench("list").status == 0
    ran = bench("sweep", "iterations=20", "seeds=0:2", "--no-report", "--json")
    assert ran.status == 0, ran.err
    assert [one["sweep"] for one in bench("list", "--json").json["sweeps"]] == [ran.json["sweep"]]
    assert not list(folder.glob("mlflow.db.new*"))


@pytest.mark.untraced
def test_a_log_that_a_deleted_database_left_is_not_played_into_a_new_one(tmp_path):
    """Its pages are of another file; SQLite itself drops it where the database is missing."""
    (tmp_path / "m.db-wal").write_bytes(b"of another database" * 1000)
    store = Store(f"sqlite:///{tmp_path}/m.db")
    assert store.client.get_experiment(store.experiment_id("x")).name == "x"
