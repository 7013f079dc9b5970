"""Faults of the store: each costs no finished training, and is one sentence that says how to go on."""

import contextlib
import errno
import json
import os
import platform
import shutil
import sqlite3
import time
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mlflow.exceptions import MlflowException, RestException

from bench.errors import RequestError
from bench.metrics import columns as c
from bench.store import names, patience
from bench.store.mlflow_store import Store
from bench.store.owner import began, owner, whereabouts
from bench.store.patience import PatientClient
from bench.store.writer import SweepWriter, take

ASKED = ("gate=xor", "hidden=2,3", "seeds=0:6", "iterations=30", "--no-budget-check", "--no-report")
FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def swept(bench, *more):
    ran = bench("sweep", *ASKED, "--json", *more)
    assert ran.status == 0, ran.err
    return ran.json["sweep"]


def run_of(sweep):
    return Store(names.DEFAULT_URI).client.get_run(sweep)


def left_as(sweep, by, status=names.RUNNING):
    """Leave a sweep as a process with that name had it."""
    client = Store(names.DEFAULT_URI).client
    client.set_tag(sweep, names.OWNER_TAG, by)
    client.update_run(sweep, status=status)


def shards(folder):
    return sorted((folder / "mlruns").rglob("shards/*.parquet"))


def exported(bench, sweep):
    assert bench("export", sweep, "-o", "x.parquet").status == 0
    return pd.read_parquet("x.parquet").drop(columns=c.ITERATION_US)


def one_sentence(ran, *words):
    """Nothing but a sentence with these words was said of a command that failed in the middle."""
    assert ran.status == 1, ran.err
    assert "Traceback" not in ran.err
    assert "--resume" in ran.err
    for word in words:
        assert word in ran.err


# ------------------------------------------------------------------ beginnings


@pytest.mark.parametrize("at", [names.ENVIRONMENT, pytest.param(names.PLAN, marks=pytest.mark.slow)])
def test_a_sweep_whose_beginning_was_killed_is_none(bench, folder, monkeypatch, at):
    """Nobody lists it, resumes it or reports on it, and the next sweep says in MLflow that it was killed."""
    write = SweepWriter.json

    def killed(self, name, content):
        if name == at:
            raise KeyboardInterrupt
        write(self, name, content)

    with monkeypatch.context() as patch:
        patch.setattr(SweepWriter, "json", killed)
        assert bench("sweep", *ASKED).status == 130
    assert bench("list", "--json").json["sweeps"] == []
    assert bench("doctor", "--json").json["store"]["found"][0]["kind"] == "unfinished beginning"
    ran = bench("sweep", *ASKED, "--resume")
    assert ran.status == 2
    assert "nothing to resume" in ran.err
    (left,) = Store(names.DEFAULT_URI).runs(names.BEGINNING)
    assert left.info.status == names.KILLED
    assert bench("doctor").status == 0


@pytest.mark.slow
def test_a_sweep_without_its_environment_is_gone_on_with(bench, folder):
    """It says from then on where it went on."""
    sweep = swept(bench)
    left_as(sweep, owner())
    (kept,) = (folder / "mlruns").rglob(names.ENVIRONMENT)
    kept.unlink()
    assert bench("doctor", "--json").json["store"]["found"][-1]["kind"] == "unreadable"
    assert bench("sweep", *ASKED, "--resume", "--json").json["sweep"] == sweep
    assert json.loads(kept.read_text())["python"] == platform.python_version()


# ------------------------------------------------------------------ owners


def test_a_process_is_known_by_when_it_began():
    """Its number may be another's by now."""
    parent = f"process {os.getppid()} on {platform.node()}"
    assert whereabouts(f"{parent}, begun at {began(os.getppid())}").name == "ALIVE"
    assert whereabouts(parent).name == "ALIVE"
    assert whereabouts(f"{parent}, begun at 1").name == "GONE"
    assert whereabouts(owner()).name == "HERE"
    assert whereabouts(f"process {os.getppid()} on elsewhere, begun at 1").name == "ELSEWHERE"


def test_of_two_that_take_a_sweep_up_at_once_one_does(bench, folder):
    """Whoever comes second sees who was first, though both found it without an owner."""
    sweep = swept(bench)
    left_as(sweep, f"process {os.getppid()} on {platform.node()}, begun at 1")
    store, found = Store(names.DEFAULT_URI), run_of(sweep)
    take(store, found)
    left_as(sweep, f"process {os.getppid()} on {platform.node()}, begun at {began(os.getppid())}")
    with pytest.raises(RequestError, match=f"is still running as process {os.getppid()} on"):
        take(store, found)
    left_as(sweep, owner(), names.FINISHED)
    with pytest.raises(RequestError, match="was finished by another process meanwhile"):
        take(store, found)


def test_a_sweep_of_another_machine_is_taken_from_it_by_hand(bench, folder):
    """Nothing is known here of its process."""
    sweep = swept(bench)
    left_as(sweep, "process 1 on elsewhere, begun at 1")
    ran = bench("sweep", *ASKED, "--resume")
    assert ran.status == 2
    assert f"doctor --unlock {sweep[:8]}" in ran.err
    assert bench("doctor").status == 0
    assert "taken from process 1 on elsewhere" in bench("doctor", "--unlock", sweep[:8]).err
    assert "allowed is one that is RUNNING" in bench("doctor", "--unlock", sweep[:8]).err
    assert bench("sweep", *ASKED, "--resume", "--json").json["sweep"] == sweep


# ------------------------------------------------------------------ answers that do not come


class Server:
    """MLflow's client, whose calls fail as they are told to, some after they have been carried out."""

    def __init__(self, *failures):
        self.failures, self.runs = list(failures), []

    def create_run(self, _experiment, *, tags, run_name):
        self.runs.append(tags)
        return self._answer(tags)

    def search_runs(self, _experiments, where):
        return [tags for tags in self.runs if tags[patience.ATTEMPT_TAG] in where]

    def get_run(self, name):
        return self._answer(name)

    def _answer(self, answer):
        if self.failures:
            raise self.failures.pop(0)
        return answer


LOST = MlflowException("API request to http://there failed with exception connection reset")
CUT_OFF = MlflowException("API request to endpoint was successful but the response body was not in a valid JSON format")
LOCKED = MlflowException("(sqlite3.OperationalError) database is locked")


@pytest.fixture
def asking(monkeypatch):
    """Ask a server without pauses, and hear what is said meanwhile."""
    monkeypatch.setattr(patience, "PAUSES_S", (0.0,))

    def ask(server, *, remote=True):
        said = []
        return PatientClient(server, "the store", lambda: None, said.append, remote=remote), said

    return ask


@pytest.mark.parametrize("lost", [LOST, CUT_OFF])
def test_a_run_whose_answer_was_lost_is_created_once(asking, lost):
    """The server has it already; it is found by its tag."""
    server = Server(lost, lost)
    client, _ = asking(server)
    assert client.create_run("1", tags={"a": "b"})["a"] == "b"
    assert len(server.runs) == 1


def test_what_passes_is_asked_again_and_what_does_not_is_said(asking, monkeypatch):
    """A locked file and an answer that was cut off pass; a server's refusal does not, nor what lasts too long."""
    client, _ = asking(Server(LOCKED, CUT_OFF, LOST))
    assert client.get_run("x") == "x"
    client, _ = asking(Server(RestException({"error_code": "X", "message": "database is read-only"})))
    with pytest.raises(MlflowException, match="read-only"):
        client.get_run("x")
    monkeypatch.setattr(patience, "PATIENCE_S", -1.0)
    client, _ = asking(Server(LOCKED), remote=False)
    with pytest.raises(MlflowException, match="locked"):
        client.create_run("1", tags={})


def test_whoever_waits_is_told(monkeypatch):
    """Every few seconds, until the answer comes."""
    monkeypatch.setattr(patience, "TELL_S", 0.01)
    said = []
    with patience.waiting("the store", said.append):
        time.sleep(0.05)
    told = len(said)
    assert told >= 2
    assert said[0] == "the store has not answered for 0 s: it is locked or busy; waiting"
    time.sleep(0.03)
    assert len(said) == told


@pytest.mark.slow
@pytest.mark.faults
def test_a_store_that_is_locked_for_a_while_is_waited_for(bench, folder, start):
    """Half a minute is bridged and said; what lasts longer is a sentence, and the sweep goes on afterwards."""
    with contextlib.closing(sqlite3.connect("mlflow.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        process = start(folder, "sweep", *ASKED)
        time.sleep(30)
        other.execute("COMMIT")
    _, err = process.communicate(60)
    assert process.returncode == 0, err
    assert "has not answered for 10 s" in err
    assert "has not answered for 20 s" in err
    monkeypatched = (
        "import bench.store.patience as p, bench.store.mlflow_store as m; p.PATIENCE_S = m.PATIENCE_S = 15.0"
    )
    with contextlib.closing(sqlite3.connect("mlflow.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        process = start(folder, "sweep", *ASKED, after=monkeypatched)
        _, err = process.communicate(90)
    assert process.returncode == 2
    assert "database is locked" in err
    assert "nothing was trained" in err
    assert "Traceback" not in err


@pytest.mark.slow
@pytest.mark.faults
def test_a_store_that_is_locked_for_long_in_the_middle_is_one_sentence(bench, folder, start):
    """What was trained is in its shards, and the sweep goes on when the store can be written again."""
    asked = ("hidden=2,3", "seeds=0:16", "iterations=6000", "--no-report", "--executor", "serial", "--fresh")
    impatient = "import bench.store.patience as p, bench.store.mlflow_store as m; p.PATIENCE_S = m.PATIENCE_S = 5.0"
    process = start(folder, "sweep", *asked, after=impatient)
    while not shards(folder):
        assert process.poll() is None, process.communicate()
    with contextlib.closing(sqlite3.connect("mlflow.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        _, err = process.communicate(120)
    assert process.returncode == 1, err
    assert "database is locked" in err
    assert "What was written is safe" in err
    assert "Traceback" not in err
    assert bench("sweep", *asked, "--resume").status == 0
    assert bench("doctor").status == 0


def test_a_store_that_fails_while_it_is_read_is_one_sentence(bench, folder, monkeypatch):
    """Where nothing was being trained, there is nothing to go on with."""

    def fail(*_):
        raise MlflowException("the server is gone")

    monkeypatch.setattr(Store, "runs", fail)
    ran = bench("show")
    assert (ran.status, ran.err) == (1, "bench: the store failed: the server is gone\n")


# ------------------------------------------------------------------ disks


@pytest.mark.parametrize(
    "what",
    ["shards", pytest.param(names.RUNS, marks=pytest.mark.slow), pytest.param("claims.json", marks=pytest.mark.slow)],
)
def test_a_disk_that_is_full_is_one_sentence(bench, folder, monkeypatch, what):
    """With what could not be written; when there is room again the sweep goes on."""
    before = Path.replace

    def replace(self, target):
        if what in str(target):
            raise FULL
        return before(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", replace)
        ran = bench("sweep", *ASKED, "--json")
    one_sentence(ran, what, "cannot be written: No space left on device", "What was written is safe")
    assert bench("sweep", *ASKED, "--resume", "--json").json["sweep"] == ran.json["sweep"]
    assert bench("doctor").status == 0


@pytest.mark.slow
def test_a_report_that_cannot_be_written_after_all_is_one_sentence(bench, folder, monkeypatch, undrawn):
    """The folder was there when the sweep was begun; the trainings are, and so is how to go on."""
    write = Path.write_text

    def fail(self, *given, **named):
        if self.suffix == ".html":
            raise FULL
        return write(self, *given, **named)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", fail)
        ran = bench("sweep", *ASKED[:-1], "--json")
    assert (ran.status, "Traceback" in ran.err) == (1, False)
    assert "No space left on device\nAll trainings are safe. Write it again with: python -m bench report" in ran.err
    assert len(exported(bench, ran.json["sweep"])) == 12


def at_the_end(monkeypatch, do):
    """Do something when all is trained, before the runs' ids are kept."""
    keep = SweepWriter.keep_runs

    def first(self):
        do()
        keep(self)

    monkeypatch.setattr(SweepWriter, "keep_runs", first)


@pytest.mark.parametrize("whole", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_artifacts_that_are_removed_meanwhile_are_one_sentence(bench, folder, monkeypatch, whole):
    """Shards alone, or all: what is missing is trained again."""
    with monkeypatch.context() as patch:
        at_the_end(patch, lambda: shutil.rmtree(folder / "mlruns" if whole else shards(folder)[0].parent))
        ran = bench("sweep", *ASKED, "--json")
    one_sentence(ran)
    resumed = bench("sweep", *ASKED, "--resume", "--json")
    assert (resumed.status, resumed.json["sweep"]) == (0, ran.json["sweep"]), resumed.err
    assert len(exported(bench, ran.json["sweep"])) == 12
    assert bench("doctor").status == 0


@pytest.mark.slow
def test_a_temporary_folder_that_is_removed_is_one_sentence(bench, folder, monkeypatch, undrawn):
    """Pictures are drawn in it."""
    monkeypatch.setattr("tempfile.tempdir", str(folder / "gone"))
    one_sentence(bench("sweep", *ASKED[:-1]), "'/", "No such file or directory", "gone")


def test_a_database_that_is_deleted_meanwhile_is_made_again_from_what_lies_beside_it(bench, folder, monkeypatch):
    """No sweep ends well that its store knows nothing of."""
    other = swept(bench)
    rows = exported(bench, other)
    with monkeypatch.context() as patch:
        at_the_end(patch, lambda: [path.unlink() for path in folder.glob("mlflow.db*")])
        ran = bench("sweep", *ASKED, "--json")
    one_sentence(ran, "was deleted or replaced meanwhile", "doctor --repair")
    found = bench("doctor", "--json")
    assert (found.status, {one["kind"] for one in found.json["store"]["found"]}) == (1, {"run missing"})
    assert not (folder / "mlflow.db").exists()
    assert bench("doctor", "--repair").status == 0
    listed = {one["sweep"]: one["status"] for one in bench("list", "--json").json["sweeps"]}
    assert listed == {other: "FINISHED", ran.json["sweep"]: "FINISHED"}
    assert bench("doctor").status == 0
    for sweep in listed:
        pd.testing.assert_frame_equal(exported(bench, sweep), rows)
        runs = list(Store(names.DEFAULT_URI).runs(names.TRIAL, parent=sweep))
        assert [run.info.status for run in runs] == ["FINISHED"] * 2


# ------------------------------------------------------------------ what others wrote


def as_text(path):
    """Have text where a number was."""
    table = pq.read_table(path)
    place = table.column_names.index(c.FINAL_LOSS)
    pq.write_table(table.set_column(place, c.FINAL_LOSS, pa.array(["low"] * len(table))), path)


def flipped(path):
    """Have one bit changed, in the column of final losses."""
    group, content = pq.read_metadata(path).row_group(0), bytearray(path.read_bytes())
    (column,) = (one for one in map(group.column, range(group.num_columns)) if one.path_in_schema == c.FINAL_LOSS)
    content[column.data_page_offset + column.total_compressed_size - 1] ^= 1
    path.write_bytes(content)


def cut_off(path):
    """Have no end."""
    path.write_bytes(path.read_bytes()[:-20])


def fewer(path):
    """Have fewer rows."""
    pq.write_table(pq.read_table(path).slice(1), path)


@pytest.mark.parametrize(
    "damage",
    [
        flipped,
        pytest.param(as_text, marks=pytest.mark.slow),
        pytest.param(fewer, marks=pytest.mark.slow),
        pytest.param(cut_off, marks=pytest.mark.slow),
    ],
)
def test_a_shard_that_is_not_what_was_written_is_set_aside_and_trained_again(bench, folder, damage):
    """Other sweeps can be read; of this one each command says in a sentence what is wrong."""
    sound = swept(bench)
    rows = exported(bench, sound)
    sweep = swept(bench)
    (path,) = (folder / "mlruns" / "adhoc" / sweep).rglob("shards/*.parquet")
    damage(path)
    for words in (("report", sweep), ("export", sweep, "-o", "y.csv")):
        ran = bench(*words)
        assert ran.status == 2
        assert f"{path.name}' is not what was written" in ran.err
        assert ran.err.count("\n") == 1
    assert len(exported(bench, sound)) == 12
    assert bench("doctor", "--json").json["store"]["found"][0]["kind"] == "damaged shard"
    repaired = bench("doctor", "--repair")
    assert repaired.status == 0
    assert "--resume" in repaired.out
    assert list((folder / "mlruns" / "adhoc" / sweep / "aside").iterdir())
    assert bench("sweep", *ASKED, "--resume", "--json").json["sweep"] == sweep
    pd.testing.assert_frame_equal(exported(bench, sweep), rows)
    assert bench("doctor").status == 0


@pytest.mark.slow
def test_shards_without_checksums_stay_readable(bench, folder):
    """Those of earlier versions, whose names have no number of rows."""
    rows = exported(bench, sweep := swept(bench))
    (path,) = shards(folder)
    pq.write_table(pq.read_table(path), path.with_name("1-00000000.parquet"))
    path.unlink()
    pd.testing.assert_frame_equal(exported(bench, sweep), rows)
    assert bench("doctor").status == 0


@pytest.mark.parametrize(
    "content",
    [
        '{"trials": 3}',
        pytest.param("{", marks=pytest.mark.slow),
        pytest.param("[]", marks=pytest.mark.slow),
        pytest.param("null", marks=pytest.mark.slow),
    ],
)
def test_a_plan_that_is_broken_breaks_only_its_own_sweep(bench, folder, content):
    """It is listed; who reads it is told in a sentence, and the others go on."""
    sound = swept(bench)
    sweep = swept(bench)
    (folder / "mlruns" / "adhoc" / sweep / "artifacts" / names.PLAN).write_text(content)
    assert len(bench("list", "--json").json["sweeps"]) == 2
    for words in (("report", sweep), ("export", sweep, "-o", "y.csv")):
        ran = bench(*words)
        assert ran.status == 2
        assert names.PLAN in ran.err
        assert "Traceback" not in ran.err
    assert len(exported(bench, sound)) == 12
    swept(bench, "--reuse")
    assert bench("doctor", "--json").json["store"]["found"][0]["kind"] == "unreadable"


@pytest.mark.slow
def test_text_where_a_number_was_breaks_no_list(bench, folder):
    """Nor the commands that look through it."""
    sweep = swept(bench)
    with contextlib.closing(sqlite3.connect("mlflow.db")) as store:
        store.execute("UPDATE latest_metrics SET value = 'many' WHERE key = 'trainings'")
        store.commit()
    assert bench("list", "--json").json["sweeps"][0]["trainings"] == 0
    assert bench("export", sweep, "-o", "x.csv").status in (0, 2)


# ------------------------------------------------------------------ what the doctor finds


def test_the_doctor_finds_and_mends_runs_that_nobody_ended(bench, folder):
    """Orphans, ghosts, runs that are missing and locks of processes that have ended; a healthy store has none."""
    sweep, other = swept(bench), swept(bench)
    assert bench("doctor", "--json").json["store"]["found"] == []
    store = Store(names.DEFAULT_URI)
    experiment = store.experiment_id("adhoc")
    first, second = store.runs(names.TRIAL, parent=sweep)
    tags = {names.KIND: names.TRIAL, names.TRIAL_TAG: first.data.tags[names.TRIAL_TAG]}
    ghost = store.client.create_run(experiment, tags={**tags, names.PARENT_TAG: sweep})
    orphan = store.client.create_run(experiment, tags={**tags, names.PARENT_TAG: "nobody"})
    bare = store.client.create_run(experiment, tags={names.KIND: names.SWEEP})
    store.client.delete_run(second.info.run_id)
    left_as(other, f"process {os.getppid()} on {platform.node()}, begun at 1")
    found = {one["kind"]: one["run"] for one in bench("doctor", "--json").json["store"]["found"]}
    assert found == {
        "ghost run": ghost.info.run_id,
        "orphan": orphan.info.run_id,
        "runs missing": sweep,
        "stale lock": other,
        "unfinished beginning": bare.info.run_id,
    }
    assert bench("doctor", "--repair").status == 0
    assert bench("doctor", "--json").json["store"]["found"] == []
    assert {run.data.tags[names.TRIAL_TAG] for run in store.runs(names.TRIAL, parent=sweep)} == {
        run.data.tags[names.TRIAL_TAG] for run in (first, second)
    }
    assert (run_of(sweep).info.status, run_of(other).info.status) == (names.FINISHED, names.KILLED)


@pytest.mark.slow
def test_a_sweep_that_lacks_trainings_has_not_ended(bench, folder):
    """The doctor says so, and a repair lets it be gone on with."""
    sweep = swept(bench)
    shards(folder)[0].unlink()
    (found,) = bench("doctor", "--json").json["store"]["found"]
    assert (found["kind"], found["what"]) == ("trainings missing", "it has ended, and 12 are not there")
    assert bench("doctor", "--repair").status == 0
    assert bench("sweep", *ASKED, "--resume", "--json").json["sweep"] == sweep
    assert bench("doctor").status == 0


def test_without_a_store_the_doctor_speaks_of_the_machine_alone(bench, folder):
    """As ever."""
    (folder / "mlflow.db").unlink()
    ran = bench("doctor", "--json")
    assert (ran.status, list(ran.json)) == (0, ["environment"])
    assert not (folder / "mlflow.db").exists()
