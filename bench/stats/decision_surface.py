"""Decision surfaces: what a network says for every input of the plane that its observations lie in, or can say.

Shapes: A places along either axis, N observations.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linprog

from bench.model import propagation
from bench.model.gate import Gate
from bench.model.trial import Trial

Floats = NDArray[np.float64]

MARGIN = 0.5  # of the plane beyond the observations, in their range


def is_linearly_separable(gate: Gate) -> bool:
    """Return whether a line, or a plane, can part the observations whose target is above a half from the others.

    The feasibility of a linear program: y (w · x + b) ≥ 1 with y = ±1. Where there is none no perceptron, a network
    without a hidden layer, solves the gate (Minsky & Papert 1969).
    """
    sign_N = np.where(gate.targets > 0.5, 1.0, -1.0)
    rows_NJ = -sign_N[:, None] * np.column_stack([gate.inputs, np.ones(len(sign_N))])
    free = [(None, None)] * rows_NJ.shape[1]
    return bool(linprog(np.zeros(rows_NJ.shape[1]), A_ub=rows_NJ, b_ub=-np.ones(len(sign_N)), bounds=free).success)


def has_plane(trial: Trial) -> bool:
    """Whether what a trial learns can be drawn: one output over two inputs."""
    return trial.gate.inputs.shape[1] == 2 and trial.gate.outputs == 1


def shades(trial: Trial) -> tuple[float, float]:
    """Return what is drawn white and what black: targets of 0 and of 1, or where some are beyond, the ends of all."""
    if ((trial.gate.targets >= 0) & (trial.gate.targets <= 1)).all():
        return trial.target_low, trial.target_high
    least, greatest = float(trial.targets.min()), float(trial.targets.max())
    return (least, greatest) if least < greatest else (least - 0.5, least + 0.5)


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
    """Return what a trial's network with these weights says of a gate's inputs, ``[N * O]``."""
    return np.asarray(propagation.predictions(trial, weights_P, trial.encoded(inputs_NI))[0], dtype=np.float64)
