"""What is stuck, trained ten times as long."""

from threading import Event

import numpy as np
import pytest

from bench.backends import load
from bench.config.plan import Plan, PlannedTrial
from bench.metrics import columns as c
from bench.model.outcome import Batch
from bench.running.budget_check import ENOUGH, check_budget
from bench.running.executors import WorkerPool
from bench.stats.budget_checks import budget_checks
from bench.stats.grid_analysis import trial_table

SLOW = {"gate": "or", "hidden": 2, "loss": "l1", "learning_rate": 5.0, "iterations": 100}


@pytest.fixture
def checked(trained, table):
    """Return what a check of these trials says, and their trainings."""

    def check(trials, seeds, stop=None):
        data = table(*(trained(trial, seeds) for trial in trials))
        plan = Plan(tuple(PlannedTrial(trial, (0,), seeds, ()) for trial in trials), 0)
        return check_budget(plan, data, WorkerPool("serial", 1), stop or Event()), data, plan

    return check


@pytest.mark.untraced
def test_the_same_trainings_go_on(checked, trial):
    """Each is one that was stuck, and solves its gate if the whole training of ten times the budget does."""
    slow = trial(**SLOW, dtype="float64")
    rows, data, _ = checked([slow], range(40))
    stuck = data[data[c.OUTCOME] == "stuck"].set_index(c.SEED)
    assert 5 < len(rows) <= len(stuck)
    longer = trial(**{**SLOW, "iterations": 1_000}, dtype="float64", backend="numpy", curve_points=2)
    seeds = [row[c.SEED] for row in rows]
    assert set(seeds) <= set(stuck.index)
    outcome = load("numpy").train(Batch.of(longer, seeds))
    late = outcome.reading(longer).solved_T | (outcome.solved_at_T >= 0)
    assert [row[c.SOLVED] for row in rows] == late.tolist()
    assert late.sum() > 0


@pytest.mark.untraced
def test_a_trial_without_stuck_trainings_is_not_checked(checked, trial):
    """Nothing is stuck where all is solved."""
    rows, data, _ = checked([trial(gate="or", hidden=3, learning_rate=5.0, iterations=2_000)], range(10))
    assert data[c.SOLVED].all()
    assert rows == []


@pytest.mark.untraced
def test_the_same_sweep_checks_the_same(checked, trial):
    """A report that is written again says the same; no more are checked than are enough."""
    trials = [trial(gate="xor", hidden=0, iterations=20, loss=loss) for loss in ("mse", "bce", "l1")]
    first, second = (checked(trials, range(150))[0] for _ in range(2))
    assert first == second
    assert len(first) == ENOUGH
    assert len({(row[c.TRIAL_ID], row[c.SEED]) for row in first}) == len(first)


def test_a_check_that_was_interrupted_says_nothing(checked, trial):
    """Part of it would be a selection."""
    stop = Event()
    stop.set()
    assert checked([trial(gate="xor", hidden=0, iterations=100)], range(20), stop)[0] is None


@pytest.mark.parametrize("iterations", [20_000_000, 500_000_000])
def test_what_takes_too_long_is_not_checked(trial, ended, table, iterations):
    """Ten times a budget of that size is minutes of a core, or more iterations than a training may have."""
    one = trial(gate="xor", hidden=2, iterations=iterations)
    plan = Plan((PlannedTrial(one, (0,), range(3), ()),), 0)
    data = table(ended(one, [[0.5] * 4] * 3))
    assert check_budget(plan, data, WorkerPool("serial", 1), Event()) == []


def test_what_is_not_trained_is_not_trained_on(checked, trial):
    """Ten times none is none."""
    rows, data, _ = checked([trial(hidden=2, optimizer="none")], range(5))
    assert (data[c.OUTCOME] == "stuck").all()
    assert rows == []


@pytest.mark.untraced
def test_each_gate_has_its_share_with_an_interval(checked, trial):
    """Of one trial it is exact: what a perceptron cannot solve, it does not solve with ten times the budget."""
    trials = [trial(gate="xor", hidden=0, iterations=300), trial(**SLOW)]
    rows, _, plan = checked(trials, range(30))
    found = budget_checks(trial_table(plan), rows).set_index(c.GATE)
    assert found.loc["xor", "rate"] == 0
    assert found.loc["xor", "high"] == pytest.approx(1 - 0.025 ** (1 / found.loc["xor", "checked"]))
    assert found.loc["or", "rate"] == np.mean([row[c.SOLVED] for row in rows if row[c.TRIAL_ID] == trials[1].trial_id])


@pytest.mark.untraced
@pytest.mark.usefixtures("undrawn")
def test_a_sweep_says_how_much_was_only_slow(bench, folder):
    """The check adds no row; without it, the page says that nobody looked."""
    words = ["gate=or", "hidden=2", "loss=l1", "learning_rate=0.5", "iterations=1000", "seeds=0:40", "-o"]
    assert bench("sweep", *words, "with.html").status == 0
    bench("export", "-o", "rows.csv")
    assert len((folder / "rows.csv").read_text().splitlines()) == 41
    assert "drawn at random and trained on," in (folder / "with.html").read_text()
    assert bench("sweep", *words, "without.html", "--no-budget-check").status == 0
    assert "was not checked" in (folder / "without.html").read_text()
