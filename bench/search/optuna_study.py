"""Optuna's ask and tell over a search's space, and its importances.

A study is a function of its search, its sampler's seed and what it was told: it lives in memory, and a search that was
interrupted is asked and told again from the start, which every sampler bears, whatever it keeps in memory.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.importance import BaseImportanceEvaluator, FanovaImportanceEvaluator, PedAnovaImportanceEvaluator
from optuna.samplers import BaseSampler, CmaEsSampler, GPSampler, NSGAIISampler, QMCSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, Trial, TrialState

from bench.config.search_config import Search
from bench.config.search_space import Choices, Dimension
from bench.metrics.objectives import MINIMIZE, OBJECTIVES

FEWEST = 8  # trials
EVALUATORS: dict[str, Callable[[], BaseImportanceEvaluator]] = {
    "PED-ANOVA": PedAnovaImportanceEvaluator,  # what the best tenth has in common (Watanabe, Bansal & Hutter 2023)
    "fANOVA": lambda: FanovaImportanceEvaluator(seed=0),  # what the variance of all comes from (Hutter et al. 2014)
}


def importances(
    study: optuna.Study, objectives: Sequence[str], directions: Sequence[str], *, stopped: bool = False
) -> list[dict[str, Any]]:
    """Return rows of objective, evaluator, parameter and importance, which sum to 1 for each evaluator.

    Of the complete trials; fANOVA leaves out parameters that not all of them have. What an evaluator finds in a
    parameter that the objective cannot depend on is noise, and left out before shares are taken; ``stopped`` says
    whether trainings end early. No rows for fewer than eight trials, nor for an objective that is the same for all, or
    depends on nothing that was searched.
    """
    rows = []
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    for place, (objective, direction) in enumerate(zip(objectives, directions, strict=True)):
        if len(complete) < FEWEST or len({trial.values[place] for trial in complete}) == 1:
            continue
        for name, make in EVALUATORS.items():
            found = _evaluate(study, make(), place, direction)
            causes = OBJECTIVES[objective].can_depend_on(found, stopped=stopped)
            total = sum(found[parameter] for parameter in causes)
            rows += [
                {
                    "objective": objective,
                    "evaluator": name,
                    "parameter": parameter,
                    "importance": float(found[parameter] / total),
                }
                for parameter in causes
                if total > 0
            ]
    return rows


def _evaluate(study: optuna.Study, evaluator: BaseImportanceEvaluator, place: int, direction: str) -> dict[str, float]:
    sign = 1.0 if direction == MINIMIZE else -1.0  # PED-ANOVA takes a target's lowest for its best

    def target(trial: FrozenTrial) -> float:
        return sign * float(trial.values[place])

    several = {"target": target} if len(study.directions) > 1 else {}
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", "PedAnovaImportanceEvaluator computes the importances of params to achieve low"
        )
        warnings.filterwarnings("ignore", "Some regimes for")  # few trials under a condition: where evaluators disagree
        return dict(optuna.importance.get_param_importances(study, evaluator=evaluator, **several))


# ------------------------------------------------------------------ study


GENERATION = 50  # trials: Optuna's default
LEARN_SPACE = ("qmc",)  # these take their space from the first trial that was told; until then they draw at random
optuna.logging.set_verbosity(optuna.logging.WARNING)


@dataclass(frozen=True)
class Evaluation:
    """What became of a proposal: a value per objective, by how much it is beyond each constraint, and whether pruned.

    ``seeds`` is how many it was judged by.
    """

    values: Sequence[float]
    violations: Mapping[str, float]
    seeds: int
    pruned: bool = False

    @property
    def violation(self) -> float:
        """Return by how much all constraints are missed together; 0 if they are kept."""
        return sum(max(value, 0.0) for value in self.violations.values())


class Study:
    """Proposes trials in batches and learns from what becomes of them.

    The same search and the same answers give the same proposals, bit for bit.
    """

    def __init__(self, search: Search, sampler: str, seed: int) -> None:
        """Prepare the sampler with its own seed."""
        self.search = search
        self._study = optuna.create_study(directions=list(search.directions), sampler=_sampler(search, sampler, seed))
        self._running: dict[int, Trial] = {}

    def ask(self, count: int) -> dict[int, dict[str, Any]]:
        """Return the next proposals by their numbers: for each a value of every dimension that is active."""
        return dict(self._ask() for _ in range(count))

    def _ask(self) -> tuple[int, dict[str, Any]]:
        trial = self._study.ask()
        self._running[trial.number] = trial
        proposed: dict[str, Any] = {}
        for name, dimension in self.search.space.items():
            if dimension.is_active(proposed):
                proposed[name] = suggest(trial, name, dimension)
        return trial.number, proposed

    def tell(self, number: int, evaluation: Evaluation, attributes: Mapping[str, Any]) -> FrozenTrial:
        """Note what became of a proposal, with ``attributes`` for whoever looks at the study; return Optuna's trial."""
        trial = self._running.pop(number)
        for name, violation in evaluation.violations.items():
            trial.set_constraint(name, violation)
        for name, value in attributes.items():
            trial.set_user_attr(name, value)
        if evaluation.pruned:
            trial.report(evaluation.values[0], evaluation.seeds)
            return self._study.tell(number, state=TrialState.PRUNED)
        return self._study.tell(number, list(evaluation.values))

    @property
    def optuna(self) -> optuna.Study:
        """Optuna's own study, in memory."""
        return self._study


def suggest(trial: Trial, name: str, dimension: Dimension) -> Any:
    """Return Optuna's proposal for one dimension: a number, or the name of a choice."""
    over = dimension.over
    if isinstance(over, Choices):
        return trial.suggest_categorical(name, list(over.values))
    if over.whole:
        return trial.suggest_int(name, int(over.low), int(over.high), log=over.log, step=int(over.step or 1))
    return trial.suggest_float(name, float(over.low), float(over.high), log=over.log, step=over.step)


def _sampler(search: Search, name: str, seed: int) -> BaseSampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return _make(search, name, seed)


def _make(search: Search, name: str, seed: int) -> BaseSampler:
    """Return a sampler; those without a model of names or conditions draw these at random, which needs no warning."""
    if name == "tpe":
        # group: dimensions that are searched under a condition are modelled with those that they occur with
        conditional = any(dimension.only_if for dimension in search.space.values())
        return TPESampler(seed=seed, group=conditional and len(search.objectives) == 1)
    if name == "qmc":
        return QMCSampler(seed=seed, scramble=True, warn_independent_sampling=False)
    if name == "gp":
        return GPSampler(seed=seed, warn_independent_sampling=False)
    if name == "cmaes":
        return CmaEsSampler(seed=seed, warn_independent_sampling=False)
    if name == "nsga2":  # its first generation is random, and must not be the whole search
        return NSGAIISampler(seed=seed, population_size=min(GENERATION, max(search.trials // 4, 2)))
    return RandomSampler(seed=seed)
