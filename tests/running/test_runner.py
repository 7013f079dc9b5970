"""Interrupting and resuming: nothing finished is lost, nothing is trained twice."""

import signal
import time
from pathlib import Path

import pandas as pd
import pytest

from bench.metrics import columns as c
from bench.running.progress import interrupts
from bench.store import names
from bench.store.mlflow_store import Store
from bench.store.writer import SweepWriter

REQUEST = ("gate=xor", "hidden=2,3", "seeds=0:16", "iterations=6000", "--executor", "serial")
TIMING = [c.ITERATION_US]

pytestmark = pytest.mark.untraced


@pytest.fixture(scope="module")
def whole(made, command):
    """The rows of a sweep that nothing happened to, but for their timing."""
    folder = made("uninterrupted", "sweep", *REQUEST, "--no-report")
    command(folder, "export", "-o", "whole.parquet")
    return pd.read_parquet(folder / "whole.parquet").drop(columns=TIMING)


def wait_for_a_shard(folder, process):
    """Wait until something is safe; the sweep must still be going on."""
    for _ in range(600):
        if list((folder / "mlruns").rglob("shards/*.parquet")):
            break
        time.sleep(0.05)
    assert process.poll() is None, process.communicate()


def resumed_equals_uninterrupted(bench, whole):
    """Resume, and compare every row but its timing with a sweep that nothing happened to."""
    sweeps = bench("list", "--json").json["sweeps"]
    ran = bench("sweep", *REQUEST, "--no-report", "--resume", "--json")
    assert ran.status == 0, ran.err
    assert ran.json["sweep"] == sweeps[0]["sweep"]
    bench("export", ran.json["sweep"], "-o", "resumed.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet("resumed.parquet").drop(columns=TIMING), whole)
    children = list(Store(names.DEFAULT_URI).runs(names.TRIAL, parent=ran.json["sweep"]))
    assert len(children) == 2
    assert all(child.info.status == "FINISHED" for child in children)


def test_a_killed_sweep_is_resumed_without_loss(bench, folder, start, whole):
    """After SIGKILL, --resume trains what is missing and nothing else."""
    process = start(folder, "sweep", *REQUEST, "--no-report")
    wait_for_a_shard(folder, process)
    process.kill()
    process.communicate()
    resumed_equals_uninterrupted(bench, whole)


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_an_interrupted_sweep_says_how_to_go_on(bench, folder, start, whole, number):
    """Ctrl-C and TERM end the sweep cleanly: exit status 130, and the command that resumes.

    Slow is TERM: it goes the way of Ctrl-C but for its number, and that both are heard is tested without a sweep.
    """
    process = start(folder, "sweep", *REQUEST, "--no-report")
    wait_for_a_shard(folder, process)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "--resume" in err
    assert "Traceback" not in err
    assert bench("list", "--json").json["sweeps"][0]["status"] == "KILLED"
    resumed_equals_uninterrupted(bench, whole)


def test_a_sweep_that_is_still_running_is_not_taken_over(bench, folder, start):
    """Two processes never write one sweep."""
    process = start(folder, "sweep", *REQUEST, "--no-report")
    wait_for_a_shard(folder, process)
    ran = bench("sweep", *REQUEST, "--no-report", "--resume")
    process.kill()
    process.communicate()
    assert ran.status == 2
    assert f"still running as process {process.pid}" in ran.err


@pytest.mark.slow
def test_workers_end_with_a_driver_that_was_killed(folder, start):
    """No process is left behind to train for nobody."""
    process = start(folder, "sweep", *REQUEST[:4], "--no-report", "--executor", "processes", "--workers", "2")
    wait_for_a_shard(folder, process)
    workers = [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
    assert workers
    process.kill()
    process.communicate()
    for _ in range(100):
        if not any(Path(f"/proc/{worker}").exists() for worker in workers):
            break
        time.sleep(0.1)
    assert not [worker for worker in workers if Path(f"/proc/{worker}").exists()]


def test_another_request_is_not_resumed(bench, folder, monkeypatch):
    """What is unfinished is named, with its command."""
    with monkeypatch.context() as patch:
        patch.setattr(SweepWriter, "keep_runs", lambda self: signal.raise_signal(signal.SIGINT))
        assert bench("sweep", "hidden=2,3", "seeds=0:2", "iterations=20", "--no-report").status == 130
    ran = bench("sweep", "hidden=5", "--resume")
    assert ran.status == 2
    assert "hidden=2,3" in ran.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_interrupt_ends_at_once(number):
    """The first asks, the second insists."""
    with interrupts() as stop:
        signal.raise_signal(number)
        assert stop.is_set()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)


@pytest.mark.parametrize("executor", ["threads", pytest.param("processes", marks=pytest.mark.slow)])
def test_results_do_not_depend_on_who_trains(bench, executor):
    """Same trial, same seed, same row: whatever the executor and the number of workers.

    Slow are processes: that all executors give the same numbers is tested of each, and maps are trained by processes.
    """
    request = ("hidden=2,4", "seeds=0:6", "iterations=200", "--no-report")
    bench("sweep", *request, "--executor", "serial")
    bench("export", "-o", "one.parquet")
    bench("sweep", *request, "--executor", executor, "--workers", 2)
    bench("export", "-o", "two.parquet")
    one, two = (pd.read_parquet(f"{name}.parquet").drop(columns=TIMING) for name in ("one", "two"))
    pd.testing.assert_frame_equal(one, two)


def test_few_trainings_have_runs_of_their_own(bench):
    """Up to a hundred trainings each have a run below their trial, with its whole loss curve."""
    sweep = bench("sweep", "hidden=0,2", "iterations=200", "seeds=0:3", "--runs", "auto", "--json", "--no-report").json[
        "sweep"
    ]
    store = Store(names.DEFAULT_URI)
    trials = list(store.runs(names.TRIAL, parent=sweep))
    trainings = [run for trial in trials for run in store.runs(names.TRAINING, parent=trial.info.run_id)]
    assert len(trainings) == 6
    assert {run.data.params[c.SEED] for run in trainings} == {"0", "1", "2"}
    assert len(store.client.get_metric_history(trainings[0].info.run_id, c.LOSS)) == 100
    assert len(store.client.get_metric_history(trainings[0].info.run_id, c.ITERATION_US)) == 100


def test_many_trainings_have_none_unless_asked_for(bench):
    """--runs trial turns them off."""
    sweep = bench("sweep", "iterations=20", "seeds=0:3", "--runs", "trial", "--json", "--no-report").json["sweep"]
    store = Store(names.DEFAULT_URI)
    trial = next(store.runs(names.TRIAL, parent=sweep))
    assert list(store.runs(names.TRAINING, parent=trial.info.run_id)) == []


def test_trainings_alone_are_marked(bench, folder):
    """alone=true reaches the rows: only such timings may be compared."""
    bench("sweep", "iterations=20", "seeds=0:3", "alone=true", "backend=numpy", "--no-report")
    bench("export", "-o", "x.parquet")
    assert pd.read_parquet("x.parquet")[c.ALONE].all()
