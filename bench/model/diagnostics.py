"""Diagnostics of where trainings end: how steep and curved the loss is, how large the weights, how far a minimum.

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
    """Return ``gradient_norm``, ``largest_weight``, ``smallest_curvature`` and ``newton_step`` of weights, ``[T, 4]``.

    They are of the trial's own loss over its whole table, in float64: the Euclidean length of the gradient, the
    largest weight or bias, the smallest eigenvalue of the Hessian, of which one below 0 is a direction of escape, and
    the length of Newton's step (Nocedal & Wright 2006, equation 2.15), which is how far the nearest stationary point
    is of the parabola that fits the loss there: at a minimum it is next to nothing, however flat that is, and on a
    slope that falls for ever, towards weights at infinity, it is not. Eigenvalues that rounding alone may give are 0,
    and have no part in the step.
    Gradient and Hessian are by the weights that are trained. What is not finite is NaN.
    """
    weights = np.atleast_2d(np.asarray(weights_TP, dtype=np.float64))
    found_TD = np.full((len(weights), 4), np.nan)
    for rows in np.array_split(np.arange(len(weights)), _parts(trial, len(weights))):
        gradient_TR = gradients(trial, weights[rows])[:, trial.trained]
        found_TD[rows, 0] = np.linalg.norm(gradient_TR, axis=1)
        found_TD[rows, 1] = np.abs(weights[rows]).max(axis=1)
        hessian_TRR = hessians(trial, weights[rows])
        finite_T = np.isfinite(hessian_TRR).all(axis=(1, 2))
        if finite_T.any() and hessian_TRR.shape[1]:
            found_TD[rows[finite_T], 2:] = _curvature_and_step(hessian_TRR[finite_T], gradient_TR[finite_T])
    found_TD[~np.isfinite(found_TD)] = np.nan
    return found_TD


def _curvature_and_step(hessian_TRR: Floats, gradient_TR: Floats) -> Floats:
    """Return the smallest eigenvalue and the length of Newton's step ``[T, 2]``."""
    eigenvalue_TR, eigenvector_TRR = np.linalg.eigh(hessian_TRR)
    rounding_T1 = hessian_TRR.shape[1] * np.finfo(np.float64).eps * np.abs(eigenvalue_TR).max(axis=1, keepdims=True)
    eigenvalue_TR[np.abs(eigenvalue_TR) <= rounding_T1] = 0
    along_TR = (gradient_TR[:, None] @ eigenvector_TRR)[:, 0]
    step_TR = np.divide(along_TR, eigenvalue_TR, out=np.zeros_like(along_TR), where=eigenvalue_TR != 0)
    return np.stack([eigenvalue_TR[:, 0], np.linalg.norm(step_TR, axis=1)], axis=1)


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
