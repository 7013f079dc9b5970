"""Trainings of earlier sweeps are taken over: the rows are those that training them again would give."""

from itertools import count
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench import lifecycle, report_files
from bench.backends.numba_lanes import NumbaLanes
from bench.metrics import columns as c
from bench.running.code_version import code_version
from bench.running.environment import fingerprint
from bench.store import earlier_trainings, names
from bench.store.mlflow_store import Store
from bench.store.reader import find_sweep, read_sweep
from bench.store.writer import SweepWriter

GRID = ("hidden=2,3", "learning_rate=0.5,5", "iterations=400", "--no-report", "--no-budget-check")
SEARCH = (
    *("hidden=2..5", "learning_rate=0.5..20:log", "iterations=200", "seeds=0:30"),
    *("search.validate=20", "--no-report", "--no-budget-check"),
)
TIMES = [c.ITERATION_US, c.CURVE_US, c.TOGETHER]  # measured, and how


@pytest.fixture
def trained(monkeypatch):
    """How many trainings each call of the backend has."""
    train, sizes = NumbaLanes.train, []

    def counted(self, batch):
        sizes.append(len(batch))
        return train(self, batch)

    monkeypatch.setattr(NumbaLanes, "train", counted)
    return sizes


def everything(sweep=None):
    """Return all that is stored of the trainings of a sweep, lists and timings included."""
    store = Store(names.DEFAULT_URI)
    return read_sweep(store, find_sweep(store, sweep)).trainings


def same_but_times(one, other):
    pd.testing.assert_frame_equal(one.drop(columns=TIMES), other.drop(columns=TIMES))


@pytest.mark.untraced
def test_more_seeds_train_what_is_missing(bench, trained):
    """And take over the rest, with curves, weights, and the timings that were measured then."""
    bench("sweep", *GRID, "seeds=0:40")
    before = everything()
    del trained[:]
    ran = bench("sweep", *GRID, "seeds=20:60", "--reuse", "--workers", 1)
    assert "80 of 160 trainings were taken over from earlier sweeps" in ran.err
    assert sum(trained) == 80
    found = everything()
    bench("sweep", *GRID, "seeds=20:60")
    same_but_times(found, everything())
    taken = found[found[c.SEED] < 40].reset_index(drop=True)
    pd.testing.assert_frame_equal(taken, before[before[c.SEED] >= 20].reset_index(drop=True))


@pytest.mark.untraced
def test_the_summary_says_how_many(bench):
    """What is printed as JSON, and MLflow."""
    bench("sweep", *GRID, "seeds=0:5")
    ran = bench("sweep", *GRID, "seeds=0:6", "--reuse", "--json")
    assert ran.json["reused"] == 20
    assert Store(names.DEFAULT_URI).client.get_run(ran.json["sweep"]).data.metrics["reused"] == 20


@pytest.mark.untraced
def test_nothing_is_taken_over_afresh_or_the_first_time(bench):
    """Nor is anything said of it."""
    for more in ([], ["--reuse"], ["--fresh"]):
        ran = bench("sweep", "hidden=2", f"seeds=0:{4 - len(more)}", "iterations=9", *GRID[3:], "--json", *more)
        assert ran.json.get("reused") == (3 if more == ["--reuse"] else None)
        assert ("taken over" in ran.err) == (more == ["--reuse"])


@pytest.mark.slow
def test_a_longer_search_goes_on_from_a_shorter_one(bench, trained):
    """It proposes the same first, of which all is there, and comes to what it would have come to by itself."""
    bench("sweep", *SEARCH, "search.trials=6")
    del trained[:]
    ran = bench("sweep", *SEARCH, "search.trials=10", "--reuse", "--workers", 1)
    assert "taken over" in ran.err
    assert sum(trained) <= 4 * 30 + 2 * 20 + 20  # what was proposed after, and new best ones on held-out seeds
    found = everything()
    bench("sweep", *SEARCH, "search.trials=10")
    same_but_times(found, everything())


@pytest.mark.untraced
def test_seeds_that_are_added_are_taken_over(bench, trained):
    """An adaptive sweep asks in rounds."""
    asked = ("hidden=2,3", "learning_rate=5", "iterations=100", "seeds=0:20", "--until", "0.1", *GRID[3:])
    bench("sweep", *asked)
    del trained[:]
    bench("sweep", *asked, "--reuse")
    assert not trained


@pytest.mark.parametrize(
    "after",
    [
        pytest.param(1, marks=pytest.mark.slow),
        pytest.param(2, marks=pytest.mark.slow),
        3,
        pytest.param(4, marks=pytest.mark.slow),
    ],
)
def test_killed_while_it_takes_over_it_goes_on(bench, monkeypatch, after):
    """What was taken over is not taken twice, and counted once."""
    monkeypatch.setattr(earlier_trainings, "PART", 16)
    bench("sweep", *GRID, "seeds=0:20")
    expected = everything()
    write, calls = SweepWriter.shard, count(1)

    def fail(self, table, **more):
        write(self, table, **more)
        if next(calls) == after:
            raise RuntimeError("the power went")

    with monkeypatch.context() as patch:
        patch.setattr(SweepWriter, "shard", fail)
        with pytest.raises(RuntimeError, match="power"):
            bench("sweep", *GRID, "seeds=0:25", "--reuse")
    ran = bench("sweep", *GRID, "seeds=0:25", "--reuse", "--resume", "--json")
    assert ran.json["reused"] == 80
    found = everything()
    pd.testing.assert_frame_equal(found[found[c.SEED] < 20].reset_index(drop=True), expected)
    bench("sweep", *GRID, "seeds=0:25")
    same_but_times(found, everything())


def test_what_is_only_counted_is_taken_over_in_parts(bench, monkeypatch, trained):
    """Of trials that are too large for the memory."""
    monkeypatch.setattr(report_files, "MOST_READ", 40)
    monkeypatch.setattr(earlier_trainings, "PART", 7)
    bench("sweep", *GRID, "seeds=0:30")
    expected = everything()
    del trained[:]
    ran = bench("sweep", *GRID, "seeds=0:30", "--reuse", "--json")
    assert not trained
    assert ran.json["reused"] == 120
    pd.testing.assert_frame_equal(everything(), expected)


@pytest.mark.untraced
def test_a_row_that_lacks_its_curve_is_trained_anew(bench, monkeypatch):
    """And one that has a curve where a row would have none loses it."""
    monkeypatch.setattr(c, "CURVES_PER_TRIAL", 10)
    bench("sweep", "hidden=2", "iterations=50", "seeds=0:20", *GRID[3:])
    ran = bench("sweep", "hidden=2", "iterations=50", "seeds=5:20", *GRID[3:], "--reuse", "--json")
    assert ran.json["reused"] == 10  # five with curves, five without; the five between lack theirs
    found = everything()
    assert found[c.CURVE].notna().sum() == found[c.WEIGHTS].notna().sum() == 10
    ran = bench("sweep", "hidden=2", "iterations=50", "seeds=0:20", *GRID[3:], "--reuse", "--json")
    assert ran.json["reused"] == 20
    assert everything()[c.CURVE].notna().sum() == 10


def test_timings_and_what_failed_are_never_taken_over(bench, monkeypatch):
    """A timing is of its own time; and what failed may do better now."""
    timed = ("hidden=2", "iterations=50", "alone=true", "rounds=2", *GRID[3:], "--json")
    monkeypatch.setattr("bench.running.timing_rounds.cold_starts", lambda *_: [])
    assert "reused" not in [
        *bench("sweep", *timed, "seeds=0:3").json,
        *bench("sweep", *timed, "seeds=0:3", "--reuse").json,
    ]
    assert bench("sweep", *timed[:2], "seeds=0:3", *GRID[3:], "--reuse", "--json").json.get("reused") is None
    with monkeypatch.context() as patch:
        patch.setattr(NumbaLanes, "train", lambda *_: 1 / 0)
        assert bench("sweep", "hidden=4", "seeds=0:3", *GRID[3:]).status == 1
    ran = bench("sweep", "hidden=4", "seeds=0:3", "iterations=100", *GRID[3:], "--reuse", "--json")
    assert ran.json.get("reused") is None
    assert ran.json["outcomes"]["failed"] == 0


@pytest.mark.untraced
def test_another_code_or_processor_trains_itself(bench, monkeypatch):
    """Its sums may be rounded otherwise; and a sweep that two codes trained is nobody's."""
    asked = ("sweep", "hidden=2", "iterations=50", "seeds=0:8", *GRID[3:], "--reuse", "--json")
    bench(*asked)
    with monkeypatch.context() as patch:
        patch.setattr(lifecycle, "fingerprint", lambda _: "another")
        assert bench(*asked).json.get("reused") is None
        patch.setattr(SweepWriter, "finish", lambda *_: None)
        patch.setattr("bench.store.writer.is_running", lambda _: False)
        bench("sweep", "hidden=3", *asked[2:])
    resumed = bench("sweep", "hidden=3", *asked[2:], "--resume")
    assert resumed.status == 0, resumed.err
    assert bench("sweep", "hidden=3", *asked[2:]).json.get("reused") is None


def test_the_fingerprint_is_of_all_that_may_change_a_number(monkeypatch):
    """Code, versions, processor and its architecture."""
    facts = {"cpu": "a", "system": "Linux 6.1 x86_64"}
    known = fingerprint(facts)
    assert known == fingerprint({**facts, "system": "Linux 6.2 x86_64", "cores": 4})
    assert len({known, fingerprint({**facts, "cpu": "b"}), fingerprint({**facts, "system": "Linux 6.1 arm64"})}) == 3
    monkeypatch.setattr("bench.running.environment.code_version", lambda **_: {**code_version(), "numpy": "0"})
    assert fingerprint(facts) != known


def test_a_sweep_without_a_plan_is_passed_over(bench, trained):
    """One whose beginning was cut off has none."""
    bench("sweep", "hidden=2", "iterations=50", "seeds=0:8", *GRID[3:])
    store = Store(names.DEFAULT_URI)
    code = store.client.get_run(find_sweep(store, None)).data.tags[names.CODE_TAG]
    experiment = store.experiment_id("adhoc")
    store.client.create_run(experiment, tags={names.KIND: names.SWEEP, names.CODE_TAG: code})
    assert bench("sweep", "hidden=2", "iterations=50", "seeds=0:8", *GRID[3:], "--reuse", "--json").json["reused"] == 8


def test_rows_of_two_sweeps_are_joined(bench, trained):
    """Of seeds that both have, the newer one's; and seeds with holes are no range."""
    bench("sweep", "hidden=2", "iterations=50", "seeds=0:8", *GRID[3:])
    bench("sweep", "hidden=2", "iterations=50", "seeds=5:12", *GRID[3:])
    newer = everything()
    del trained[:]
    bench("sweep", "hidden=2", "iterations=50", "seeds=1,3,6,9,14", *GRID[3:], "--reuse")
    assert trained == [1]
    found = everything().set_index(c.SEED)
    np.testing.assert_array_equal(found[c.ITERATION_US][[6, 9]], newer.set_index(c.SEED)[c.ITERATION_US][[6, 9]])


@pytest.mark.parametrize(
    ("before", "words"),
    [
        pytest.param(400, "", marks=pytest.mark.slow),
        (401, "dtype=float64 loss=bce"),  # which is no checkpoint of the larger one
        pytest.param(400, "update=online activation=tanh", marks=pytest.mark.slow),
        pytest.param(400, "backend=numpy", marks=pytest.mark.slow),
        pytest.param(400, "backend=torch-batched", marks=pytest.mark.slow),
        pytest.param(400, "backend=jax", marks=pytest.mark.slow),
    ],
)
def test_a_larger_budget_goes_on_from_the_weights_of_a_smaller(bench, before, words):
    """And comes to all that it would have come to in one go: curves, weights, and when it was solved."""
    asked = ("learning_rate=0.5,5", "hidden=2", "seeds=0:6", *GRID[3:], *words.split())
    bench("sweep", *asked, f"iterations={before}")
    ran = bench("sweep", *asked, "iterations=1200", "--reuse")
    assert "trainings went on from where one with a smaller budget had ended" in ran.err
    found = everything()
    bench("sweep", *asked, "iterations=1200")
    same_but_times(found, everything())
    assert (found[c.ITERATION_US] > 0).all()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("iterations=400 momentum=0.5", "momentum=0.5"),
        pytest.param("iterations=400 stop=solved", "stop=solved", marks=pytest.mark.slow),
        ("iterations=400 curve_points=7", "curve_points=8"),
        pytest.param("iterations=399", "", marks=pytest.mark.slow),
        pytest.param("iterations=1100", "", marks=pytest.mark.slow),
    ],
)
def test_what_would_not_be_the_same_is_trained_from_the_start(bench, before, after):
    """With momentum, where it ends early, and where the curve, or the late loss, was measured elsewhere."""
    asked = ("hidden=2", "seeds=0:5", *GRID[3:])
    bench("sweep", *asked, *before.split())
    ran = bench("sweep", *asked, *after.split(), "iterations=1200", "--reuse")
    assert ran.status == 0, ran.err
    assert "went on" not in ran.err


@pytest.mark.slow
def test_those_beside_them_are_trained_from_the_start(bench, monkeypatch):
    """Seeds that are new, and those of which no weights are kept."""
    monkeypatch.setattr(c, "CURVES_PER_TRIAL", 10)
    asked = ("hidden=2", "learning_rate=5", *GRID[3:])
    bench("sweep", *asked, "iterations=400", "seeds=0:20")
    ran = bench("sweep", *asked, "iterations=1200", "seeds=5:30", "--reuse", "--executor", "processes")
    assert "5 trainings went on" in ran.err
    found = everything()
    bench("sweep", *asked, "iterations=1200", "seeds=5:30")
    same_but_times(found, everything())


def test_an_earlier_sweep_that_is_damaged_is_passed_over(bench, trained):
    """With a sentence; whatever of it could be read is taken over."""
    asked = ("hidden=2", "learning_rate=5", "iterations=400", *GRID[3:])
    bench("sweep", *asked, "seeds=0:8")
    (shard,) = Path("mlruns").rglob("shards/*.parquet")
    content = bytearray(shard.read_bytes())
    content[200:3000] = bytes(byte ^ 0x5A for byte in content[200:3000])
    shard.write_bytes(content)
    ran = bench("sweep", *asked, "seeds=0:9", "--reuse")
    assert ran.status == 0, ran.err
    assert "cannot be read, and nothing more is taken over from it: " in ran.err
    assert sum(trained) == 8 + 9
