"""Importances: both evaluators find what the value depends on."""

import pytest

from bench.metrics.objectives import OBJECTIVES
from bench.model.trial import PARAMETERS
from bench.search.optuna_study import EVALUATORS, FEWEST, importances

from .conftest import CONDITIONAL, played


@pytest.mark.untraced
def test_both_evaluators_rank_the_parameters(searched):
    """The bowl is steepest over hidden; what each says sums to 1."""
    study, _ = played(searched(), "random", batches=10, size=10)
    rows = importances(study.optuna, ["rmst"], ["minimize"])
    assert {row["evaluator"] for row in rows} == set(EVALUATORS)
    for name in EVALUATORS:
        own = {row["parameter"]: row["importance"] for row in rows if row["evaluator"] == name}
        assert max(own, key=own.get) == "hidden"
        assert sum(own.values()) == pytest.approx(1)


@pytest.mark.untraced
def test_each_objective_has_the_importances_of_what_it_can_depend_on(searched):
    """The number of parameters depends on hidden alone, whatever an evaluator finds in noise; shares sum to 1."""
    study, _ = played(searched(objectives=("rmst", "parameters")), "random", batches=10, size=10)
    rows = importances(study.optuna, ["rmst", "parameters"], ["minimize", "minimize"])
    assert [(row["parameter"], row["importance"]) for row in rows if row["objective"] == "parameters"] == [
        ("hidden", 1),
        ("hidden", 1),
    ]
    assert {row["parameter"] for row in rows if row["objective"] == "rmst"} > {"hidden"}


@pytest.mark.parametrize(
    ("objective", "stopped", "depends", "never"),
    [
        ("parameters", False, ["gate", "hidden", "hidden_bias"], ["learning_rate", "init", "iterations", "backend"]),
        ("rmst", False, ["learning_rate", "init", "iterations", "dtype"], ["backend", "summation", "curve_points"]),
        ("solved_rate", True, ["learning_rate", "hidden", "tolerance"], ["backend", "device"]),
        ("median_mse", False, ["momentum", "loss"], ["summation"]),
        ("train_seconds", False, ["backend", "hidden", "iterations"], ["init", "learning_rate", "draws_before"]),
        ("train_seconds", True, ["backend", "hidden", "init", "learning_rate"], []),
    ],
)
def test_an_objective_says_what_it_can_depend_on(objective, stopped, depends, never):
    """The time of a training has to do with its numbers only where it ends as soon as it has solved it."""
    known = OBJECTIVES[objective].can_depend_on(PARAMETERS, stopped=stopped)
    assert set(depends) <= set(known)
    assert not set(never) & set(known)


@pytest.mark.untraced
def test_what_is_searched_under_a_condition_has_none_in_fanova(searched):
    """It compares only parameters that every trial has; PED-ANOVA has a way with conditions."""
    study, _ = played(searched(space=CONDITIONAL), "random", batches=10, size=10)
    rows = importances(study.optuna, ["rmst"], ["minimize"])
    assert [row["evaluator"] for row in rows if row["parameter"] == "reduction"] == ["PED-ANOVA"]


def test_too_few_trials_have_none(searched):
    """Nothing is said where nothing can be known."""
    study, _ = played(searched(), "random", batches=1, size=FEWEST - 1)
    assert importances(study.optuna, ["rmst"], ["minimize"]) == []
