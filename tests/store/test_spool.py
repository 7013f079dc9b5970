"""Spools: a sweep whose server stays away goes on beside it, and is delivered when the server is back."""

import errno
import os
import signal

import pandas as pd
import pytest
from mlflow.exceptions import MlflowException

from bench.metrics import columns as c
from bench.store import names
from bench.store.mlflow_store import Store, StoreError, write_whole

ASKED = ("sweep", "gate=xor", "hidden=2,3", "seeds=0:6", "iterations=30", "--no-budget-check", "--no-report")
EVERY_KIND = {
    "a search": ("hidden=2..4", "seeds=0:4", "search.trials=4", "search.validate=4", "search.best=1"),
    "until": ("hidden=2,3", "seeds=0:20", "--until", "0.12"),
    "alone": ("hidden=2,3", "seeds=0:6", "alone=true", "rounds=3"),
    "a map": ("hidden=2", "map.size=6", "map.x=toward:1:-1.5..2.5", "map.y=toward:3:-1.5..2.5", "map.pairs=64"),
}
RESUMED = (*ASKED, "--resume")
AWAY = MlflowException("API request to http://there failed with exception connection refused")
FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def server(folder, monkeypatch):
    """The folder's store, taken for a server's.

    The list has what it does, last first, when trainings or claims are written.
    """
    place, faults = Store.in_place, []

    def in_place(self, run_id, name):
        if self.is_remote and name.startswith((f"{names.SHARDS}/", f"{names.MAPS}/", "claims")) and faults:
            faults.pop()()
        return place(self, run_id, name)

    monkeypatch.setattr(Store, "is_remote", property(lambda self: self.path == folder / "mlflow.db"))
    monkeypatch.setattr(Store, "in_place", in_place)
    monkeypatch.setattr("bench.store.mlflow_store._check_server", lambda uri: None)
    return faults


def stay_away():
    raise AWAY


def interrupt():
    os.kill(os.getpid(), signal.SIGINT)


def interrupted():
    interrupt()
    raise AWAY


def written(bench, uri=names.DEFAULT_URI):
    (one,) = bench("list", "--json", "--tracking-uri", uri).json["sweeps"]
    assert bench("export", one["sweep"], "-o", "x.parquet", "--tracking-uri", uri).status == 0
    return one["status"], pd.read_parquet("x.parquet")


def test_a_sweep_whose_server_stays_away_ends_beside_it_and_is_delivered(bench, folder, server):
    """What was trained is trained once: also how long it took is the same there as it was here."""
    server.append(stay_away)
    ran = bench(*ASKED)
    assert ran.status == 1
    assert "stayed away, and the sweep went on in" in ran.err
    assert "--resume" in ran.err
    (spool,) = (folder / names.SPOOL).iterdir()
    status, kept = written(bench, f"sqlite:///{spool}/mlflow.db")
    assert (status, len(kept)) == (names.FINISHED, 12)
    ran = bench(*RESUMED)
    assert ran.status == 0, ran.err
    assert "12 trainings that the server lacked are delivered" in ran.err
    status, delivered = written(bench)
    assert status == names.FINISHED
    pd.testing.assert_frame_equal(delivered, kept)
    assert bench("doctor", "--json").json["store"]["found"] == []
    assert not (folder / names.SPOOL).exists()


def unusable(*_):
    raise FULL


@pytest.mark.parametrize("why", ["its end was asked for", "the disk is full"])
def test_a_sweep_that_cannot_go_on_beside_its_server_is_safe(bench, folder, server, monkeypatch, why):
    """It ends where it was, and what the server had not yet is delivered later."""
    server.append(interrupted if why == "its end was asked for" else stay_away)
    with monkeypatch.context() as patch:
        if why == "the disk is full":
            patch.setattr("bench.lifecycle.register_all", unusable)
        ran = bench(*ASKED)
    assert ran.status == 1
    assert "connection refused" in ran.err
    assert "What was written is safe" in ran.err
    assert not list((folder / names.SPOOL).rglob("runs.json"))
    ran = bench(*RESUMED)
    assert ran.status == 0, ran.err
    assert "the server lacked are delivered" in ran.err
    assert len(written(bench)[1]) == 12


@pytest.mark.parametrize("when", ["from the beginning", "in the middle"])
def test_a_folder_that_cannot_be_written_costs_only_the_spool(bench, folder, server, monkeypatch, when):
    """It is said, and the sweep goes on with its server."""
    if when == "from the beginning":
        (folder / names.SPOOL).touch()

    def full(place, write):
        if names.SPOOL in str(place):
            raise FULL
        write_whole(place, write)

    monkeypatch.setattr("bench.store.mlflow_store.write_whole", full)
    ran = bench(*ASKED)
    assert ran.status == 0, ran.err
    assert "cannot be written" in ran.err
    assert not (folder / names.SPOOL).is_dir()


def test_a_file_that_was_cut_off_on_its_way_is_delivered_again(bench, folder, server):
    """Its rows are those of the spool, and not trained again."""
    server.append(interrupted)
    assert bench(*ASKED).status == 1
    (shard,) = (folder / names.SPOOL).rglob("shards/*.parquet")
    there = folder / shard.relative_to(shard.parents[5])
    there.parent.mkdir()
    there.write_bytes(shard.read_bytes()[:100])
    took = pd.read_parquet(shard, columns=[c.TRIAL_ID, c.SEED, c.ITERATION_US])
    assert bench(*RESUMED).status == 0
    delivered = written(bench)[1].merge(took, on=[c.TRIAL_ID, c.SEED])
    assert len(delivered) == len(took)
    assert (delivered[f"{c.ITERATION_US}_x"] == delivered[f"{c.ITERATION_US}_y"]).all()


@pytest.mark.slow
def test_a_sweep_that_was_resumed_goes_on_beside_its_server(bench, folder, server, monkeypatch):
    """What the server has of it is fetched while it is there: of a sweep that was ended nothing is left here."""
    monkeypatch.setattr("bench.running.chunks.CHUNK_NUMBERS", 1)
    server.append(interrupt)
    assert bench(*ASKED, "--executor", "serial").status == 130
    assert not (folder / names.SPOOL).exists()
    assert len(written(bench)[1]) == 6
    server.append(stay_away)
    assert bench(*RESUMED, "--executor", "serial").status == 1
    (spool,) = (folder / names.SPOOL).iterdir()
    status, kept = written(bench, f"sqlite:///{spool}/mlflow.db")
    assert (status, len(kept)) == (names.FINISHED, 12)


def test_a_file_that_does_not_come_across_is_a_fault_of_the_store(folder, monkeypatch):
    """Though MLflow raises an error of its HTTP library then, which is one of files."""

    def refuse(*_):
        raise OSError("502 Server Error")

    store = Store(names.DEFAULT_URI)
    monkeypatch.setattr(Store, "in_place", lambda *_: None)
    monkeypatch.setattr(store.client, "log_artifact", refuse, raising=False)
    with pytest.raises(StoreError, match=r"r.html cannot be uploaded: 502 Server Error"):
        store.write("run", "r.html", lambda path: path.touch())


@pytest.mark.slow
@pytest.mark.faults
def test_a_server_that_goes_away_again_is_gone_on_beside_again(bench, folder, server):
    """From the same spool, whose sweep has ended already."""
    server.append(stay_away)
    assert bench(*ASKED).status == 1
    delivered = list((folder / names.SPOOL).rglob("shards/*.parquet"))
    server += [stay_away, *[lambda: None] * len(delivered)]
    again = bench(*RESUMED)
    assert again.status == 1
    assert "stayed away, and the sweep went on in" in again.err
    assert "12 more are done" in again.err
    assert bench(*RESUMED).status == 0
    assert written(bench)[0] == names.FINISHED
    assert not (folder / names.SPOOL).exists()


@pytest.mark.slow
@pytest.mark.faults
@pytest.mark.parametrize("kind", EVERY_KIND)
def test_every_kind_of_sweep_goes_on_beside_its_server(bench, folder, server, kind):
    """And is delivered with all that it kept there: --resume trains and times nothing."""
    words = ("sweep", "gate=xor", "iterations=30", *EVERY_KIND[kind])
    server.append(stay_away)
    ran = bench(*words, "-o", "r.html")
    assert ran.status == 1
    assert "stayed away" in ran.err
    assert (folder / "r.html").exists()
    kept = {path.name: path.read_bytes() for path in folder.rglob("*.parquet")}
    ran = bench(*words, "--no-report", "--resume")
    assert ran.status == 0, ran.err
    assert {path.name: path.read_bytes() for path in folder.rglob("*.parquet")} == kept
    assert bench("doctor", "--json").json["store"]["found"] == []
    assert not (folder / names.SPOOL).exists()
