"""Batches of trainings, their outcomes, and the results that are read from these.

Shapes: T trainings, N observations, K recorded iterations, P parameters of the network.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.errors import RequestError
from bench.model.initialization import MAX_SEED
from bench.model.loss import loss_value
from bench.model.trial import Trial

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Arrays = TypeVar("Arrays", "Batch", "Outcome")

NEVER = -1  # in solved_at and correct_at: it never happened
LEARNING = 0.01  # a slow training's loss still falls by more than this share in the last tenth of its budget


class Result(StrEnum):
    """Result of one training; every planned training has exactly one."""

    SOLVED = "solved"
    SLOW = "slow"
    STUCK = "stuck"
    DIVERGED = "diverged"
    FAILED = "failed"
    UNSUPPORTED = "unsupported"


@dataclass(frozen=True, eq=False, init=False)
class Batch:
    """Trainings of one trial with weights, learning rates and momenta of their own, for a backend to train.

    ``seed_T`` is what noise, flipped labels, dropout and shuffled observations are drawn from, on the way.
    """

    trial: Trial
    weights_TP: Floats
    learning_rate_T: Floats
    momentum_T: Floats
    learning_rate_output_T: Floats | None  # as learning_rate_T
    seed_T: NDArray[np.uint32]

    def __init__(
        self,
        trial: Trial,
        weights_TP: ArrayLike,
        learning_rate_T: ArrayLike | None = None,
        momentum_T: ArrayLike | None = None,
        learning_rate_output_T: ArrayLike | None = None,
        seed_T: ArrayLike | None = None,
    ) -> None:
        """Take initial weights ``[T, P]``, or ``[P]`` of one training, and rates and seeds ``[T]`` or one for all.

        Weights are in the order of `Trial.initial_weights`: layer after layer, each weight ``[fan_in, fan_out]`` row by
        row and then its bias. Without rates they are the trial's, that of the output layer where it has one the
        others'; without seeds they are 0. Raises RequestError for other shapes.
        """
        weights = np.atleast_2d(_floats("weights", weights_TP))
        size, parameters = len(weights), trial.network.parameters
        if weights.ndim != 2 or weights.shape[1] != parameters:
            raise RequestError(f"weights have the shape {weights.shape}; allowed is (trainings, {parameters})")
        object.__setattr__(self, "trial", trial)
        object.__setattr__(self, "weights_TP", weights)
        of_trial = {
            "learning_rate": learning_rate_T,
            "momentum": momentum_T,
            "learning_rate_output": learning_rate_output_T,
        }
        for name, rate in of_trial.items():
            given = getattr(trial, name) if rate is None else rate
            as_others = name == "learning_rate_output" and rate is None and not given
            value = None if as_others else _one_each(name, _floats(name, given), size)
            object.__setattr__(self, f"{name}_T", value)
        seeds = np.asarray(0 if seed_T is None else seed_T)
        if seeds.dtype.kind not in "iu" or not ((seeds >= 0) & (seeds <= MAX_SEED)).all():
            raise RequestError(f"seeds are {seeds.dtype.name}; allowed are whole numbers from 0 to {MAX_SEED:,}")
        object.__setattr__(self, "seed_T", _one_each("seed", seeds.astype(np.uint32), size))

    @classmethod
    def of(cls, trial: Trial, seeds: Sequence[int]) -> "Batch":
        """Return the batch of one trial's trainings with these seeds."""
        return cls(trial, trial.initial_weights(list(seeds)), seed_T=np.asarray(seeds, dtype=np.int64))

    @property
    def output_rates(self) -> Floats:
        """The learning rates of the output layer ``[T]``."""
        return self.learning_rate_T if self.learning_rate_output_T is None else self.learning_rate_output_T

    def __len__(self) -> int:
        """Return the number of trainings, T."""
        return len(self.weights_TP)

    def take(self, indices: Ints) -> "Batch":
        """Return the batch of some of the trainings, by their indices."""
        return _take(self, indices)


@dataclass(frozen=True, eq=False)
class Outcome:
    """Numbers that a backend returns for a batch of T trainings, diverged ones included.

    C checkpoints, N predictions (of an observation as many as there are outputs), P weights and biases. ``loss_TC`` is
    measured at the trial's checkpoints, before that iteration's update; predictions and weights after the last one.
    ``solved_at_T`` and ``correct_at_T`` are the
    first iterations that meet the trial's ``success``, and on the right side, or -1: a training may leave them again,
    so that what became of it is in `reading`. ``iterations_T`` is how many were done (fewer than planned only with
    ``stop = "solved"``; checkpoints after that hold NaN).
    ``seconds_TC`` is what each training spent from a checkpoint to the next, the last to the end; trainings that
    advance together share it equally, and ``together`` says how many did. ``compile_seconds`` comes on top.
    """

    loss_TC: Floats
    predictions_TN: Floats
    weights_TP: Floats
    solved_at_T: Ints
    correct_at_T: Ints
    iterations_T: Ints
    seconds_TC: Floats
    together: int = 1
    compile_seconds: float = 0.0
    diagnostics_TD: Floats | None = None  # as `bench.model.diagnostics`, where the trial asks for them

    def reading(self, trial: Trial) -> "Reading":
        """Return what became of each training of this trial: ``result_T``, ``solved_T``, and its final errors."""
        return read_outcome(trial, self)

    def take(self, indices: Ints) -> "Outcome":
        """Return the outcome of some of the trainings, by their indices in the batch."""
        return _take(self, indices)


def _floats(what: str, values: ArrayLike) -> Floats:
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":  # a number that is not finite is a training that diverges, and no mistake
        raise RequestError(f"{what} are {array.dtype.name}; allowed are real numbers")
    return array.astype(np.float64)


def _one_each(what: str, values: NDArray[Any], size: int) -> NDArray[Any]:
    if values.shape not in ((), (size,)):
        raise RequestError(f"{what} has the shape {values.shape}; allowed are ({size},) and one for all")
    return values if values.shape else np.full(size, values)


def _take(arrays: Arrays, indices: Ints) -> Arrays:
    """Return some trainings of a dataclass, whose arrays over T have it in their names."""
    names = [one.name for one in fields(arrays) if "_T" in one.name and getattr(arrays, one.name) is not None]
    return replace(arrays, **{name: getattr(arrays, name)[indices] for name in names})


@dataclass(frozen=True, eq=False)
class Record:
    """Trainings of one trial with some seeds, and their outcome, ready to be written.

    ``outcome`` is None where nothing was trained: ``failed`` or ``unsupported``, with the ``reason``.
    """

    trial: Trial
    seeds: tuple[int, ...]
    alone: bool = False
    outcome: Outcome | None = None
    result: Result | None = None
    reason: str | None = None


@dataclass(frozen=True, eq=False)
class Reading:
    """Result and final errors of each training, computed here for every backend."""

    result_T: NDArray[np.str_]
    solved_T: NDArray[np.bool_]
    correct_T: NDArray[np.bool_]
    final_loss_T: Floats
    final_mse_T: Floats
    max_abs_error_T: Floats
    iteration_us_T: Floats


def read_outcome(trial: Trial, outcome: Outcome) -> Reading:
    """Derive results and final errors from a backend's numbers, in float64."""
    targets = trial.targets
    predictions = outcome.predictions_TN
    error_TN = np.abs(predictions - targets)
    with np.errstate(over="ignore", invalid="ignore"):
        final_loss = np.asarray(loss_value(trial.loss, trial.reduction, predictions, targets), dtype=np.float64)
        final_mse = np.asarray((error_TN**2).mean(axis=-1))
    finite = np.isfinite(predictions).all(axis=1) & np.isfinite(outcome.weights_TP).all(axis=1)
    finite &= np.isfinite(final_loss)
    solved = finite & succeeds(predictions, trial)
    if trial.success_for > 1:  # to have met it at the end is not enough
        solved &= outcome.solved_at_T != NEVER
    late = outcome.loss_TC[:, np.searchsorted(trial.checkpoints, trial.late_iteration)]
    falling = late - np.where(finite, final_loss, np.nan) > LEARNING * late  # of what diverged, nothing is asked
    result = np.select([~finite, solved, falling], [Result.DIVERGED, Result.SOLVED, Result.SLOW], default=Result.STUCK)
    return Reading(
        result_T=result,
        solved_T=solved,
        correct_T=finite & right_side(predictions, trial),
        final_loss_T=final_loss,
        final_mse_T=final_mse,
        max_abs_error_T=error_TN.max(axis=1),
        iteration_us_T=outcome.seconds_TC.sum(axis=1) / np.maximum(outcome.iterations_T, 1) * 1e6,
    )


def succeeds(predictions_TN: NDArray[Any], trial: Trial) -> NDArray[np.bool_]:
    """Return which trainings' predictions solve the gate, judged in the trial's dtype: what its ``success`` says."""
    dtype = np.dtype(trial.dtype)
    predictions_TN, targets_N = predictions_TN.astype(dtype), trial.targets.astype(dtype)
    if trial.success == "correct":
        return right_side(predictions_TN, trial)
    if trial.success == "loss":
        loss_T = loss_value(trial.loss, trial.reduction, predictions_TN, targets_N)
        return np.asarray(loss_T <= dtype.type(trial.success_loss))
    close: NDArray[np.bool_] = (np.abs(predictions_TN - targets_N) <= dtype.type(trial.tolerance)).all(axis=-1)
    return close


def right_side(predictions_TN: NDArray[Any], trial: Trial) -> NDArray[np.bool_]:
    """Return which trainings have every prediction on its target's side of the middle, a half for targets 0 and 1."""
    middle = np.dtype(trial.dtype).type(trial.middle)
    same = (predictions_TN > middle) == (trial.targets > trial.middle)
    right: NDArray[np.bool_] = (same & ~np.isnan(predictions_TN)).all(axis=-1)
    return right
