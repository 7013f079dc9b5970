"""What a backend is, and the loop that the backends which train one network at a time share.

Shapes: T trainings, N observations, C checkpoints, P parameters of the network.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bench.model.outcome import NEVER, Batch, Outcome
from bench.model.trial import Trial

Array = NDArray[np.floating[Any]]
MACHINE_US = 0.002  # microseconds for one multiply-add of a loop's arithmetic: only chunk sizes depend on it


class Backend(Protocol):
    """A way of training a batch. A refusal is data; exceptions are for bugs."""

    name: str
    releases_gil: bool
    least: int  # as many trainings take about as long as one: fewer are not worth a batch of their own

    def unsupported(self, trial: Trial) -> str | None:
        """Return why this trial cannot be trained here, or None if it can."""

    def cost_us(self, trial: Trial) -> float:
        """Return about how many microseconds an iteration of one training takes, among at least ``least`` of them."""

    def train(self, batch: Batch) -> Outcome:
        """Train every training of the batch from its weights."""


def refusal(name: str, trial: Trial, *, gpu: bool | None = None, fuses: bool = False) -> str | None:
    """Return why a backend cannot train this on that device, or sum it that way, or None if it can.

    ``gpu``: whether there is one on this machine, None for a backend that never uses one.
    """
    if trial.device != "cpu" and not gpu:
        here = "" if gpu is None else " on this machine"
        return f"backend {name} has no device {trial.device!r}{here}; it has cpu"
    if trial.summation != "library" and not fuses:
        return f"backend {name} has no summation {trial.summation!r}; it has library"
    return None


def unwritten(batch: Batch, together: int) -> Outcome:
    """Return an outcome in which nothing is known yet but the budget, to be filled in group by group."""
    trial, size, checkpoints = batch.trial, len(batch), len(batch.trial.checkpoints)
    return Outcome(
        loss_TC=np.full((size, checkpoints), np.nan),
        predictions_TN=np.empty((size, len(trial.gate.targets))),
        weights_TP=np.empty((size, trial.network.parameters)),
        solved_at_T=np.full(size, NEVER),
        correct_at_T=np.full(size, NEVER),
        iterations_T=np.full(size, trial.iterations),
        seconds_TC=np.zeros((size, checkpoints)),
        together=min(size, together),
    )


def iterations_done(trial: Trial, solved_at_T: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many iterations each training did: all, or with ``stop = "solved"`` those up to its solution."""
    stopped = (solved_at_T != NEVER) & (trial.stop == "solved")
    done: NDArray[np.int64] = np.where(stopped, solved_at_T, trial.iterations)
    return done


def until(trial: Trial, done_T: NDArray[np.int64], loss_TC: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the losses ``[T, C]`` up to where each training stopped, NaN after that."""
    losses: NDArray[np.float64] = np.where(trial.checkpoints > done_T[:, None], np.nan, loss_TC)
    return losses


class Training(ABC):
    """One network being trained by a loop: the backend's own part."""

    @abstractmethod
    def predict(self) -> Array:
        """Return the current predictions ``[N]``."""

    @abstractmethod
    def loss(self) -> float:
        """Return the loss of the last predictions."""

    @abstractmethod
    def step(self) -> None:
        """Do one iteration's update: one full-batch step, or one step per observation."""

    @abstractmethod
    def weights(self) -> Array:
        """Return the current weights ``[P]`` in the flat order of `Network`."""


class LoopBackend(ABC):
    """Trains one network after the other; subclasses say how one is predicted and stepped."""

    name: str
    releases_gil = False
    least = 1
    overhead_us: float

    @abstractmethod
    def unsupported(self, trial: Trial) -> str | None:
        """Return why this trial cannot be trained here, or None if it can."""

    @abstractmethod
    def start(self, batch: Batch, index: int) -> Training:
        """Return training ``index`` of the batch, at its initial weights."""

    def cost_us(self, trial: Trial) -> float:
        """Return the interpreter's overhead per step plus the arithmetic, in microseconds."""
        observations = len(trial.gate.targets)
        steps = observations if trial.update == "online" else 1
        layers = len(trial.network.layers)
        return steps * layers * self.overhead_us + observations * trial.network.parameters * MACHINE_US

    def train(self, batch: Batch) -> Outcome:
        """Train the batch one network at a time."""
        with np.errstate(all="ignore"):  # a diverging training is data, not a warning
            runs = [self._run(batch, index) for index in range(len(batch))]
        loss, predictions, weights, solved_at, correct_at, done, seconds = zip(*runs, strict=True)
        return Outcome(
            loss_TC=np.array(loss, dtype=np.float64),
            predictions_TN=np.array(predictions, dtype=np.float64),
            weights_TP=np.array(weights, dtype=np.float64),
            solved_at_T=np.array(solved_at, dtype=np.int64),
            correct_at_T=np.array(correct_at, dtype=np.int64),
            iterations_T=np.array(done, dtype=np.int64),
            seconds_TC=np.array(seconds, dtype=np.float64),
        )

    def _run(self, batch: Batch, index: int) -> tuple[Array, Array, Array, int, int, int, Array]:
        """Train one network, watching for convergence before every update and after the last."""
        training = self.start(batch, index)
        watch = Watch(batch.trial)
        stops = batch.trial.stop == "solved"
        checkpoints = [*batch.trial.checkpoints.tolist(), batch.trial.iterations]
        loss = np.full(len(checkpoints) - 1, np.nan)
        seconds = np.zeros(len(checkpoints) - 1)
        done = 0
        for place, end in enumerate(checkpoints[1:]):
            started = perf_counter()
            watch.see(training.predict(), done)
            loss[place] = training.loss()
            while done < end and not (stops and watch.solved):
                training.step()
                done += 1
                if done < end:
                    watch.see(training.predict(), done)
            seconds[place] = perf_counter() - started
            if stops and watch.solved:
                break
        predictions = training.predict()
        watch.see(predictions, done)
        return loss, predictions, training.weights(), watch.solved_at, watch.correct_at, done, seconds


class Watch:
    """Notes the first iteration at which all predictions were correct, and at which they solved the gate."""

    def __init__(self, trial: Trial) -> None:
        """Prepare the targets and the tolerance in the trial's dtype, as `within` and `right_side` judge."""
        dtype = np.dtype(trial.dtype)
        self.targets = trial.gate.targets.astype(dtype)
        self.side = self.targets > 0.5
        self.tolerance = dtype.type(trial.tolerance)
        self.solved_at = self.correct_at = NEVER
        # for targets of 0 and 1, and a tolerance below 0.5, solved implies correct: the cheaper test comes first
        self.implied = bool(np.isin(self.targets, (0, 1)).all() and self.tolerance < 0.5)

    @property
    def solved(self) -> bool:
        """Whether the gate has been solved at some iteration."""
        return self.solved_at != NEVER

    def see(self, predictions_N: Array, iteration: int) -> None:
        """Look at the predictions before the update of that iteration."""
        if NEVER not in (self.solved_at, self.correct_at):
            return
        if self.correct_at == NEVER:
            if ((predictions_N > 0.5) == self.side).all() and not np.isnan(predictions_N).any():
                self.correct_at = iteration
            elif self.implied:
                return
        if self.solved_at == NEVER and (np.abs(predictions_N - self.targets) <= self.tolerance).all():
            self.solved_at = iteration


# ------------------------------------------------------------------ missing


@dataclass
class Unavailable:
    """A backend that is not there; ``extra`` is the project's extra that brings its ``package``."""

    name: str
    package: str
    extra: str
    releases_gil: bool = False
    least: int = 1

    def unsupported(self, trial: Trial) -> str:  # noqa: ARG002 - a backend's
        """Refuse every trial."""
        return f"backend {self.name} needs {self.package}; install it with: pip install 'bench[{self.extra}]'"

    def cost_us(self, trial: Trial) -> float:  # noqa: ARG002 - likewise
        """Return something: nothing is ever trained here."""
        return 1.0

    def train(self, batch: Batch) -> Outcome:  # noqa: ARG002 - likewise
        """Raise: the trial was refused."""
        raise AssertionError(f"backend {self.name} was asked to train what it refuses")
