"""Initial weights of a training, drawn once and outside the backends.

Shapes: T trainings (one per seed), P parameters of the network, D numbers drawn. Every draw comes from MT19937 seeded
as NumPy's legacy ``RandomState(seed)``, which is also how torch seeds its CPU generator.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bench.model.mt19937 import doubles, floats, words
from bench.model.network import Layer, Network

Floats = NDArray[np.float64]

SCHEMES = ("torch", "uniform", "normal", "truncated_normal", "xavier", "he", "orthogonal")
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
    weights are float32, and are returned as such in float64). ``orthogonal`` has no biases but zero. ``init_scale``
    multiplies everything drawn.
    """
    weights = np.zeros((len(seeds), network.parameters))
    sizes = [layer.fan_in * layer.fan_out for layer in network.layers]
    with_biases = init_bias == "same" and init != "orthogonal"
    bias_sizes = [layer.fan_out * (layer.bias is not None and with_biases) for layer in network.layers]
    drawn = _draw(init, seeds, sum(sizes) + sum(bias_sizes), draws_before)
    for layer, size, bias_size in zip(network.layers, sizes, bias_sizes, strict=True):
        weight, bias, drawn = np.split(drawn, [size, size + bias_size], axis=1)
        weight_bound, bias_bound = _bounds(init, layer)
        weight = _scaled(init, weight, weight_bound, init_low, init_high)
        if init == "orthogonal":
            weight = _orthogonal(weight.reshape(-1, layer.fan_in, layer.fan_out)).reshape(weight.shape)
        if init == "torch":  # nn.Linear draws its weight as [out, in]; the other schemes as NumPy users write it
            weight = weight.reshape(-1, layer.fan_out, layer.fan_in).transpose(0, 2, 1).reshape(weight.shape)
        weights[:, layer.weight] = weight
        if bias_size:
            weights[:, layer.bias] = _scaled(init, bias, bias_bound, init_low, init_high)
    with np.errstate(over="ignore"):  # a training that starts at infinity is recorded as diverged
        return weights if init_scale == 1.0 else weights * init_scale


def _draw(init: str, seeds: Sequence[int], count: int, before: int) -> Floats:
    """Return numbers ``[T, D]`` of the scheme's distribution from each seed's stream after ``before``, unscaled."""
    if init == "torch":
        return floats(words(seeds, count, before)).T
    if init in ("uniform", "xavier"):
        return doubles(words(seeds, 2 * count, 2 * before)).T
    # normal numbers are drawn by rejection, a different number of draws for each seed
    draw = _truncated_normal if init == "truncated_normal" else np.random.RandomState.standard_normal
    stream, drawn = np.random.RandomState(), np.empty((len(seeds), count))
    for place, seed in enumerate(seeds):
        stream.seed(int(seed))  # a new generator for each would gather entropy first: fifty times as long
        draw(stream, before)
        drawn[place] = draw(stream, count)
    return drawn


def _bounds(init: str, layer: Layer) -> tuple[float, float]:
    """Return the half-widths of a layer's weights and biases, for the schemes that have them."""
    if init == "xavier":  # Glorot and Bengio 2010, equation 16
        bound = math.sqrt(6 / (layer.fan_in + layer.fan_out))
        return bound, bound
    if init == "he":  # He et al. 2015, equation 10
        return math.sqrt(2 / layer.fan_in), math.sqrt(2 / layer.fan_in)
    # nn.Linear: kaiming_uniform_(weight, a=sqrt(5)), written as torch computes it; then uniform(+-1/sqrt(fan_in))
    gain = math.sqrt(2.0 / (1 + math.sqrt(5) ** 2))
    return math.sqrt(3.0) * (gain / math.sqrt(layer.fan_in)), 1 / math.sqrt(layer.fan_in)


def _scaled(init: str, drawn: Floats, bound: float, low: float, high: float) -> Floats:
    """Return drawn numbers in the scheme's range."""
    if init == "uniform":
        return low + (high - low) * drawn
    if init == "xavier":
        return (2 * drawn - 1) * bound
    if init == "he":
        return drawn * bound
    if init != "torch":
        return drawn
    # torch: x * (to - from) + from in float32 with one rounding (a fused multiply-add): 24 + 24 bits fit a float64
    start, end = np.float32(-bound), np.float32(bound)
    scaled = drawn * np.float64(end - start) + np.float64(start)
    return scaled.astype(np.float32).astype(np.float64)


def _orthogonal(normal_TIO: Floats) -> Floats:
    """Return matrices whose rows or columns, the fewer of them, are orthonormal (Saxe, McClelland & Ganguli 2014).

    Q of the QR decomposition, its signs those of R's diagonal: uniform over all such (Mezzadri 2007).
    """
    wide = normal_TIO.shape[1] < normal_TIO.shape[2]
    q, r = np.linalg.qr(normal_TIO.swapaxes(1, 2) if wide else normal_TIO)
    q *= np.where(np.diagonal(r, axis1=1, axis2=2) < 0, -1.0, 1.0)[:, None, :]
    return np.ascontiguousarray(q.swapaxes(1, 2) if wide else q)


def _truncated_normal(stream: np.random.RandomState, n: int) -> Floats:
    """Draw n standard normal numbers within two standard deviations; those outside are drawn again."""
    kept = np.empty(0)
    while kept.size < n:
        drawn = stream.standard_normal(n - kept.size)
        kept = np.concatenate([kept, drawn[np.abs(drawn) <= TRUNCATION]])
    return kept
