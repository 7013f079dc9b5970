"""Random numbers that are a function of a training's seed, of the step, and of what they are for.

Shapes: T trainings, S numbers of one kind. They come from Threefry-2x32 with 20 rounds (Salmon et al. 2011, "Parallel
random numbers: as easy as 1, 2, 3"): a counter is encrypted, nothing is kept, so that a training's numbers depend
neither on its batch, nor on what trained it, nor on where it went on.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Words = NDArray[np.uint32]
Floats = NDArray[np.floating[Any]]

ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
PARITY = 0x1BD11BDA  # Skein's, for 32 bits
NOISE, LABELS, DROPOUT, ORDER = (kind << 28 for kind in range(1, 5))  # the first four bits of the second key
NEURON = 16  # bits that a neuron's number in the second key is shifted by: observations are below


def threefry(key_0: ArrayLike, key_1: ArrayLike, counter_0: ArrayLike, counter_1: ArrayLike) -> tuple[Words, Words]:
    """Return the two words of each pair of keys and counter, which broadcast against each other."""
    keys = [np.asarray(key_0, np.uint32), np.asarray(key_1, np.uint32)]
    keys.append(keys[0] ^ keys[1] ^ np.uint32(PARITY))
    with np.errstate(over="ignore"):  # sums are modulo 2**32
        x, y = np.asarray(counter_0, np.uint32) + keys[0], np.asarray(counter_1, np.uint32) + keys[1]
        for part in range(5):
            for bits in ROTATIONS[part % 2]:
                x = x + y
                y = (y << np.uint32(bits) | y >> np.uint32(32 - bits)) ^ x
            x, y = x + keys[(part + 1) % 3], y + keys[(part + 2) % 3] + np.uint32(part + 1)
    return x, y


def _words(seed_T: ArrayLike, key_S: ArrayLike, step: int) -> tuple[Words, Words]:
    """Return two words ``[T, S]`` for every seed and key, at one step."""
    seeds = np.asarray(seed_T, np.uint32)[:, None]
    return threefry(seeds, np.asarray(key_S, np.uint32), step & 0xFFFFFFFF, step >> 32)


def uniforms(seed_T: ArrayLike, kind: int, step: int, numbers_S: ArrayLike) -> NDArray[np.float64]:
    """Return numbers ``[T, S]`` from 0 to below 1, multiples of 2**-24; those of a kind have numbers below 2**28."""
    first, _ = _words(seed_T, np.asarray(numbers_S, np.uint32) | np.uint32(kind), step)
    return (first >> np.uint32(8)).astype(np.float64) * 2.0**-24


def normals(seed_T: ArrayLike, step: int, size: int, dtype: str = "float64") -> Floats:
    """Return standard normal numbers ``[T, size]`` in a precision, of magnitude 5.8 at most (Box & Muller 1958)."""
    first, second = _words(seed_T, np.arange(-(-size // 2), dtype=np.uint32) | np.uint32(NOISE), step)
    real = np.dtype(dtype).type
    radius = np.sqrt(real(-2) * np.log((first >> np.uint32(9)).astype(dtype) * real(2.0**-23) + real(2.0**-24)))
    angle = (second >> np.uint32(8)).astype(dtype) * real(2.0**-24) * real(2 * np.pi)
    pairs = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)
    found: Floats = pairs.reshape(len(pairs), -1)[:, :size]
    return found


def permutations(seed_T: ArrayLike, iteration: int, size: int) -> NDArray[np.int64]:
    """Return orders ``[T, size]`` of so many observations, every one as likely (Fisher & Yates, Durstenfeld 1964)."""
    first, _ = _words(seed_T, np.arange(size, dtype=np.uint32) | np.uint32(ORDER), iteration)
    order_TS = np.tile(np.arange(size), (len(first), 1))
    rows = np.arange(len(first))
    for last in range(size - 1, 0, -1):
        other_T = (first[:, last].astype(np.uint64) * np.uint64(last + 1) >> np.uint64(32)).astype(np.int64)
        order_TS[rows, last], order_TS[rows, other_T] = order_TS[rows, other_T], order_TS[rows, last]
    return order_TS
