"""Searches over a small space, and what is told of their proposals."""

from collections.abc import Callable
from typing import Any

import pytest

from bench.config.search_config import Search
from bench.config.search_space import Choices, Dimension, Range
from bench.search.optuna_study import Evaluation, Study

SPACE = {
    "hidden": Dimension(Range(2, 16, log=False, step=None, whole=True)),
    "learning_rate": Dimension(Range(0.01, 10.0, log=True, step=None, whole=False)),
    "momentum": Dimension(Range(0.0, 0.9, log=False, step=0.1, whole=False)),
    "loss": Dimension(Choices({"mse": "mse", "bce": "bce"})),
}
CONDITIONAL = {**SPACE, "reduction": Dimension(Choices({"mean": "mean", "sum": "sum"}), {"loss": ("mse",)})}


@pytest.fixture
def searched() -> Callable[..., Search]:
    """Return a search over ten seeds."""

    def make(**options: Any) -> Search:
        return Search(**{"space": SPACE, "fixed": {}, "seeds": range(10)} | options)

    return make


def value(proposed: dict[str, Any]) -> float:
    """A bowl with its bottom at five neurons, a learning rate of 3 and no momentum."""
    return (proposed["hidden"] - 5) ** 2 + abs(proposed["learning_rate"] - 3) + proposed["momentum"]


def played(
    search: Search, sampler: str, batches: int = 4, size: int = 6
) -> tuple[Study, list[dict[int, dict[str, Any]]]]:
    """Ask and tell; every seventh trial is pruned where that can be."""
    study, asked = Study(search, sampler, 3), []
    several = len(search.objectives) > 1
    for _ in range(batches):
        proposals = study.ask(size)
        asked.append(proposals)
        for number, proposed in proposals.items():
            values = [value(proposed), float(proposed["hidden"])][: len(search.objectives)]
            limits = {str(limit): limit.violation(value(proposed)) for limit in search.constraints}
            study.tell(
                number, Evaluation(values, limits, 10, pruned=number % 7 == 3 and not several), {"trial_id": "x"}
            )
    return study, asked
