"""A search: what it may ask, and that it is the same however it is run."""

from pathlib import Path

import pandas as pd
import pytest

from bench.experiment.block import Values
from bench.experiment.search_table import read_search
from bench.search.study import Study
from bench.tracking import columns as c

FILE = """
title = "Which setting solves XOR?"
[defaults]
gate = "xor"
iterations = 300
[search]
hidden = {low = 2, high = 6}
learning_rate = {low = 0.1, high = 20.0, log = true}
loss = ["mse", "bce"]
trials = 8
batch = 4
seeds = "0:6"
seed = 3
"""


def spec(**table):
    problems = []
    found = read_search({"hidden": {"low": 2, "high": 6}, **table}, Values(), Values(), Path(), problems)
    return found, problems


def test_the_same_answers_give_the_same_questions():
    """Proposals depend on the search's seed and on what was told, on nothing else."""
    found, _ = spec(learning_rate={"low": 0.1, "high": 10.0, "log": True}, loss=["mse", "l1"])

    def play():
        study = Study(found)
        asked = []
        for _ in range(4):
            proposals = study.ask(5)
            asked.append(proposals)
            for number, values in proposals.items():
                study.tell(number, values["hidden"] / 10)
        return asked

    assert play() == play()


def test_every_proposal_is_a_trial_within_its_space():
    """Values stay in their ranges, and choices are the parameters' own values."""
    found, _ = spec(hidden_bias=[True, False], learning_rate={"low": 0.1, "high": 1.0, "step": 0.1})
    for values in Study(found).ask(30).values():
        trial = found.trial(values)
        assert 2 <= trial.hidden[0] <= 6
        assert 0.1 <= trial.learning_rate <= 1.0
        assert isinstance(trial.hidden_bias, bool)


def test_a_search_trains_every_seed_of_every_proposal(bench, folder):
    """Its trials are rows like a grid's, and its report is written."""
    (folder / "s.toml").write_text(FILE)
    ran = bench("sweep", "s.toml", "--json")
    assert ran.status == 0, ran.err
    assert (ran.json["trials"], ran.json["trainings"]) == (8, 48)
    bench("export", "-o", "x.parquet")
    rows = pd.read_parquet("x.parquet")
    assert rows[c.TRIAL_ID].nunique() == 8
    assert rows[c.LEARNING_RATE].between(0.1, 20).all()


def test_an_unfinished_search_goes_on_where_it_was(bench, folder, monkeypatch):
    """Resumed after a fault, it has the trials that it would have had, each trained once."""
    from bench.sweep import searching

    (folder / "s.toml").write_text(FILE)
    whole = bench("sweep", "s.toml", "--json", "--no-report").json["sweep"]
    bench("export", whole, "-o", "whole.parquet")

    class Faint(Study):
        def tell(self, number, value):
            if number == 2:
                raise RuntimeError("the power went")
            super().tell(number, value)

    monkeypatch.setattr(searching, "Study", Faint)
    with pytest.raises(RuntimeError, match="the power went"):
        bench("sweep", "s.toml", "--no-report")
    monkeypatch.setattr(searching, "Study", Study)
    ran = bench("sweep", "s.toml", "--resume", "--json", "--no-report")
    assert ran.status == 0, ran.err
    bench("export", ran.json["sweep"], "-o", "resumed.parquet")
    one, two = (pd.read_parquet(f"{n}.parquet").drop(columns=c.ITERATION_US) for n in ("whole", "resumed"))
    pd.testing.assert_frame_equal(one, two)


def test_a_dry_run_says_what_a_search_will_spend(bench, folder):
    """Its trials cannot be listed before they are proposed."""
    (folder / "s.toml").write_text(FILE)
    assert "8 trials of a search over hidden, learning_rate, loss" in bench("sweep", "s.toml", "--dry-run").out


def test_an_override_fixes_what_was_searched(bench, folder):
    """hidden=3 takes it out of the space."""
    (folder / "s.toml").write_text(FILE)
    found = bench("sweep", "s.toml", "hidden=3", "--dry-run")
    assert "search over learning_rate, loss" in found.out
