"""Which parameters matter to a search, after Optuna's two evaluators; they answer different questions."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import optuna
from optuna.importance import BaseImportanceEvaluator, FanovaImportanceEvaluator, PedAnovaImportanceEvaluator
from optuna.trial import FrozenTrial, TrialState

from bench.experiment.search.objective import MINIMIZE

FEWEST = 8  # trials
EVALUATORS: dict[str, Callable[[], BaseImportanceEvaluator]] = {
    "PED-ANOVA": PedAnovaImportanceEvaluator,  # what the best tenth has in common (Watanabe, Bansal & Hutter 2023)
    "fANOVA": lambda: FanovaImportanceEvaluator(seed=0),  # what the variance of all comes from (Hutter et al. 2014)
}


def importances(study: optuna.Study, objectives: Sequence[str], directions: Sequence[str]) -> list[dict[str, Any]]:
    """Return rows of objective, evaluator, parameter and importance, which sum to 1 for each evaluator.

    Of the complete trials; fANOVA leaves out parameters that not all of them have. No rows for fewer than eight trials,
    nor for an objective that is the same for all.
    """
    rows = []
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    for place, (objective, direction) in enumerate(zip(objectives, directions, strict=True)):
        if len(complete) < FEWEST or len({trial.values[place] for trial in complete}) == 1:
            continue
        for name, make in EVALUATORS.items():
            found = _evaluate(study, make(), place, direction)
            rows += [
                {"objective": objective, "evaluator": name, "parameter": parameter, "importance": float(value)}
                for parameter, value in found.items()
            ]
    return rows


def _evaluate(study: optuna.Study, evaluator: BaseImportanceEvaluator, place: int, direction: str) -> dict[str, float]:
    if len(study.directions) == 1:
        return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))
    sign = 1.0 if direction == MINIMIZE else -1.0  # PED-ANOVA takes a target's lowest for its best

    def target(trial: FrozenTrial) -> float:
        return sign * float(trial.values[place])

    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", "PedAnovaImportanceEvaluator computes the importances of params to achieve low"
        )
        return dict(optuna.importance.get_param_importances(study, evaluator=evaluator, target=target))
