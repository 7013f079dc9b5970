"""Optuna's samplers behind ask and tell: the same answers give the same questions."""

import importlib.util

import pytest

from bench.config.search_config import SAMPLERS
from bench.metrics.objectives import Constraint

from .conftest import CONDITIONAL, SPACE, played, value

KINDS = {
    "one objective": {},
    "two objectives": {"objectives": ("rmst", "parameters")},
    "a constraint": {"constraints": (Constraint("rmst", "<=", 20.0),)},
    "a condition": {"space": CONDITIONAL},
}
REFUSED = {("cmaes", "two objectives"), ("cmaes", "a constraint"), ("qmc", "a condition")}  # when the file is read
CASES = [(sampler, kind) for sampler in SAMPLERS for kind in KINDS if (sampler, kind) not in REFUSED]


@pytest.mark.parametrize(("sampler", "kind"), CASES)
def test_the_same_answers_give_the_same_questions(searched, sampler, kind):
    """Proposals depend on the sampler's seed and on what was told, on nothing else."""
    if sampler == "cmaes" and importlib.util.find_spec("cmaes") is None:
        pytest.skip("its package is not there")
    batches, size = (2, 6) if sampler == "gp" else (4, 6)  # its first ten are random, and the others take long
    search = searched(**KINDS[kind])
    assert played(search, sampler, batches, size)[1] == played(search, sampler, batches, size)[1]


@pytest.mark.parametrize("sampler", ["tpe", "random", "nsga2", "qmc"])
def test_another_seed_asks_something_else(searched, sampler):
    """Repeated searches are not the same search."""
    from bench.search.optuna_study import Study

    one, other = (Study(searched(), sampler, seed).ask(5) for seed in (0, 1))
    assert one != other


@pytest.mark.parametrize("sampler", ["tpe", "random", "qmc", "nsga2"])
def test_every_proposal_is_a_trial_within_its_space(searched, sampler):
    """Values stay in their ranges and on their steps, and a condition that does not hold leaves its dimension out."""
    space = SPACE if sampler == "qmc" else CONDITIONAL
    search = searched(space=space)
    for proposals in played(search, sampler)[1]:
        for proposed in proposals.values():
            trial = search.trial(proposed)
            assert 2 <= trial.hidden[0] <= 16
            assert 0.01 <= trial.learning_rate <= 10
            assert trial.momentum == pytest.approx(round(trial.momentum, 1))
            assert ("reduction" in proposed) == (proposed["loss"] == "mse" and space is CONDITIONAL)


@pytest.mark.untraced
def test_what_is_told_guides_what_is_asked(searched):
    """After forty answers, TPE's proposals are better than its first ones."""
    batches = played(searched(), "tpe", batches=8, size=10)[1]
    first, last = ([value(proposed) for proposed in batch.values()] for batch in (batches[0], batches[-1]))
    assert sum(last) < sum(first) / 2


def test_a_trial_that_misses_a_constraint_is_not_the_best(searched):
    """Optuna knows of the constraint too: its dashboard shows the best of those that keep it."""
    study, _ = played(searched(constraints=(Constraint("rmst", ">=", 5.0),)), "random")
    kept = [trial for trial in study.optuna.trials if trial.values and trial.values[0] >= 5.0]
    assert study.optuna.best_value == min(trial.values[0] for trial in kept if trial.state.name == "COMPLETE")
