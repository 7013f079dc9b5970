"""Steps of all optimizers in NumPy: the formulas that every other backend is compared with.

Shapes: P weights, M numbers that an optimizer keeps of each. Every step changes ``w [P]`` and ``memory [M, P]`` in
place, given the gradient ``g [P]`` and the learning rate ``rate [P]``, its schedule's factor included; ``t`` counts
steps from 1. Where torch.optim has the optimizer, it is torch's to the order of its operations.
"""

from collections.abc import Callable

import numpy as np

from bench.backends.base import Array
from bench.model.trial import Trial

Step = Callable[[Trial, float, int, Array, Array, Array, Array], None]


def sgd(_: Trial, momentum: float, _t: int, w: Array, g: Array, memory: Array, rate: Array) -> None:
    """Gradient descent with momentum, as torch.optim.SGD."""
    if momentum:
        velocity = memory[0]
        velocity *= momentum
        velocity += g
        g = velocity
    w -= rate * g


def nesterov(_: Trial, momentum: float, _t: int, w: Array, g: Array, memory: Array, rate: Array) -> None:
    """Gradient descent with Nesterov's momentum, as torch.optim.SGD."""
    if momentum:
        velocity = memory[0]
        velocity *= momentum
        velocity += g
        g = g + momentum * velocity
    w -= rate * g


def adam(trial: Trial, _: float, t: int, w: Array, g: Array, memory: Array, rate: Array) -> None:
    """Step along the mean gradient over the root of its mean square (Kingma & Ba 2015, algorithm 1)."""
    mean, square = memory
    mean += (1 - trial.beta1) * (g - mean)
    square *= trial.beta2
    square += (1 - trial.beta2) * g * g
    root = np.sqrt(square) / (1 - trial.beta2**t) ** 0.5 + trial.epsilon
    w -= rate / (1 - trial.beta1**t) * (mean / root)


def rmsprop(trial: Trial, momentum: float, _: int, w: Array, g: Array, memory: Array, rate: Array) -> None:
    """Step along the gradient over the root of its mean square, with momentum, as torch.optim.RMSprop."""
    square, velocity = memory
    square *= trial.alpha
    square += (1 - trial.alpha) * g * g
    step = g / (np.sqrt(square) + trial.epsilon)
    if momentum:
        velocity *= momentum
        velocity += step
        step = velocity
    w -= rate * step


def adagrad(trial: Trial, _: float, _t: int, w: Array, g: Array, memory: Array, rate: Array) -> None:
    """Step along the gradient over the root of its summed squares (Duchi, Hazan & Singer 2011)."""
    memory[0] += g * g
    w -= rate * (g / (np.sqrt(memory[0]) + trial.epsilon))


def rprop(trial: Trial, _: float, t: int, w: Array, g: Array, memory: Array, rate: Array) -> None:
    """Step as long as before, longer or shorter by the gradient's sign, as torch.optim.Rprop."""
    before, size = memory
    if t == 1:
        size[:] = rate
    same = np.sign(g * before)
    size *= np.where(same > 0, trial.eta_plus, np.where(same < 0, trial.eta_minus, 1)).astype(w.dtype)
    np.clip(size, trial.step_min, trial.step_max, out=size)
    g = np.where(same < 0, 0, g)
    w -= np.sign(g) * size
    before[:] = g


def signsgd(_: Trial, momentum: float, _t: int, w: Array, g: Array, memory: Array, rate: Array) -> None:
    """Step along the signs of the gradient, or of its momentum (Bernstein et al. 2018)."""
    if momentum:
        memory[0] *= momentum
        memory[0] += g
        g = memory[0]
    w -= rate * np.sign(g)


def normalized(trial: Trial, momentum: float, t: int, w: Array, g: Array, memory: Array, rate: Array) -> None:
    """Gradient descent along the gradient's direction, whatever its length; a gradient of 0 is no step."""
    length = np.sqrt((g * g).sum())
    sgd(trial, momentum, t, w, g if length == 0 else g / length, memory, rate)


def quickprop(trial: Trial, _: float, _t: int, w: Array, g: Array, memory: Array, rate: Array) -> None:
    """Jump to the minimum of a parabola for each weight, through its last two slopes (Fahlman 1988).

    The step is at most ``growth`` times the one before; the gradient is added unless the slope has turned.
    """
    step, before = memory
    limit = trial.growth / (1 + trial.growth)
    with np.errstate(all="ignore"):
        parabola = step * (g / (before - g))
    ahead = np.where(step > 0, -g, g)  # how far the slope still leads the way of the last step
    far = np.where(step > 0, g <= limit * before, g >= limit * before)
    jump = np.where(step == 0, 0, np.where(far, trial.growth * step, parabola))
    step[:] = jump - np.where((step == 0) | (ahead > 0), rate * g, 0)
    before[:] = g
    w += step


def delta_bar_delta(trial: Trial, _: float, t: int, w: Array, g: Array, memory: Array, rate: Array) -> None:
    """Gradient descent with a rate for each weight, by the signs of its slope and its mean slope (Jacobs 1988)."""
    mean, own = memory
    if t == 1:
        own[:] = rate
    same = np.sign(mean * g)
    own += np.where(same > 0, trial.kappa, np.where(same < 0, -trial.phi * own, 0)).astype(w.dtype)
    mean *= trial.theta
    mean += (1 - trial.theta) * g
    w -= own * g


STEPS: dict[str, Step] = {
    "sgd": sgd,
    "nesterov": nesterov,
    "adam": adam,
    "adamw": adam,
    "rmsprop": rmsprop,
    "adagrad": adagrad,
    "rprop": rprop,
    "signsgd": signsgd,
    "normalized": normalized,
    "quickprop": quickprop,
    "delta-bar-delta": delta_bar_delta,
}
