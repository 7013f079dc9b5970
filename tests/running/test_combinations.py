"""A search for each of several combinations: the same as that many searches, whatever happens to it on the way."""

import json
import signal
from pathlib import Path

import pytest

from bench.metrics import columns as c
from bench.store.mlflow_store import Store
from bench.store.reader import find_sweep, read_plan, read_sweep

SEARCH = """
[defaults]
gate = "xor"
iterations = 100
curve_points = 2
[search]
learning_rate = {low = 0.5, high = 20.0, log = true}
trials = 4
batch = 2
seeds = "0:6"
validate = 12
"""
FILE = f"""
title = "Which helps?"
{SEARCH}
seed = 3
[search.each]
hidden = [2, 3]
[[search.each.variant]]
title = "plain"
[[search.each.variant]]
title = "steady"
momentum = 0.9
"""
ALONE = f"""
{SEARCH}
hidden = 3
momentum = 0.9
seed = 6
best = 1
"""
KILLED = """
import os, signal
from bench.search.optuna_study import Study
tell, calls = Study.tell, []
def deadly(*args, **kwargs):
    calls.append(1)
    if len(calls) == 11:
        os.kill(os.getpid(), signal.SIGKILL)
    return tell(*args, **kwargs)
Study.tell = deadly
"""


def left():
    """Return what a search proposed and found, but for its name, and which trainings there are."""
    store = Store("sqlite:///mlflow.db")
    sweep = find_sweep(store, None)
    plan = read_plan(store, sweep).to_json()["search"]
    rows = read_sweep(store, sweep, c.EXPORT).trainings
    trained = sorted(zip(rows[c.TRIAL_ID].astype(str), rows[c.SEED], rows[c.FINAL_LOSS], strict=True))
    return [one["trials"] for one in plan["studies"]], plan["winners"], trained


@pytest.fixture
def whole(made, monkeypatch):
    """What a search for each of four combinations left, in its folder."""
    monkeypatch.chdir(made("each", "sweep", "each.toml", "--no-report", "--workers", "2", text=FILE))
    return left()


def test_each_combination_is_searched_as_if_it_were_the_only_one(whole, bench, folder):
    """The last one has the trials, and the best, of a plain search with its values and its sampler's seed."""
    Path("alone.toml").write_text(ALONE)
    assert bench("sweep", "alone.toml", "--no-report").status == 0
    ((own,), (winner,), _), (studies, winners, trained) = left(), whole
    assert studies[3] == own
    assert [one["trial_id"] for one in winners if one["study"] == 3] == [winner["trial_id"]]
    held_out = [trial_id for trial_id, seed, _ in trained if seed >= 6]
    assert sorted(set(held_out)) == sorted(one["trial_id"] for one in winners)
    assert len(held_out) == 4 * 12


@pytest.mark.slow
def test_a_search_for_each_that_was_killed_comes_to_the_same(whole, folder, bench, start, monkeypatch):
    """Nothing is trained twice, and every study goes on with the same proposals."""
    monkeypatch.chdir(folder)
    Path("each.toml").write_text(FILE)
    killed = start(folder, "sweep", "each.toml", "--no-report", after=KILLED)
    _, err = killed.communicate()
    assert killed.returncode == -signal.SIGKILL, err
    ran = bench("sweep", "each.toml", "--no-report", "--resume")
    assert ran.status == 0, ran.err
    assert left() == whole


def test_runs_say_which_combination_they_are_of(whole):
    """In MLflow each trial has its combination in its name, and the sweep has what was held fixed among its params."""
    store = Store("sqlite:///mlflow.db")
    names = {run.info.run_name for run in store.runs("trial")}
    assert {"plain, 2 neurons", "plain, 3 neurons", "steady, 2 neurons", "steady, 3 neurons"} == {
        name.partition(" #")[0] for name in names
    }
    (parent,) = store.runs("sweep")
    assert (parent.data.params["hidden"], parent.data.params["momentum"]) == ("2, 3", "0, 0.9")


def test_what_came_of_it_is_printed_as_a_table(whole, command, made):
    """A row for each variant, a column for each setting; the work was counted before."""
    folder = made("each")
    out = (folder / "out").read_text()
    assert "2 neurons" in out
    assert "steady" in out
    assert "plain solves XOR from" in out
    shown = command(folder, "show").out
    assert all(line in out for line in shown.splitlines() if line.startswith(("plain", "steady", "• ")))
    rows = {line.split()[0]: line for line in shown.splitlines() if line.startswith((" plain", " steady"))}
    assert rows["plain"].count("%") == 2
    assert rows["steady"].count("[") == 2
    ran = command(folder, "sweep", "each.toml", "--dry-run")
    assert "4 trials of a search over learning_rate" in ran.out
    assert "for each of 4 combinations: plain, steady; then the best of each with 12 held-out seeds" in ran.out
    assert json.loads(command(folder, "sweep", "each.toml", "--dry-run", "--json").out)["trainings"] == 4 * (4 * 6 + 12)
