"""Optimizers by name: which constants each takes, with what defaults, and how much it remembers of each weight.

`bench.backends.numpy_steps` has their formulas. Constants have torch's names and defaults where torch has the
optimizer, else those of the paper.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

EVERY = (
    "weight_decay",
    "clip",
    "noise",
    "label_flips",
    "dropout",
    "frozen",
    "learning_rate_output",
)  # what all that train take
CLIP_GUARD = 1e-6  # is added to the length of a gradient that is cut, as in torch.nn.utils.clip_grad_norm_
SCHEDULED = ("schedule", "schedule_length", "schedule_factor")


@dataclass(frozen=True)
class Optimizer:
    """Constants that an optimizer takes, those of which it has its own default, and numbers it keeps of a weight."""

    takes: tuple[str, ...] = ()
    memory: int = 0
    own: Mapping[str, float] = field(default_factory=dict)


OPTIMIZERS = {
    "sgd": Optimizer((*EVERY, *SCHEDULED, "momentum"), 1),
    # Nesterov 1983, as in Sutskever et al. 2013
    "nesterov": Optimizer((*EVERY, *SCHEDULED, "momentum"), 1, {"momentum": 0.9}),
    # Kingma & Ba 2015; Loshchilov & Hutter 2019
    "adam": Optimizer((*EVERY, *SCHEDULED, "beta1", "beta2", "epsilon"), 2),
    "adamw": Optimizer((*EVERY, *SCHEDULED, "beta1", "beta2", "epsilon"), 2, {"weight_decay": 0.01}),
    # Tieleman & Hinton 2012
    "rmsprop": Optimizer((*EVERY, *SCHEDULED, "alpha", "epsilon", "momentum"), 2),
    # Duchi, Hazan & Singer 2011
    "adagrad": Optimizer((*EVERY, *SCHEDULED, "epsilon"), 1, {"epsilon": 1e-10}),
    # Riedmiller & Braun 1993, without a way back; its learning rate is that of the first step
    "rprop": Optimizer((*EVERY, "eta_minus", "eta_plus", "step_min", "step_max"), 2),
    # Bernstein et al. 2018
    "signsgd": Optimizer((*EVERY, *SCHEDULED, "momentum"), 1),
    # the gradient's direction, a step as long as the learning rate: Nesterov 1984; Cortés 2006
    "normalized": Optimizer((*EVERY, *SCHEDULED, "momentum"), 1),
    # Fahlman 1988
    "quickprop": Optimizer((*EVERY, *SCHEDULED, "growth"), 2),
    # Jacobs 1988
    "delta-bar-delta": Optimizer((*EVERY, "kappa", "phi", "theta"), 2),
    # the network as drawn: Schmidhuber & Hochreiter 1996
    "none": Optimizer(),
}
SCHEDULES = ("constant", "cosine", "step", "warmup")


def schedule_factors(schedule: str, length: int, factor: float, start: int, end: int) -> NDArray[np.float64]:
    """Return what the learning rate is multiplied by in the iterations from start to end.

    ``cosine`` falls along half a wave to 0 at ``length``, and stays (Loshchilov & Hutter 2017); ``step`` multiplies by
    ``factor`` every ``length`` iterations; ``warmup`` rises in a line, and is 1 from the ``length``-th on.
    """
    now = np.arange(start, end, dtype=np.float64)
    if schedule == "cosine":
        return np.asarray((1 + np.cos(np.pi * np.minimum(now / length, 1))) / 2)
    if schedule == "step":
        return np.asarray(factor ** np.floor(now / length))
    if schedule == "warmup":
        return np.asarray(np.minimum((now + 1) / length, 1))
    return np.ones(end - start)


def takers(constant: str) -> list[str]:
    """Return the optimizers that take a constant."""
    return [name for name, one in OPTIMIZERS.items() if constant in one.takes]
