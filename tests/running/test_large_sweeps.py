"""Sweeps of too many trainings to be held at once: all are counted and exported, the page is made of a part."""

import pandas as pd
import pytest

from bench import report_files
from bench.metrics import columns as c
from bench.report.number_format import percent
from bench.running import chunks
from bench.store import shards
from bench.store.mlflow_store import Store
from bench.store.names import DEFAULT_URI
from bench.store.writer import SweepWriter

REQUEST = ("hidden=2,3", "learning_rate=5", "iterations=400", "seeds=0:200", "stop=solved")
TIMING = [c.ITERATION_US]


@pytest.fixture
def small(monkeypatch, small_shards):
    """Let more than 50 trainings be many."""
    monkeypatch.setattr(report_files, "MOST_READ", 50)
    monkeypatch.setattr(chunks, "CHUNK_NUMBERS", 1)
    monkeypatch.setattr(shards, "PART", 25)


def rows(bench, sweep):
    bench("export", sweep, "-o", f"{sweep}.parquet")
    return pd.read_parquet(f"{sweep}.parquet").drop(columns=TIMING)


def trial_metrics(sweep):
    found = Store(DEFAULT_URI).runs("trial", parent=sweep)
    return {run.data.params["hidden"]: run.data.metrics for run in found}


@pytest.mark.untraced
def test_every_training_is_counted_and_exported(bench, small, monkeypatch):
    """As in a sweep that is held in memory: its rows, its rates, and what the terminal says of all."""
    ran = bench("sweep", *REQUEST, "--no-report")
    sweep = bench("list", "--json").json["sweeps"][0]["sweep"]
    counted = trial_metrics(sweep)
    monkeypatch.setattr(report_files, "MOST_READ", 1000)
    whole = bench("sweep", *REQUEST, "--json", "--no-report").json["sweep"]
    expected = trial_metrics(whole)
    pd.testing.assert_frame_equal(rows(bench, sweep), rows(bench, whole))
    for hidden, metrics in counted.items():
        same = ("trainings", "solved", "stuck", "slow", "solved_rate", "solved_rate_low", "solved_rate_high")
        assert {name: metrics.get(name) for name in same} == {name: expected[hidden].get(name) for name in same}
        assert metrics["described"] == 25
        assert f" {percent(metrics['solved_rate'])} [" in ran.out
    assert "described" not in expected["2"]


@pytest.mark.untraced
@pytest.mark.usefixtures("undrawn")
def test_the_page_says_of_which_part_it_is(bench, small, folder):
    """And accounts for all."""
    ran = bench("sweep", *REQUEST, "--json", "-o", "r.html")
    page = (folder / "r.html").read_text()
    assert "of the first 25 seeds of each trial, 50 of 400 trainings" in page
    assert sum(ran.json["outcomes"].values()) == 400
    assert ran.json["trainings"] == 400


@pytest.mark.slow
def test_killed_anywhere_it_goes_on(bench, small, monkeypatch):
    """What was written is not trained again, nor counted twice."""
    write, calls = SweepWriter.shard, []

    def fail(self, table, **more):
        calls.append(1)
        write(self, table, **more)
        if len(calls) == 3:
            raise RuntimeError("the power went")

    with monkeypatch.context() as patch:
        patch.setattr(SweepWriter, "shard", fail)
        with pytest.raises(RuntimeError, match="power"):
            bench("sweep", *REQUEST, "--no-report", "--workers", 1)
    resumed = bench("sweep", *REQUEST, "--no-report", "--resume", "--json")
    assert "are done" in resumed.err
    sweep = resumed.json["sweep"]
    whole = bench("sweep", *REQUEST, "--json", "--no-report").json["sweep"]
    pd.testing.assert_frame_equal(rows(bench, sweep), rows(bench, whole))
    times = ("iteration_us_median", c.ITERATION_US)
    for hidden, metrics in trial_metrics(sweep).items():
        kept = {name: value for name, value in metrics.items() if name not in times}
        assert kept == {name: value for name, value in trial_metrics(whole)[hidden].items() if name not in times}


@pytest.mark.slow
def test_of_trials_of_different_sizes_the_large_are_cut(bench, folder, small):
    """What a few seeds are missing of is taken of the others."""
    (folder / "two.toml").write_text(
        'title = "two"\n[[grid]]\nhidden = 2\nseeds = "0:10"\niterations = 20\n'
        '[[grid]]\nhidden = 3\nseeds = "0:200"\niterations = 20\n'
    )
    bench("sweep", "two.toml", "-o", "r.html")
    assert "of the first 40 seeds of each trial, 50 of 210 trainings" in (folder / "r.html").read_text()
