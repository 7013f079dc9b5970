"""Forward and backward pass through a trial's network for many rows of weights at once, in float64.

Shapes: T rows of weights, N observations, I inputs of the network, O of its outputs, J neurons of a layer, P weights.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.model.loss import loss_slope
from bench.model.network import ACTIVATIONS
from bench.model.trial import Trial

Array = NDArray[Any]


def outputs_of_layers(trial: Trial, weights_TP: ArrayLike, inputs_NI: ArrayLike) -> list[Array]:
    """Return what each layer is given ``[T, N, K]``, shortcuts included, and at the end what the network says."""
    network, weights = trial.network, np.atleast_2d(np.asarray(weights_TP))
    inputs = np.broadcast_to(np.asarray(inputs_NI), (len(weights), *np.shape(inputs_NI)))
    found = [inputs]
    with np.errstate(over="ignore", invalid="ignore"):
        for layer in network.layers:
            is_last = layer is network.layers[-1]
            if is_last and network.shortcuts:
                found[-1] = np.concatenate([found[-1], inputs], axis=2)
            linear = found[-1] @ weights[:, layer.weight].reshape(-1, layer.fan_in, layer.fan_out)
            if layer.bias is not None:
                linear = linear + weights[:, None, layer.bias]
            found.append(ACTIVATIONS[trial.output if is_last else trial.activation].value(linear))
    return found


def predictions(trial: Trial, weights_TP: ArrayLike, inputs_NI: ArrayLike) -> Array:
    """Return what a network with each row of weights says of inputs as they are, ``[T, N * O]``."""
    said = outputs_of_layers(trial, weights_TP, inputs_NI)[-1]
    return said.reshape(len(said), -1)


def gradients(trial: Trial, weights_TP: ArrayLike) -> Array:
    """Return the gradient ``[T, P]`` of the trial's loss over its whole table, at each row of weights.

    Weights may be complex: a small imaginary part of one comes out as the gradient's derivative by it.
    """
    weights = np.atleast_2d(np.asarray(weights_TP))
    given = outputs_of_layers(trial, weights, trial.inputs)
    said = given[-1]
    found = np.zeros(weights.shape, said.dtype)
    with np.errstate(all="ignore"):
        slope = loss_slope(trial.loss, trial.reduction, said.reshape(len(said), -1), trial.targets)
        delta = slope.reshape(said.shape) * ACTIVATIONS[trial.output].slope(said)
        for place in range(len(trial.network.layers) - 1, -1, -1):
            layer = trial.network.layers[place]
            found[:, layer.weight] = (given[place].swapaxes(1, 2) @ delta).reshape(len(found), -1)
            if layer.bias is not None:
                found[:, layer.bias] = delta.sum(axis=1)
            if place:
                neurons = trial.network.hidden[place - 1]
                weight = weights[:, layer.weight].reshape(-1, layer.fan_in, layer.fan_out)[:, :neurons]
                delta = (delta @ weight.swapaxes(1, 2)) * ACTIVATIONS[trial.activation].slope(
                    given[place][..., :neurons]
                )
    return found
