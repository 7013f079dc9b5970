"""Loops: one network after the other, each in a Python loop that looks at convergence before every update.

Shapes: T trainings, of which there is one, N observations, O outputs, P parameters of the network.
"""

import math
from abc import abstractmethod

import numpy as np

from bench.backends.base import Array, Backend, Group, Results
from bench.model.outcome import NEVER, Batch
from bench.model.trial import Trial

MULTIPLY_ADD_US = 0.002  # microseconds for one of a loop's multiply-adds: only chunk sizes depend on it


class LoopBackend(Backend):
    """Backend that trains one network after the other, each in a Python loop."""

    releases_gil = False
    overhead_us: float  # of the interpreter, for a layer's part of one step

    def cost_us(self, trial: Trial) -> float:
        """Return the interpreter's overhead plus the arithmetic, in microseconds."""
        layers = len(trial.network.layers)
        return trial.steps * layers * self.overhead_us + len(trial.inputs) * trial.network.parameters * MULTIPLY_ADD_US


class LoopTraining(Group):
    """One network in a loop that checks for convergence before every update; subclasses predict and step."""

    def __init__(self, batch: Batch) -> None:
        """Prepare the targets and the tolerance in the trial's dtype, as `succeeds` and `right_side` have them."""
        self.trial = trial = batch.trial
        dtype = np.dtype(trial.dtype)
        self.targets_N = trial.targets.astype(dtype)
        self.middle = dtype.type(trial.middle)
        self.side_N = trial.targets > trial.middle
        self.tolerance, self.loss_bound = dtype.type(trial.tolerance), dtype.type(trial.success_loss)
        self.solved_at = self.correct_at = NEVER
        self.iteration = self.in_a_row = 0
        # for targets of 0 and 1, and a tolerance below 0.5, solved implies correct: the cheaper test comes first
        usual = trial.success == "tolerance" and trial.success_for == 1 and trial.middle == 0.5
        self.solved_is_correct = usual and bool(np.isin(self.targets_N, (0, 1)).all() and self.tolerance < 0.5)

    @abstractmethod
    def predict(self) -> Array:
        """Return the current predictions ``[N]``, or of several outputs ``[N * O]``."""

    @abstractmethod
    def loss(self) -> float:
        """Return the loss of the last predictions."""

    @abstractmethod
    def step(self) -> None:
        """Do the update of ``self.iteration``: one full-batch step, or one after the other."""

    @abstractmethod
    def weights(self) -> Array:
        """Return the current weights ``[P]`` in the flat order of `Network`."""

    def advance(self, start: int, end: int) -> Array:
        """Do the iterations from start to end, unless it stops; return the loss ``[1]`` before the first."""
        stops, loss = self.trial.stop == "solved", math.nan
        for iteration in range(start, end):
            self.iteration = iteration
            self._check(self.predict(), iteration)
            if iteration == start:
                loss = self.loss()
            if stops and self.all_solved():
                break
            self.step()
        return np.array([loss])

    def all_solved(self) -> bool:
        """Whether the gate has been solved at some iteration."""
        return self.solved_at != NEVER

    def results(self) -> Results:
        """Check the final predictions too, and return all results."""
        predictions_N = self.predict()
        self._check(predictions_N, self.trial.iterations)
        solved_at_T, correct_at_T = np.array([[self.solved_at], [self.correct_at]])
        return predictions_N[None], self.weights()[None], solved_at_T, correct_at_T

    def _check(self, predictions_N: Array, iteration: int) -> None:
        """Keep the iteration if its predictions are the first to be correct, or to solve the gate."""
        if NEVER not in (self.solved_at, self.correct_at):
            return
        if self.correct_at == NEVER:
            if self._is_correct(predictions_N):
                self.correct_at = iteration
            elif self.solved_is_correct:
                return
        if self.solved_at == NEVER:
            self.in_a_row = self.in_a_row + 1 if self._succeeds(predictions_N) else 0
            if self.in_a_row == self.trial.success_for:
                self.solved_at = iteration

    def _is_correct(self, predictions_N: Array) -> bool:
        """Whether every prediction is on its target's side."""
        return bool(((predictions_N > self.middle) == self.side_N).all() and not np.isnan(predictions_N).any())

    def _succeeds(self, predictions_N: Array) -> bool:
        """Whether predictions meet the trial's ``success``."""
        if self.trial.success == "correct":
            return self._is_correct(predictions_N)
        if self.trial.success == "loss":
            return bool(self.loss() <= self.loss_bound)
        return bool((np.abs(predictions_N - self.targets_N) <= self.tolerance).all())
