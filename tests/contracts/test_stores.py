"""What every MLflow store must do: SQLite on this machine, and a server across HTTP."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.config.experiment import adhoc
from bench.config.overrides import read_overrides
from bench.config.plan import make_plan
from bench.metrics import columns as c
from bench.model.outcome import Batch, Record
from bench.model.timing import ColdStart, Sample, Timing
from bench.store import names
from bench.store.export import exported, write_export
from bench.store.finished_runs import Summary
from bench.store.mlflow_store import Store
from bench.store.reader import begun_sweeps, find_sweep, read_sweep, sweeps
from bench.store.tables import rows
from bench.store.writer import SweepWriter, trial_run


@pytest.fixture(params=["sqlite", pytest.param("http", marks=pytest.mark.slow)])
def store(request, folder, monkeypatch):
    """Every kind of store; nobody else takes a sweep up at the same time."""
    monkeypatch.setattr("bench.store.writer.SETTLE_S", 0.0)
    return Store("sqlite:///mlflow.db" if request.param == "sqlite" else request.getfixturevalue("server"))


@pytest.fixture
def plan():
    """Two trials with three seeds each."""
    return make_plan(experiment())


def experiment():
    words = ["hidden=0,2", "iterations=30", "seeds=0:3"]
    return adhoc(read_overrides(words, Path.cwd()), words)


def begin(store, plan):
    return SweepWriter.begin(store, experiment(), plan, {"cpu": "a", "versions": {"numpy": "2"}}, "a sweep", "code")


def record(planned, seeds):
    batch = Batch.of(planned.trial, seeds)
    from bench.backends import load

    return Record(planned.trial, tuple(seeds), outcome=load("numpy").train(batch))


@pytest.mark.untraced
def test_what_is_written_is_read_back(store, plan):
    """Rows come back whole and in the plan's order, whatever the order they were written in."""
    writer = begin(store, plan)
    first, second = plan.trials
    table = rows(record(second, [2, 0, 1]), 10)
    writer.shard(table)
    writer.shard(rows(record(first, [0, 1, 2]), 10))
    read = read_sweep(store, writer.run_id)
    found = read.trainings
    assert list(found[c.SEED]) == [0, 1, 2, 0, 1, 2]
    assert list(found[c.TRIAL_ID].unique()) == [first.trial.trial_id, second.trial.trial_id]
    expected = table.to_pandas().sort_values(c.SEED)[c.FINAL_MSE].to_numpy()
    np.testing.assert_array_equal(found[c.FINAL_MSE][3:], expected)
    assert all(len(curve) == 30 for curve in found[c.CURVE])
    assert read.environment == {"cpu": "a", "versions": {"numpy": "2"}}


@pytest.mark.untraced
def test_samples_of_timings_and_cold_starts_are_read_back(store, plan):
    """What was written is there, and nothing is there where nothing was written."""
    writer = begin(store, plan)
    assert (writer.timed().empty, writer.cold_starts()) == (True, [])
    timing = Timing(plan.trials[0].trial, range(3), 2)
    for number in (1, 2):
        writer.timings([Sample(timing, number, 0, 1, 3.0, 1.0, np.array([3.0]), 0.0, 0.1, 0.1)])
    starts = [ColdStart("numpy", 0.1, 0.2, 0.0), ColdStart("torch", reason="ImportError: no")]
    writer.keep_cold_starts(starts)
    assert writer.cold_starts() == starts
    read = read_sweep(store, writer.run_id)
    assert sorted(read.timings[c.ROUND]) == [1, 2]
    assert [start["reason"] for start in read.cold_starts] == [None, "ImportError: no"]


def test_a_training_written_twice_counts_once(store, plan):
    """A chunk that was done again after a crash adds no rows."""
    writer = begin(store, plan)
    for _ in range(2):
        writer.shard(rows(record(plan.trials[0], [0, 1]), 10))
    assert len(read_sweep(store, writer.run_id).trainings) == 2


def write(writer, planned, name, summary, trainings=None):
    """Write the run of a trial that is complete."""
    writer.trials({planned.trial.trial_id: trial_run(planned, name, summary, trainings)})


@pytest.mark.untraced
def test_a_trials_run_has_params_figures_and_series(store, plan):
    """MLflow's UI finds what it compares and plots."""
    writer = begin(store, plan)
    series = {"loss_median": [(0, 0.3), (10, 0.2)], c.ITERATION_US: [(0, 11.0)]}
    write(writer, plan.trials[0], "hidden=0", Summary({"solved_rate": 0.5, "bad": float("inf")}, series))
    run = next(store.runs(names.TRIAL, parent=writer.run_id))
    assert run.data.params["hidden"] == "0"
    assert run.data.params["seeds"] == "0:3"
    assert run.data.metrics["solved_rate"] == 0.5
    assert "bad" not in run.data.metrics
    assert run.info.status == "FINISHED"
    history = store.client.get_metric_history(run.info.run_id, "loss_median")
    assert sorted((point.step, point.value) for point in history) == [(0, 0.3), (10, 0.2)]


@pytest.mark.untraced
def test_more_figures_than_one_batch_takes_are_all_kept(store, plan):
    """A long curve is logged in several batches."""
    writer = begin(store, plan)
    write(writer, plan.trials[0], "t", Summary({}, {"loss": [(step, 1.0) for step in range(1500)]}))
    run = next(store.runs(names.TRIAL, parent=writer.run_id))
    assert len(store.client.get_metric_history(run.info.run_id, "loss")) == 1500


@pytest.mark.untraced
def test_the_trials_runs_are_found_whether_they_were_kept_or_not(store, plan):
    """A sweep that has not ended is searched; one that has says which they are, also after it was taken up again."""
    writer = begin(store, plan)
    for planned in plan.trials:
        write(writer, planned, "t", Summary())
    searched = read_sweep(store, writer.run_id)
    assert {
        trial_id: store.client.get_run(run).data.tags[names.TRIAL_TAG] for trial_id, run in searched.runs.items()
    } == {planned.trial.trial_id: planned.trial.trial_id for planned in plan.trials}
    resumed = SweepWriter.resume(store, store.client.get_run(writer.run_id), experiment(), plan, "code")
    resumed.finished_trials()
    resumed.keep_runs()
    kept = read_sweep(store, writer.run_id)
    assert kept.runs == searched.runs
    assert kept.experiment_id == store.experiment_id("adhoc")


@pytest.mark.untraced
def test_files_are_kept_under_any_name_and_in_folders(store, plan, folder):
    """A report is called the same beside every sweep, wherever it was written."""
    (folder / "mine.html").write_text("a page")
    writer = begin(store, plan)
    writer.file(folder / "mine.html")
    writer.file(folder / "mine.html", "report.html")
    writer.file(folder / "mine.html", "rates.svg", "figures")
    kept = {item.path for place in (None, "figures") for item in store.client.list_artifacts(writer.run_id, place)}
    assert {"mine.html", "report.html", "figures/rates.svg"} <= kept
    with store.artifact(writer.run_id, "figures/rates.svg") as path:
        assert path.read_text() == "a page"


def test_a_begun_and_unended_trial_is_written_anew_on_resume(store, plan):
    """Its half-written run and its trainings' runs go; the ended ones stay."""
    writer = begin(store, plan)
    write(writer, plan.trials[0], "whole", Summary())

    def cut_off():
        yield 0, Summary()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(writer, plan.trials[1], "half", Summary(), cut_off())
    before = {run.info.run_name: run for run in store.runs(names.TRIAL, parent=writer.run_id)}
    resumed = SweepWriter.resume(store, store.client.get_run(writer.run_id), experiment(), plan, "code")
    assert resumed.finished_trials() == {plan.trials[0].trial.trial_id}
    assert [run.info.run_name for run in store.runs(names.TRIAL, parent=writer.run_id)] == ["whole"]
    assert list(store.runs(names.TRAINING, parent=before["half"].info.run_id)) == []


@pytest.mark.untraced
def test_unfinished_sweeps_are_found_and_finished_ones_are_not(store, plan):
    """What has not ended can be resumed, and a search that has can be extended."""
    one, two = begin(store, plan), begin(store, plan)
    two.finish()
    unfinished, finished = ([run.info.run_id for run in some] for some in begun_sweeps(store, "adhoc"))
    assert one.run_id in unfinished
    assert two.run_id in finished
    assert not set(unfinished) & set(finished)
    assert sweeps(store)[0].sweep in {one.run_id, two.run_id}
    assert find_sweep(store, one.run_id[:12]) == one.run_id


@pytest.mark.untraced
def test_nothing_but_results_is_printed(store, plan, capsys):
    """MLflow's own words would break --json."""
    writer = begin(store, plan)
    write(writer, plan.trials[0], "t", Summary({"solved_rate": 0.5}))
    writer.finish()
    assert capsys.readouterr().out == ""


@pytest.mark.untraced
def test_an_export_is_one_row_per_training(store, plan, folder):
    """Parquet and CSV hold the same."""
    writer = begin(store, plan)
    for planned in plan.trials:
        writer.shard(rows(record(planned, [0, 1, 2]), 10))
    data = exported(read_sweep(store, writer.run_id, c.EXPORT).trainings, c.EXPORT)
    assert len(data) == 6
    for name in ("x.parquet", "x.csv"):
        write_export(data, folder / name)
    one, other = pd.read_parquet(folder / "x.parquet"), pd.read_csv(folder / "x.csv")
    assert list(one.columns) == list(other.columns) == list(c.EXPORT)
    np.testing.assert_allclose(one[c.FINAL_LOSS], other[c.FINAL_LOSS], rtol=1e-12)
