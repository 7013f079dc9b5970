"""Optuna's ask and tell over a search's space."""

from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from bench.experiment.search import Search
from bench.experiment.space import Range


class Study:
    """Proposes trials in batches and learns from their values; the higher, the better.

    The same search and the same values give the same proposals, however often it is interrupted and replayed.
    """

    def __init__(self, search: Search) -> None:
        """Prepare the sampler with the search's own seed."""
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        samplers = {"tpe": optuna.samplers.TPESampler, "random": optuna.samplers.RandomSampler}
        self._study = optuna.create_study(direction="maximize", sampler=samplers[search.sampler](seed=search.seed))
        self._space = {name: distribution(dimension) for name, dimension in search.space.items()}

    def ask(self, count: int) -> dict[int, dict[str, Any]]:
        """Return the next proposals by their numbers: a value of every dimension for each."""
        return {trial.number: trial.params for trial in (self._study.ask(self._space) for _ in range(count))}

    def tell(self, number: int, value: float) -> None:
        """Note what became of a proposal."""
        self._study.tell(number, value)


def distribution(dimension: Any) -> BaseDistribution:
    """Return a range or the names of choices as Optuna's distribution."""
    if not isinstance(dimension, Range):
        return CategoricalDistribution(list(dimension))
    if dimension.whole:
        return IntDistribution(
            int(dimension.low), int(dimension.high), log=dimension.log, step=int(dimension.step or 1)
        )
    return FloatDistribution(float(dimension.low), float(dimension.high), log=dimension.log, step=dimension.step)
