"""Decision surfaces: what a network says for every input of the plane that its observations lie in.

Shapes: A places along either axis, N observations.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.model.network import ACTIVATIONS, sigmoid
from bench.model.trial import Trial

Floats = NDArray[np.float64]

MARGIN = 0.5  # of the plane beyond the observations, in their range


def plane(trial: Trial, size: int) -> tuple[Floats, Floats]:
    """Return the places ``[A]`` along the two axes of a gate's inputs; raise ValueError where they are not two."""
    if trial.gate.inputs.shape[1] != 2:
        raise ValueError(f"gate {trial.gate.name} has {trial.gate.inputs.shape[1]} inputs; allowed are two")
    low, high = trial.gate.inputs.min(axis=0), trial.gate.inputs.max(axis=0)
    room = MARGIN * np.where(high > low, high - low, 1.0)
    first, second = np.linspace(low - room, high + room, size).T
    return first, second


def decision_surface(trial: Trial, weights_P: ArrayLike, size: int = 60) -> Floats:
    """Return the predictions ``[A, A]`` of a trial's network with these weights, the second input along the rows."""
    first, second = plane(trial, size)
    inputs = np.stack(np.meshgrid(first, second), axis=-1).reshape(-1, 2)
    return predictions(trial, weights_P, inputs).reshape(size, size)


def predictions(trial: Trial, weights_P: ArrayLike, inputs_NI: Floats) -> Floats:
    """Return what a trial's network with these weights says of inputs, ``[N]``."""
    layers = trial.network.unflatten(np.asarray(weights_P, dtype=np.float64))
    outputs: NDArray[Any] = inputs_NI
    with np.errstate(over="ignore", invalid="ignore"):
        for place, (weight, bias) in enumerate(layers):
            linear = outputs @ weight + (0 if bias is None else bias)
            is_last = place == len(layers) - 1
            outputs = sigmoid(linear) if is_last else ACTIVATIONS[trial.activation].value(linear)
    return np.asarray(outputs[:, 0], dtype=np.float64)
