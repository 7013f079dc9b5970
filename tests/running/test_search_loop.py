"""Whole searches: the same however they are run, and nothing lost by a kill."""

import json
import signal
from pathlib import Path

import optuna
import pandas as pd
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from bench.config.search_config import SAMPLERS
from bench.metrics import columns as c
from bench.store.mlflow_store import Store
from bench.store.reader import find_sweep, read_plan, read_sweep

FILE = """
title = "Which setting solves XOR?"
[defaults]
gate = "xor"
iterations = 200
curve_points = 10
[search]
hidden = {low = 2, high = 6}
learning_rate = {low = 0.5, high = 20.0, log = true}
loss = ["mse", "bce"]
activation = {choices = ["sigmoid", "tanh"], only_if = {loss = "bce"}}
trials = 9
batch = 4
seeds = "0:6"
seed = 3
validate = 20
best = 2
"""
TIMED = [c.ITERATION_US]
KILLERS = {  # where the process kills itself: module, class, method, and at which call
    "while a batch is trained": ("bench.running.recorder", "Recorder", "flush", 6),
    "between two answers": ("bench.search.optuna_study", "Study", "tell", 6),
    "after training on held-out seeds": ("bench.running.holdout", "HeldOutValidation", "_evaluate", 2),
}
KILLED = """
import importlib, os, signal
module, name, attribute = {where!r}
target = getattr(importlib.import_module(module), name)
original, calls = getattr(target, attribute), []
def deadly(*args, **kwargs):
    calls.append(1)
    if len(calls) == {call}:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(*args, **kwargs)
setattr(target, attribute, deadly)
"""


@pytest.fixture
def search(bench, folder):
    """Run a search and return what it left: its plan, its rows but for timings, and Optuna's trials."""

    def run(*words, text=FILE):
        Path("s.toml").write_text(text)
        ran = bench("sweep", "s.toml", "--no-report", "--json", *words)
        assert ran.status == 0, ran.err
        return found()

    return run


@pytest.fixture
def whole(made, monkeypatch):
    """What a search left that several tests look at, each in its folder."""
    monkeypatch.chdir(made("s", "sweep", "s.toml", "--no-report", "--json", "--workers", "2", text=FILE))
    return found()


def found():
    store = Store("sqlite:///mlflow.db")
    sweep = find_sweep(store, None)
    rows = read_sweep(store, sweep, c.EXPORT).trainings[list(c.EXPORT)].drop(columns=TIMED)
    return read_plan(store, sweep).to_json()["search"], rows.astype(dict.fromkeys(rows.select_dtypes("category"), str))


def journal():
    """Return Optuna's trials as its dashboard would read them, of each study in turn."""
    storage = JournalStorage(JournalFileBackend("optuna.journal"))
    return [
        [(trial.number, trial.params, trial.values, trial.state.name) for trial in study.trials]  # noqa: PD011 - Optuna's
        for study in optuna.get_all_study_summaries(storage)
        for study in [optuna.load_study(study_name=study.study_name, storage=storage)]
    ]


def same(one, other):
    """Compare plans but for the sweep's id, and rows."""
    for plan in (one[0], other[0]):
        plan["studies"] = [{**study, "name": ""} for study in plan["studies"]]
        plan.pop("storage")
    assert one[0] == other[0]
    key = [c.TRIAL_ID, c.SEED]
    sort = lambda rows: rows.sort_values(key, ignore_index=True)  # noqa: E731
    pd.testing.assert_frame_equal(sort(one[1]), sort(other[1]))


def test_every_proposal_is_trained_with_every_seed(whole):
    """All are accounted for; the best and the reference have the held-out seeds besides."""
    plan, rows = whole
    asked = set(plan["studies"][0]["trials"])
    assert len(plan["studies"][0]["trials"]) == 9
    for trial_id in asked:
        assert set(range(6)) <= set(rows[c.SEED][rows[c.TRIAL_ID] == trial_id])
    held_out = rows[rows[c.SEED] >= 6].groupby(c.TRIAL_ID)[c.SEED].agg(list).to_dict()
    chosen = [winner["trial_id"] for winner in plan["winners"]]
    assert set(held_out) == {*chosen, *(one["trial_id"] for one in plan["references"])}
    assert all(sorted(seeds) == list(range(6, 26)) for seeds in held_out.values())
    assert len(chosen) == 2
    assert plan["ended"] == "trials"


def test_mlflow_knows_each_trials_number_and_state(whole):
    """A search's trial is a run like a grid's; the sweep's own has the best parameters, history and importance."""
    plan, _ = whole
    store = Store("sqlite:///mlflow.db")
    runs = {run.data.tags["bench.trial_id"]: run for run in store.runs("trial")}
    for number, trial_id in enumerate(plan["studies"][0]["trials"]):
        run = runs[trial_id]
        assert run.data.tags["optuna.number"].split(", ")[0] == str(number)
        assert run.data.tags["optuna.state"] == "COMPLETE"
        assert run.info.run_name.startswith(f"#{number} hidden=")
        assert "rmst" in run.data.metrics
    winner = runs[plan["winners"][0]["trial_id"]]
    assert 0 <= winner.data.metrics["held_out_solved_rate"] <= 1
    (parent,) = store.runs("sweep")
    assert parent.data.tags["best.hidden"] == winner.data.params["hidden"]
    assert any(name.startswith("importance.fANOVA.") for name in parent.data.metrics)
    history = store.client.get_metric_history(parent.info.run_id, "best_rmst")
    assert len(history) == 9
    assert history[-1].value == winner.data.metrics["rmst"]


@pytest.mark.untraced
@pytest.mark.slow
def test_a_search_killed_three_times_goes_on_as_if_nothing_had_happened(search, folder, whole, start, monkeypatch):
    """The same trials, the same best, and no trial told twice; what goes on is killed at the next moment."""
    told = journal()
    monkeypatch.chdir(folder)
    Path("s.toml").write_text(FILE)
    for number, (*where, call) in enumerate(KILLERS.values()):
        more = ["--resume"] if number else []
        killed = start(folder, "sweep", "s.toml", "--no-report", *more, after=KILLED.format(where=where, call=call))
        _, err = killed.communicate()
        assert killed.returncode == -signal.SIGKILL, err
    same(whole, search("--resume"))
    assert journal() == told


def test_a_finished_search_is_extended_as_if_it_had_been_that_long_from_the_start(search, folder, whole, monkeypatch):
    """The same sweep with more trials, whose runs say so; the best of fewer trials keep their held-out trainings."""
    more = ("search.trials=15", "--resume")
    (folder / "whole").mkdir()
    monkeypatch.chdir(folder / "whole")
    plan, rows = search("search.trials=15")
    monkeypatch.chdir(folder)
    first, _ = search()
    (before,) = Store("sqlite:///mlflow.db").runs("sweep")
    extended, own = search(*more)
    (run,) = Store("sqlite:///mlflow.db").runs("sweep")
    assert (run.info.run_id, run.info.status) == (before.info.run_id, "FINISHED")
    assert run.data.tags["bench.command"].endswith("search.trials=15")
    assert run.data.tags["search.trials"] == "15"
    assert extended["winners"] != first["winners"]
    kept = pd.MultiIndex.from_frame(own[[c.TRIAL_ID, c.SEED]]).isin(
        pd.MultiIndex.from_frame(rows[[c.TRIAL_ID, c.SEED]])
    )
    same((plan, rows), (extended, own[kept]))
    dropped = {one["trial_id"] for one in first["winners"]} - {one["trial_id"] for one in plan["winners"]}
    assert set(own[~kept][c.TRIAL_ID]) == dropped
    assert len(journal()[0]) == 15


def test_a_search_is_extended_only_by_more_of_the_same(bench, search, folder, monkeypatch):
    """Fewer trials, other seeds, or the same again, are nothing to resume."""
    monkeypatch.chdir(folder)
    search("search.trials=3")
    for words in (
        ("search.trials=2",),
        ("search.trials=3",),
        ("search.trials=5", "seeds=0:5"),
        ("search.trials=5", "iterations=100"),
    ):
        ran = bench("sweep", "s.toml", "--no-report", "--resume", *words)
        assert ran.status == 2
        assert "nothing to resume" in ran.err


@pytest.mark.untraced
def test_workers_do_not_change_a_search(search, folder, whole, monkeypatch):
    """Bit for bit: what is proposed depends on outcomes, and these on nothing but the trial and its seed."""
    told = journal()
    monkeypatch.chdir(folder)
    same(search("--workers", "1"), whole)
    assert journal() == told


def test_a_dead_end_is_given_up_early(search, folder):
    """Pruned trials keep the seeds they were given, and say after how many they were given up."""
    text = FILE.replace("trials = 9", "trials = 16\nprune = [8, 16]").replace('"0:6"', '"0:32"')
    plan, rows = search(text=text)
    pruned = plan["studies"][0]["pruned"]
    assert pruned
    for number, count in pruned.items():
        trial_id = plan["studies"][0]["trials"][int(number)]
        assert count in {8, 16}
        assert (rows[c.TRIAL_ID] == trial_id).sum() == count
    states = [state for *_, state in journal()[0]]
    assert [n for n, state in enumerate(states) if state == "PRUNED"] == [int(n) for n in pruned]
    assert not {plan["studies"][0]["trials"][int(n)] for n in pruned} & {w["trial_id"] for w in plan["winners"]}


@pytest.mark.untraced
def test_a_baseline_has_the_same_budget(search, folder):
    """Each sampler searches as often, with as many trials; the very best of each is validated."""
    text = FILE.replace("trials = 9", 'trials = 4\nbaseline = "random"\nrepeats = 2').replace("batch = 4", "batch = 2")
    plan, rows = search(text=text)
    assert [(one["sampler"], one["seed"]) for one in plan["studies"]] == [
        ("tpe", 3),
        ("tpe", 4),
        ("random", 5),
        ("random", 6),
    ]
    assert [len(one["trials"]) for one in plan["studies"]] == [4] * 4
    assert [len(trials) for trials in journal()] == [4] * 4
    best = [winner for winner in plan["winners"] if winner["study"]]
    assert [winner["study"] for winner in best] == [1, 2, 3]
    for winner in best:
        own = rows[rows[c.TRIAL_ID] == winner["trial_id"]]
        assert set(own[c.SEED]) == set(range(26))


def test_several_objectives_have_a_front(search, folder):
    """Fewer parameters against faster solutions."""
    text = FILE.replace("trials = 9", 'trials = 9\nobjective = ["parameters", "rmst"]')
    plan, _ = search(text=text)
    assert plan["directions"] == ["minimize", "minimize"]
    assert all(len(values) == 2 for _, _, values, _ in journal()[0])


def test_time_that_is_up_ends_a_search(search, folder):
    """No batch is begun after it, and what was found is validated."""
    plan, _ = search(text=FILE.replace("trials = 9", "trials = 1000\ntimeout = 0.01"))
    assert plan["ended"] == "timeout"
    assert len(plan["studies"][0]["trials"]) == 4
    assert plan["winners"]


OTHERS = [name for name in SAMPLERS if name not in {"tpe", "nsga2"}]


@pytest.mark.untraced
@pytest.mark.parametrize("sampler", ["nsga2", *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS)])
def test_other_samplers_search_too(search, folder, sampler):
    """All of them come to an end, with as many trials as were asked for; the others here are by TPE.

    Slow are all but one: that each sampler asks, is told and asks again is tested without a sweep.
    """
    text = FILE.replace("trials = 9", f'trials = 5\nsampler = "{sampler}"').replace("batch = 4", "batch = 2")
    plan, _ = search(text=text.replace(', only_if = {loss = "bce"}', ""))
    assert len(plan["studies"][0]["trials"]) == 5


def test_a_search_in_which_nothing_can_be_trained_still_ends(search, folder):
    """What a backend refuses counts as worst, and is accounted for."""
    text = FILE.replace("iterations = 200", 'iterations = 200\nbackend = "numba"\ndevice = "cuda"')
    plan, rows = search(text=text)
    assert set(rows[c.OUTCOME]) == {"unsupported"}
    assert all(values == [200.0] for _, _, values, _ in journal()[0])
    assert plan["ended"] == "trials"


@pytest.mark.untraced
def test_a_grid_and_a_search_stand_side_by_side(search, folder):
    """A trial that both name is trained once for each of its seeds."""
    text = FILE.replace("learning_rate = {low = 0.5, high = 20.0, log = true}", "learning_rate = [1.0, 5.0]")
    text = text.replace(
        "[search]", '[[grid]]\nhidden = [2, 3, 4, 5, 6]\nloss = ["mse", "bce"]\nlearning_rate = 5.0\n[search]'
    )
    plan, rows = search(text=text)
    assert not rows.duplicated([c.TRIAL_ID, c.SEED]).any()
    shared = [name for name in plan["studies"][0]["trials"] if (rows[c.TRIAL_ID] == name).sum() >= 20]
    assert shared


@pytest.mark.untraced
def test_seconds_in_optuna_and_mlflow_are_told_apart(whole):
    """For scripts, and kept with the sweep."""
    seconds = json.loads(Path("out").read_text())["seconds"]
    assert seconds["optuna"] > 0
    assert seconds["track"] > 0
    kept = json.loads(next(Path("mlruns").rglob("search.json")).read_text())
    assert set(kept["seconds"]) == {"optuna", "train", "track"}


def test_a_dry_run_says_what_a_search_will_spend(bench, folder):
    """Its trials cannot be listed before they are proposed."""
    (folder / "s.toml").write_text(FILE)
    assert (
        "9 trials of a search over hidden, learning_rate, loss, activation" in bench("sweep", "s.toml", "--dry-run").out
    )


def test_a_dry_run_in_json_has_the_search(bench, folder):
    """What is asked, and how many iterations it takes."""
    (folder / "s.toml").write_text(FILE)
    found = bench("sweep", "s.toml", "--dry-run", "--json").json
    assert (found["search"]["trials"], found["search"]["objectives"], found["list"]) == (9, ["rmst"], [])
    assert found["iterations"] == (9 * 6 + 2 * 20) * 200 + 20 * (200 + 50_000)
    assert (
        f"{found['trainings']:,} trainings, {found['iterations']:,} iterations"
        in bench("sweep", "s.toml", "--dry-run").out
    )
    assert bench("sweep", "hidden=2,3", "--dry-run", "--json").json["search"] is None


def test_a_space_that_is_smaller_than_its_search_is_said(bench, folder):
    """Before anything is trained, and in a dry run; a larger one is not."""
    said = "the space has only 6 settings: trials will repeat them, and are not trained again"
    words = ("gate=or", "hidden=1..3", "loss=mse,bce", "iterations=10", "seeds=0:2", "search.validate=0")
    assert said in bench("sweep", *words, "search.trials=7", "--dry-run").out
    assert said in bench("sweep", *words, "search.trials=7", "--no-report").err
    assert "settings" not in bench("sweep", *words, "search.trials=6", "--dry-run").out


def test_an_override_fixes_what_was_searched(bench, folder):
    """hidden=3 takes it out of the space."""
    (folder / "s.toml").write_text(FILE)
    found = bench("sweep", "s.toml", "hidden=3", "--dry-run")
    assert "search over learning_rate, loss, activation" in found.out


def test_a_journal_that_cannot_be_read_stops_a_search_before_it_begins(bench, folder):
    """One clear message, and no sweep."""
    (folder / "s.toml").write_text(FILE)
    (folder / "optuna.journal").write_text("garbage\n")
    ran = bench("sweep", "s.toml")
    assert ran.status == 2
    assert "move it away" in ran.err
    assert "s.toml" not in bench("list").out


@pytest.mark.untraced
def test_the_terminal_shows_the_best_and_where_the_time_went(bench, folder):
    """Ranks, what they seemed and what they are; seconds in Optuna and MLflow apart."""
    (folder / "s.toml").write_text(FILE)
    ran = bench("sweep", "s.toml", "--no-report")
    assert "rmst, as searched" in ran.out
    assert "rmst, held out" in ran.out
    assert "training" in ran.err
    assert "Optuna" in ran.err
    assert "MLflow" in ran.err
    assert "optuna-dashboard optuna.journal" in ran.err
