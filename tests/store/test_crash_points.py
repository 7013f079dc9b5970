"""Crashes: a sweep is killed before, in the middle of and after every write, or at any moment, and loses nothing."""

import random
import shutil
import signal
import time

import pandas as pd
import pytest

from bench.metrics import columns as c
from bench.store import names
from bench.store.mlflow_store import Store

pytestmark = [pytest.mark.slow, pytest.mark.faults]

GRID = ("gate=xor", "hidden=2,3", "backend=numpy", "iterations=20", "seeds=0:2", "--no-report", "--executor", "serial")
SEARCH = (
    *("hidden=2..4", "backend=numpy", "iterations=20", "seeds=0:2", "search.trials=2", "search.validate=1"),
    *("search.best=1", "--no-report", "--executor", "serial"),
)
SWEEPS = {
    "a grid": (*GRID, "--runs", "trial"),
    "with runs of trainings": (*GRID, "--runs", "training"),
    "a search": (*SEARCH, "--runs", "trial"),
}
SLOW = ("gate=xor", "backend=numpy", "iterations=400", "--no-report", "--workers", "2")
KILLS = 40  # of each kind
KILLED = {
    "a grid": (*SLOW, "hidden=2,3,4", "seeds=0:80", "--executor", "serial"),
    "processes": (*SLOW, "hidden=2,3,4", "seeds=0:80", "--executor", "processes"),
    "a search": (*SLOW, "hidden=2..4", "seeds=0:20", "search.trials=6", "search.validate=20", "search.best=2"),
    "until": (*SLOW, "hidden=2,3", "seeds=0:20", "--until", "0.12", "--executor", "serial"),
    "alone": (*SLOW, "hidden=2,3", "seeds=0:10", "alone=true", "rounds=3"),
}
DEADLY = """
import os, signal
from sqlalchemy import event
from sqlalchemy.engine import Engine
from bench.store.mlflow_store import Store
import bench.running.chunks, bench.running.recorder
bench.running.chunks.CHUNK_NUMBERS, bench.running.recorder.FLUSH_S = 1, 0.0
points, written = [], Store.write

def point(before_the_end=lambda: None):
    points.append(1)
    if len(points) == {at}:
        before_the_end()
        os.kill(os.getpid(), signal.SIGKILL)

def write(self, run_id, name, write):
    def half(path):
        write(path)
        point(lambda: os.truncate(path, path.stat().st_size // 2))

    point()
    written(self, run_id, name, half)
    point()

Store.write = write
event.listen(Engine, "commit", lambda _: point())  # all of a transaction is done but for its end
"""


def rows(command, folder, sweep):
    """The rows of a sweep, but for what they took."""
    assert command(folder, "export", sweep, "-o", "x.parquet").status == 0
    return pd.read_parquet(folder / "x.parquet").drop(columns=c.ITERATION_US)


def check(command, folder, words, whole):
    """Go on with what a crash left; the rows are those of a sweep that nothing happened to, and each run is one."""
    left = command(folder, "list", "--json").json["sweeps"]
    assert len(left) <= 1
    unfinished = [one["sweep"] for one in left if one["status"] != names.FINISHED]
    sweep = left[0]["sweep"] if left else None
    if unfinished or not left:
        ran = command(folder, *words, "--json", *(["--resume"] if left else []))
        assert ran.status == 0, ran.err
        assert sweep in {None, ran.json["sweep"]}
        sweep = ran.json["sweep"]
    pd.testing.assert_frame_equal(rows(command, folder, sweep), whole)
    runs = list(Store(f"sqlite:///{folder}/{names.DEFAULT_URI.rpartition('/')[2]}").runs(names.TRIAL, parent=sweep))
    assert sorted(run.data.tags[names.TRIAL_TAG] for run in runs) == sorted(whole[c.TRIAL_ID].unique())
    assert {run.info.status for run in runs} == {names.FINISHED}
    examined = command(folder, "doctor", "--json")
    assert examined.json["store"]["found"] == []
    assert not list(folder.rglob(".*.part")) or not left  # of a beginning a part may stay


@pytest.mark.parametrize("which", SWEEPS)
def test_a_crash_at_any_write_costs_nothing_that_was_finished(
    tmp_path, blank_store, command, start, fault_table, which
):
    """Every write: of a file, of a run, of a tag; the sweep that is left is whole, or goes on, or never was."""
    words = ("sweep", *SWEEPS[which], "--fresh")
    calm = tmp_path / "calm"
    calm.mkdir()
    shutil.copy(blank_store, calm / "mlflow.db")
    whole = rows(command, calm, command(calm, *words, "--json").json["sweep"])
    for at in range(1, 1000):
        folder = tmp_path / str(at)
        folder.mkdir()
        shutil.copy(blank_store, folder / "mlflow.db")
        process = start(folder, *words, after=DEADLY.format(at=at))
        _, err = process.communicate(120)
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, err
        check(command, folder, words, whole)
        shutil.rmtree(folder)
        fault_table(f"crash at a write, {which}", "same rows, one run a trial, doctor clean")
    assert at > 30


@pytest.mark.parametrize("which", KILLED)
def test_a_kill_at_any_moment_costs_nothing_that_was_finished(
    tmp_path, blank_store, command, start, fault_table, which
):
    """SIGKILL from when the sweep may begin to its end; also while it is planned, or as it ends."""
    words, rng = ("sweep", *KILLED[which], "--fresh"), random.Random(which)
    calm = tmp_path / "calm"
    calm.mkdir()
    shutil.copy(blank_store, calm / "mlflow.db")
    began = time.monotonic()
    process = start(calm, *words)
    process.communicate(300)
    assert process.returncode == 0
    lasts_s = time.monotonic() - began
    (sweep,) = command(calm, "list", "--json").json["sweeps"]
    whole = rows(command, calm, sweep["sweep"])
    for number in range(KILLS):
        folder = tmp_path / str(number)
        folder.mkdir()
        shutil.copy(blank_store, folder / "mlflow.db")
        process = start(folder, *words)
        time.sleep(rng.uniform(0.2, 1.0) * lasts_s)
        process.kill()
        process.communicate()
        time.sleep(0.5)  # workers notice that their driver has gone
        check(command, folder, words, whole)
        shutil.rmtree(folder)
        fault_table(f"SIGKILL at any moment, {which}", "same rows, one run a trial, doctor clean")
