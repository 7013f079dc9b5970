"""Diagnostics of where trainings end: how steep and how curved the loss is there, and how large the weights.

Shapes: T trainings, N observations, P weights and biases, of which R are trained, D diagnostics.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.model.propagation import gradients
from bench.model.trial import Trial

Floats = NDArray[np.float64]

STEP = 1e-30  # so small that its square is nothing: a derivative by the complex step has no error of truncation
NUMBERS = 2_000_000  # complex ones in memory at a time, of one layer's outputs


def diagnostics(trial: Trial, weights_TP: ArrayLike) -> Floats:
    """Return of each row of weights its ``gradient_norm``, ``largest_weight`` and ``smallest_curvature`` ``[T, 3]``.

    They are of the trial's own loss over its whole table, in float64: the Euclidean length of the gradient, the
    largest weight or bias, and the smallest eigenvalue of the Hessian, of which one below 0 is a direction of escape;
    what rounding alone may give is 0.
    Gradient and Hessian are by the weights that are trained. What is not finite is NaN.
    """
    weights = np.atleast_2d(np.asarray(weights_TP, dtype=np.float64))
    found_TD = np.full((len(weights), 3), np.nan)
    for rows in np.array_split(np.arange(len(weights)), _parts(trial, len(weights))):
        found_TD[rows, 0] = np.linalg.norm(gradients(trial, weights[rows])[:, trial.trained], axis=1)
        found_TD[rows, 1] = np.abs(weights[rows]).max(axis=1)
        hessian_TRR = hessians(trial, weights[rows])
        finite_T = np.isfinite(hessian_TRR).all(axis=(1, 2))
        if finite_T.any() and hessian_TRR.shape[1]:
            eigenvalues_TR = np.linalg.eigvalsh(hessian_TRR[finite_T])
            rounding_T = len(hessian_TRR[0]) * np.finfo(np.float64).eps * np.abs(eigenvalues_TR).max(axis=1)
            smallest_T = eigenvalues_TR[:, 0]
            found_TD[rows[finite_T], 2] = np.where(np.abs(smallest_T) <= rounding_T, 0, smallest_T)
    found_TD[~np.isfinite(found_TD)] = np.nan
    return found_TD


def hessians(trial: Trial, weights_TP: ArrayLike) -> Floats:
    """Return the Hessian ``[T, R, R]`` of the trial's loss by the weights that are trained, at each row of weights.

    A column is the gradient's imaginary part after a step of 1e-30 i along a weight (Squire & Trapp 1998), exact to
    rounding. Where the loss has a kink, of relu or the absolute loss, it is that of the smooth piece around it.
    """
    weights = np.atleast_2d(np.asarray(weights_TP, dtype=np.float64))
    trained = np.flatnonzero(trial.trained)
    found_TRR = np.empty((len(weights), len(trained), len(trained)))
    at_once = max(NUMBERS // (max(len(weights), 1) * _numbers(trial)), 1)
    for start in range(0, len(trained), at_once):
        some = trained[start : start + at_once]
        steps_SP = 1j * STEP * np.eye(weights.shape[1])[some]
        moved_TSP = weights[:, None] + steps_SP
        slopes = gradients(trial, moved_TSP.reshape(-1, weights.shape[1])).imag / STEP
        found_TRR[:, :, start : start + len(some)] = slopes.reshape(moved_TSP.shape)[..., trained].swapaxes(1, 2)
    return np.asarray((found_TRR + found_TRR.swapaxes(1, 2)) / 2)


def _numbers(trial: Trial) -> int:
    """Return how many numbers the widest layer of a network has, or its weights."""
    widest = max(max(layer.fan_in, layer.fan_out) for layer in trial.network.layers)
    return max(len(trial.inputs) * widest, trial.network.parameters)


def _parts(trial: Trial, trainings: int) -> int:
    """Return in how many parts so many trainings are diagnosed, so that the Hessians of a part are held in memory."""
    each = max(_numbers(trial), trial.network.parameters**2)
    return max(-(-trainings * each // NUMBERS), 1)
