"""Importances: both evaluators find what the value depends on."""

import pytest

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


def test_each_objective_has_its_importances(searched):
    """Parameters depend on hidden alone."""
    study, _ = played(searched(objectives=("rmst", "parameters")), "random", batches=10, size=10)
    rows = importances(study.optuna, ["rmst", "parameters"], ["minimize", "minimize"])
    count = {row["parameter"]: row["importance"] for row in rows if row["objective"] == "parameters"}
    assert count["hidden"] > 0.8


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
