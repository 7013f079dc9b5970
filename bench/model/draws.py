"""What a training draws on its way: the order of observations, flipped targets, dropped neurons, a gradient's noise.

Shapes: N observations of a step, O outputs, J neurons of a layer, P weights. All of it is a function of the training's
seed ``[1]`` and of the step's number, so that every loop draws the same.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from bench.model.threefry import DROPOUT, LABELS, NEURON, Floats, normals, permutations, uniforms
from bench.model.trial import Trial

Rows = NDArray[np.int64]
Seed = NDArray[np.uint32]


def batches(trial: Trial, seed: Seed, iteration: int) -> Iterator[tuple[int, Rows]]:
    """Yield the number of each step of an iteration, and the observations that it is given."""
    order = np.arange(len(trial.inputs))
    if trial.shuffle != "never":
        order = permutations(seed, iteration if trial.shuffle == "always" else 0, len(order))[0]
    for place, start in enumerate(range(0, len(order), trial.step_size)):
        yield iteration * trial.steps + place, order[start : start + trial.step_size]


def flipped_targets(trial: Trial, seed: Seed, number: int, targets_NO: Floats) -> Floats:
    """Return the whole table's targets as a step is given them, some of them the other one."""
    drawn = uniforms(seed, LABELS, number, np.arange(targets_NO.size)).reshape(targets_NO.shape)
    other = targets_NO.dtype.type(trial.target_low + trial.target_high) - targets_NO
    return np.where(drawn < trial.label_flips, other, targets_NO)


def dropout_factors(trial: Trial, seed: Seed, number: int, rows_N: Rows) -> list[Floats]:
    """Return the factors ``[N, J]`` of every hidden layer's outputs in a step: 0 for what it does without."""
    if not trial.dropout:
        return []
    dtype = np.dtype(trial.dtype)
    factors: list[Floats] = []
    first = 0
    for size in trial.network.hidden:
        numbers = (first + np.arange(size)) << NEURON | rows_N[:, None]
        drawn = uniforms(seed, DROPOUT, number, numbers.ravel()).reshape(numbers.shape)
        factors.append((drawn >= trial.dropout).astype(dtype) / dtype.type(1 - trial.dropout))
        first += size
    return factors


def gradient_noise(trial: Trial, seed: Seed, number: int) -> Floats:
    """Return what is added to a step's gradient ``[P]``, in the trial's dtype."""
    noise: Floats = trial.noise * normals(seed, number, trial.network.parameters, trial.dtype)[0]
    return noise
