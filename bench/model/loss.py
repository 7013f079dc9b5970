"""Losses that a training minimises, with their slopes by the prediction.

Shapes: N observations on the last axis. The definitions are those of torch.nn's MSELoss, L1Loss, BCELoss and
HuberLoss (delta = 1), their guards at the ends included; and Fahlman's (1988), whose slope is the inverse hyperbolic
tangent of the difference.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

LOG_FLOOR = -100.0  # torch.nn.BCELoss clamps its logarithms here
SLOPE_FLOOR = float(np.float32(1e-12))  # and p (1 - p) here, in the slope: a float32 even in float64
HUBER_DELTA = 1.0
ARCTANH_CEILING = 1 - 2.0**-23  # farther is as far: where float32 ends, with a slope of 8.3; Fahlman's ended at 17


@dataclass(frozen=True)
class Loss:
    """One observation's loss and its slope by the prediction; both element by element."""

    value: Callable[[Array, Array], Array]
    slope: Callable[[Array, Array], Array]


def _bce(p: Array, t: Array) -> Array:
    with np.errstate(divide="ignore"):
        log_p = np.maximum(np.log(p), LOG_FLOOR)
        log_q = np.maximum(np.log1p(-p), LOG_FLOOR)
    return (t - 1) * log_q - t * log_p


def _bce_slope(p: Array, t: Array) -> Array:
    return (p - t) / np.maximum((1 - p) * p, SLOPE_FLOOR)


def _huber(p: Array, t: Array) -> Array:
    distance = np.abs(p - t)
    return np.where(distance < HUBER_DELTA, distance * distance / 2, HUBER_DELTA * (distance - HUBER_DELTA / 2))


def _arctanh(p: Array, t: Array) -> Array:
    distance = np.minimum(np.abs(p - t), ARCTANH_CEILING)
    value: Array = distance * np.arctanh(distance) + np.log1p(-distance * distance) / 2
    return value


LOSSES = {
    "mse": Loss(lambda p, t: (p - t) ** 2, lambda p, t: 2 * (p - t)),
    "l1": Loss(lambda p, t: np.abs(p - t), lambda p, t: np.sign(np.real(p - t))),
    "bce": Loss(_bce, _bce_slope),
    "huber": Loss(_huber, lambda p, t: np.clip(p - t, -HUBER_DELTA, HUBER_DELTA)),
    "arctanh": Loss(_arctanh, lambda p, t: np.arctanh(np.clip(p - t, -ARCTANH_CEILING, ARCTANH_CEILING))),
}
REDUCTIONS = ("mean", "sum")


def loss_value(loss: str, reduction: str, predictions: Array, targets: Array, axis: int = -1) -> Array:
    """Return the loss over the observations: ``predictions [..., N]`` and ``targets [N]`` give ``[...]``."""
    with np.errstate(over="ignore"):  # a linear output may grow until its loss is infinite
        values = LOSSES[loss].value(predictions, targets)
    total: Array = values.mean(axis=axis) if reduction == "mean" else values.sum(axis=axis)
    return total


def loss_slope(loss: str, reduction: str, predictions: Array, targets: Array) -> Array:
    """Return the slope of the loss by each prediction, ``[..., N]``."""
    slopes = LOSSES[loss].slope(predictions, targets)
    return slopes / predictions.shape[-1] if reduction == "mean" else slopes
