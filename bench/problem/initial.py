"""Initial weights: where a training starts, drawn once and outside the backends.

Shapes: T trainings (one per seed), P parameters of the network. Every draw comes from MT19937 seeded as NumPy's
legacy ``RandomState(seed)``, which is also how torch seeds its CPU generator.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from bench.problem.network import Layer, Network

Floats = NDArray[np.float64]
Draw = Callable[[int], Floats]

SCHEMES = ("torch", "uniform", "normal", "truncated_normal", "xavier")
BIAS_SCHEMES = ("same", "zeros")
MAX_SEED = 2**32 - 1
TRUNCATION = 2.0  # standard deviations, as in TensorFlow's and Keras' truncated normal


def initial_weights(
    network: Network,
    seeds: Sequence[int],
    *,
    init: str = "torch",
    init_bias: str = "same",
    init_low: float = 0.0,
    init_high: float = 1.0,
    init_scale: float = 1.0,
    draws_before: int = 0,
) -> Floats:
    """Return the weights ``[T, P]`` that each seed starts from, in the flat order of `Network`.

    ``torch`` equals ``torch.manual_seed(seed)`` and then ``nn.Linear`` for layer after layer, bit for bit (its
    weights are float32, and are returned as such in float64). ``init_scale`` multiplies everything drawn.
    """
    rows = np.empty((len(seeds), network.parameters))
    for row, seed in zip(rows, seeds, strict=True):
        stream = np.random.RandomState(seed)
        draw = _stream(init, stream, init_low, init_high)
        if draws_before:  # RandomState.bytes(0) would take a number all the same
            draw(draws_before)
        for layer in network.layers:
            _fill(row, layer, init, draw, zero_bias=init_bias == "zeros")
    with np.errstate(over="ignore"):  # a training that starts at infinity is recorded as diverged
        return rows if init_scale == 1.0 else rows * init_scale


def _fill(row: Floats, layer: Layer, init: str, draw: Draw, *, zero_bias: bool) -> None:
    weight_bound, bias_bound = _bounds(init, layer)
    weight = _scaled(init, draw(layer.fan_in * layer.fan_out), weight_bound)
    # nn.Linear draws its weight as [out, in]; the other schemes draw as NumPy users write it, [in, out]
    row[layer.weight] = weight.reshape(layer.fan_out, layer.fan_in).T.ravel() if init == "torch" else weight
    if layer.bias is not None:
        row[layer.bias] = 0.0 if zero_bias else _scaled(init, draw(layer.fan_out), bias_bound)


def _stream(init: str, stream: np.random.RandomState, low: float, high: float) -> Draw:
    """Return the function that takes the next n numbers of the scheme's distribution from the seed's stream."""
    match init:
        case "torch":
            return lambda n: (np.frombuffer(stream.bytes(4 * n), dtype="<u4") & 0xFFFFFF).astype(np.float64) * 2.0**-24
        case "uniform":
            return lambda n: low + (high - low) * np.asarray(stream.random_sample(n))
        case "xavier":
            return lambda n: 2 * np.asarray(stream.random_sample(n)) - 1
        case "normal":
            return lambda n: np.asarray(stream.standard_normal(n), dtype=np.float64)
        case _:
            return lambda n: _truncated_normal(stream, n)


def _bounds(init: str, layer: Layer) -> tuple[float, float]:
    """Return the half-widths of a layer's weights and biases, where the scheme has such."""
    if init == "xavier":  # Glorot and Bengio 2010, equation 16
        bound = math.sqrt(6 / (layer.fan_in + layer.fan_out))
        return bound, bound
    # nn.Linear: kaiming_uniform_(weight, a=sqrt(5)), written as torch computes it; then uniform(+-1/sqrt(fan_in))
    gain = math.sqrt(2.0 / (1 + math.sqrt(5) ** 2))
    return math.sqrt(3.0) * (gain / math.sqrt(layer.fan_in)), 1 / math.sqrt(layer.fan_in)


def _scaled(init: str, drawn: Floats, bound: float) -> Floats:
    if init == "xavier":
        return drawn * bound
    if init != "torch":
        return drawn
    # torch: x * (high - low) + low in float32 with one rounding (a fused multiply-add): 24 + 24 bits fit a float64
    low, high = np.float32(-bound), np.float32(bound)
    scaled = drawn * np.float64(high - low) + np.float64(low)
    return scaled.astype(np.float32).astype(np.float64)


def _truncated_normal(stream: np.random.RandomState, n: int) -> Floats:
    """Draw n standard normal numbers within two standard deviations; those outside are drawn again."""
    kept = np.empty(0)
    while kept.size < n:
        drawn = stream.standard_normal(n - kept.size)
        kept = np.concatenate([kept, drawn[np.abs(drawn) <= TRUNCATION]])
    return kept
