"""Networks: layer sizes, activations, biases, and the layout of all weights in one flat row.

Shapes: T trainings, P parameters of a network. A layer's weight is ``[fan_in, fan_out]``. A flat row holds
layer after layer, each its weight row by row and then its bias.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

MAX_NEURONS = 64
MAX_LAYERS = 64


@dataclass(frozen=True)
class Layer:
    """One linear layer, and the slices of a flat row that hold its weight and its bias."""

    fan_in: int
    fan_out: int
    weight: slice
    bias: slice | None


@dataclass(frozen=True)
class Network:
    """Layer sizes and which layers have biases; no hidden layer is the single perceptron.

    With ``shortcuts`` the output layer sees, after the last hidden layer, the inputs too.
    """

    inputs: int
    hidden: tuple[int, ...]
    hidden_bias: bool
    output_bias: bool
    outputs: int = 1
    shortcuts: bool = False

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The linear layers from the inputs to the outputs."""
        sizes = (self.inputs, *self.hidden, self.outputs)
        fans_in = [*sizes[:-2], sizes[-2] + self.inputs * self.shortcuts]
        biases = [self.hidden_bias] * len(self.hidden) + [self.output_bias]
        layers, start = [], 0
        for fan_in, fan_out, has_bias in zip(fans_in, sizes[1:], biases, strict=True):
            weight = slice(start, start + fan_in * fan_out)
            start = weight.stop + (fan_out if has_bias else 0)
            layers.append(Layer(fan_in, fan_out, weight, slice(weight.stop, start) if has_bias else None))
        return tuple(layers)

    @property
    def parameters(self) -> int:
        """The number of weights and biases, P."""
        last = self.layers[-1]
        return int((last.bias or last.weight).stop)

    def unflatten(self, weights_P: Array) -> list[tuple[Array, Array | None]]:
        """Return each layer's ``(weight [fan_in, fan_out], bias [fan_out] or None)`` as views of one flat row."""
        weights = [weights_P[layer.weight].reshape(layer.fan_in, layer.fan_out) for layer in self.layers]
        biases = [None if layer.bias is None else weights_P[layer.bias] for layer in self.layers]
        return list(zip(weights, biases, strict=True))


def weight_names(network: Network) -> list[str]:
    """Return the names of all weights in their flat order: ``hidden[0].input[1]``, ``output.bias``.

    A network with several hidden layers has ``hidden1[0].input[1]`` and ``hidden2[0].hidden1[1]``, one with several
    outputs ``output[0].bias``, and one with shortcuts ``output.input[0]`` too.
    """
    depth = len(network.hidden)
    layers = ["input", *(f"hidden{number if depth > 1 else ''}" for number in range(1, depth + 1))]
    sizes = [network.inputs, *network.hidden]
    names: list[str] = []
    for place, layer in enumerate(network.layers):
        sources = [f"{layers[place]}[{number}]" for number in range(sizes[place])]
        if place < depth:
            neurons = [f"{layers[place + 1]}[{number}]" for number in range(layer.fan_out)]
        else:
            neurons = ["output"] if network.outputs == 1 else [f"output[{n}]" for n in range(network.outputs)]
            sources += [f"input[{number}]" for number in range(network.inputs * network.shortcuts)]
        sources += ["bias"] * (layer.bias is not None)
        names += [f"{neuron}.{source}" for source in sources for neuron in neurons]
    return names


def read_hidden(value: object) -> tuple[int, ...]:
    """Read ``0``, ``3`` or ``"4-4"`` as hidden layer sizes; raise ValueError for anything else."""
    text = str(value)
    parts = text.split("-")
    if isinstance(value, bool) or len(parts) > MAX_LAYERS or not all(p.isascii() and p.isdigit() for p in parts):
        raise ValueError
    sizes = tuple(int(part) for part in parts)
    if sizes == (0,):
        return ()
    if not all(1 <= size <= MAX_NEURONS for size in sizes):
        raise ValueError
    return sizes


def write_hidden(hidden: tuple[int, ...]) -> str:
    """Write hidden layer sizes as the user does: ``0``, ``3``, ``4-4``."""
    return "-".join(map(str, hidden)) or "0"


def sigmoid(x: Array) -> Array:
    """Return 1 / (1 + e^-x); where the exponential overflows that is 0, which is right: callers ignore the warning.

    Of complex numbers, which carry a derivative, none may overflow: infinity has no slope.
    """
    if np.iscomplexobj(x):
        small = np.exp(np.where(x.real < 0, x, -x))
        return np.asarray(np.where(x.real < 0, small, 1) / (1 + small))
    return 1 / (1 + np.exp(-x))


@dataclass(frozen=True)
class Activation:
    """Function of a neuron, and its slope in terms of its own output."""

    value: Callable[[Array], Array]
    slope: Callable[[Array], Array]


ACTIVATIONS = {
    "sigmoid": Activation(sigmoid, lambda a: a * (1 - a)),
    "tanh": Activation(np.tanh, lambda a: 1 - a * a),
    "relu": Activation(lambda x: np.maximum(x, 0), lambda a: (np.real(a) > 0).astype(a.dtype)),
    "symmetric": Activation(lambda x: sigmoid(x) - 0.5, lambda a: (0.5 + a) * (0.5 - a)),  # Fahlman 1988
    "linear": Activation(lambda x: x, np.ones_like),
}
HIDDEN_ACTIVATIONS = ("sigmoid", "tanh", "relu", "symmetric")
OUTPUT_RANGES = {  # of output neurons: what they can say
    "sigmoid": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "symmetric": (-0.5, 0.5),
    "linear": (-math.inf, math.inf),
}
