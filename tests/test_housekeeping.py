"""Sweeps after they have ended: listed, shown again, renamed, noted, deleted."""

import json
import os
import subprocess
import sys
from io import StringIO

import pandas as pd
import pytest

from bench import overhead
from bench.metrics import columns as c
from bench.store import owner
from bench.store.listing import read_list
from bench.store.mlflow_store import Store
from bench.store.names import DEFAULT_URI, NOTE_TAG, OWNER_TAG
from bench.store.reader import sweeps

ASKED = ("gate=xor", "hidden=2,3", "seeds=0:6", "iterations=30")


@pytest.fixture
def swept(bench, folder):
    """The id of a sweep."""
    return bench("sweep", *ASKED, "--json", "--no-report").json["sweep"]


@pytest.fixture
def paged(bench, folder, undrawn):
    """The id of a sweep with a page."""
    return bench("sweep", *ASKED, "--json", "-o", "r.html").json["sweep"]


@pytest.fixture
def unfinished(bench, swept):
    """The id of a sweep that its process left."""
    store = Store(DEFAULT_URI)
    store.client.update_run(swept, status="RUNNING")
    return swept


@pytest.mark.untraced
def test_a_list_without_mlflow_says_what_mlflow_says(bench, paged):
    """Of every sweep, the same in the same order; what came of it is the answer of its page."""
    bench("sweep", "hidden=2..4", "search.trials=2", "search.validate=0", "seeds=0:3", "iterations=20", "--no-report")
    listed = read_list(DEFAULT_URI)
    assert listed == sweeps(Store(DEFAULT_URI))
    assert [info.name for info in listed] == ["xor: a search over hidden 2–4", "xor: hidden 2, 3"]
    assert listed[1].answer.startswith("No start solves XOR, in 2 settings")


def test_other_stores_are_asked_by_mlflow(tmp_path):
    """A server, or a database with other tables."""
    assert read_list("http://127.0.0.1:1") is None
    (tmp_path / "other.db").write_text("no database")
    assert read_list(f"sqlite:///{tmp_path}/other.db") is None


def test_listing_imports_no_mlflow(swept):
    """Nor pandas: it answers at once."""
    code = "import sys; sys.argv = ['bench', 'list']\nfrom bench.cli import main\nmain()\n"
    done = subprocess.run([sys.executable, "-X", "importtime", "-c", code], capture_output=True, text=True, check=True)
    assert swept[:8] in done.stdout
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert not {"mlflow", "pandas", "numpy", "sqlalchemy", "pydantic"} & imported


def test_an_unfinished_sweep_is_listed_with_how_to_go_on(bench, unfinished, monkeypatch):
    """Unless its process is still at it."""
    assert f"not finished; go on with: python -m bench sweep {' '.join(ASKED)} --resume" in bench("list").out
    monkeypatch.setattr("bench.store.listing.is_alive", lambda _: True)
    assert "go on with" not in bench("list").out
    assert "running" in bench("list").out


def test_who_is_at_a_sweep_is_told_from_others(monkeypatch):
    """A process of this machine that runs bench, and is not this one."""
    assert not owner.is_alive(owner.owner())
    assert not owner.is_alive(f"process {os.getppid()} on elsewhere")
    assert not owner.is_alive("process 4194999 on " + os.uname().nodename)
    assert not owner.is_alive("somebody")


@pytest.mark.untraced
def test_a_sweep_is_shown_again(bench, swept):
    """As the sweep printed it; its trials as CSV; all of it as JSON."""
    shown = bench("show")
    assert "iterations=30; 6 seeds each\n" in shown.out
    assert "• " in shown.out
    table = pd.read_csv(StringIO(bench("show", swept[:8], "--format", "csv").out))
    assert table[c.HIDDEN].tolist() == [2, 3]
    found = json.loads(bench("show", "--format", "json").out)
    assert (found["sweep"], len(found["trials"]), found["claims"]) == (swept, 2, [])
    assert found["findings"][0]["sentence"]


def test_a_title_is_the_pages_and_the_runs(bench, folder, swept):
    """The trials and what was asked stay what they are."""
    assert bench("title", swept[:8], "Two <sizes>").status == 0
    assert "Two <sizes>" in bench("list").out
    bench("report", "-o", "again.html")
    assert "Two &lt;sizes&gt;" in (folder / "again.html").read_text()
    assert "nothing to resume" in bench("sweep", *ASKED, "--resume").err


def test_a_note_is_added_to_what_mlflow_shows(bench, paged):
    """After the answer, the question and the findings."""
    bench("note", paged, "Ask *again*.")
    note = Store(DEFAULT_URI).client.get_run(paged).data.tags[NOTE_TAG]
    assert (
        note.index("### No start")
        < note.index("`python -m")
        < note.index("* Within 30 iterations")
        < note.index("Ask *again*.")
    )


def test_a_deleted_sweep_is_gone_with_all_its_runs(bench, swept):
    """And can be restored, as MLflow's are."""
    assert bench("delete", swept[:8]).status == 0
    store = Store(DEFAULT_URI)
    assert (read_list(DEFAULT_URI), list(store.runs("trial")), list(store.runs("training"))) == ([], [], [])
    store.client.restore_run(swept)
    assert [info.sweep for info in read_list(DEFAULT_URI)] == [swept]


def test_what_is_running_is_left_alone(bench, unfinished, monkeypatch):
    """One sentence, and nothing is changed."""
    monkeypatch.setattr("bench.store.writer.is_alive", lambda _: True)
    for words in (("delete", unfinished), ("title", unfinished, "x"), ("note", unfinished, "x")):
        ran = bench(*words)
        assert ran.status == 2
        assert "is still running; allowed is one that has ended" in ran.err
    assert OWNER_TAG in Store(DEFAULT_URI).client.get_run(unfinished).data.tags


def test_garbage_is_collected_by_mlflow(bench, swept, monkeypatch):
    """Its own command, on this store."""
    seen = []
    monkeypatch.setattr(os, "execv", lambda _, words: seen.append(words))
    bench("gc")
    assert seen[0][1:4] == ["-m", "mlflow", "gc"]
    assert seen[0][-1].endswith("mlflow.db")


def test_the_doctor_times_whole_sweeps_and_says_what_the_libraries_take(bench, monkeypatch):
    """Medians over rounds in which all cases take turns; what no phase counts is the rest."""
    seconds = {**dict.fromkeys(overhead.PHASES, 0.5), "optuna": 0.0}
    begun = []

    def timed(_folder, *words):
        begun.append(words)
        return (2.0, "") if words[0] == "-c" else (3.0 + len(begun) % 2, json.dumps({"seconds": seconds}))

    monkeypatch.setattr(overhead, "_timed", timed)
    ran = bench("doctor", "--speed", "--rounds", 3, "--json")
    rows = ran.json["seconds"]
    assert [row["what"] for row in rows] == list(overhead.CASES)
    assert all(row["libraries"] == 2.0 and row["rest"] == pytest.approx(row["total"] - 2.5) for row in rows)
    assert len(begun) == 1 + 3 * 2 * len(overhead.CASES)
    assert "round 3 of 3: a search of 200 trials" in ran.err
    shown = bench("doctor", "--speed").out
    assert "python" in shown
    assert "1,000,000 seeds, 1,000 iterations" in shown


def test_a_command_that_fails_ends_the_doctors_measurement(tmp_path):
    """With what it said."""
    with pytest.raises(RuntimeError, match="ended with 1"):
        overhead._timed(str(tmp_path), "-c", "raise ValueError")
