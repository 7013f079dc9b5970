"""Interface of backends, and how each trains a batch: group after group, from checkpoint to checkpoint.

Shapes: T trainings (of a batch, or of a group), N observations, C checkpoints, P parameters of the network.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from itertools import pairwise
from time import perf_counter
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bench.model.outcome import NEVER, Batch, Outcome
from bench.model.trial import PARAMETERS, Trial

Array = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]
Results = tuple[Array, Array, Ints, Ints]  # final predictions [T, N] and weights [T, P], solved_at [T], correct_at [T]
ELSEWHERE = ("diagnostics", "init_table")  # extra parameters that are seen to outside of backends
LATER = {"activation": ("symmetric",), "loss": ("arctanh",), "update": ("minibatch",)}  # values like extra parameters
EVERYTHING: dict[str, Collection[Any] | None] = dict.fromkeys(["outputs", *PARAMETERS])  # what takes all has
MULTIPLY_ADD_US = 0.002  # microseconds for one of a loop's multiply-adds: only chunk sizes depend on it


PIECE_S = 0.1  # how long trainings go on without a look at whether they are wanted any more


class Flag(Protocol):
    """An event of threads or of processes."""

    def is_set(self) -> bool:
        """Whether it has come."""


class StoppedError(Exception):
    """Trainings were left before their end, because nobody wants them any more."""


_STOP: ContextVar[Flag | None] = ContextVar("stop", default=None)


@contextmanager
def heeding(stop: Flag | None) -> Iterator[None]:
    """Have what is trained meanwhile, in this thread, raise StoppedError soon after ``stop`` is set."""
    token = _STOP.set(stop)
    try:
        yield
    finally:
        _STOP.reset(token)


_COMPILING: list[bool] = []  # a mark for each kernel that was begun: whether it is ready


@contextmanager
def compiles() -> Iterator[None]:
    """Let others see that a kernel is being compiled meanwhile."""
    _COMPILING.append(False)
    place = len(_COMPILING) - 1
    try:
        yield
    finally:
        _COMPILING[place] = True


def compiling() -> int:
    """Return the number, from 1, of the kernel that is being compiled in this process; 0 where none is."""
    return 0 if all(_COMPILING) else _COMPILING.index(False) + 1


def compiled_kernels() -> int:
    """Return how many kernels this process has begun to compile."""
    return len(_COMPILING)


def loss_factor(trial: Trial) -> float:
    """Return the factor of the losses that a step sums up: 1, or for a mean one over their number."""
    return 1.0 if trial.reduction == "sum" else 1 / (trial.step_size * trial.gate.outputs)


def padded(values: NDArray[Any], size: int, dtype: str, axis: int = 0) -> NDArray[Any]:
    """Return values in that dtype, with zeros for idle trainings up to that size along the axis."""
    widths = [(0, 0)] * values.ndim
    widths[axis] = (0, size - values.shape[axis])
    return np.ascontiguousarray(np.pad(values.astype(dtype), widths))


class Group(ABC):
    """Trainings that advance together from their initial weights."""

    compile_seconds = 0.0  # spent so far; they are no training's time

    @abstractmethod
    def __init__(self, batch: Batch) -> None:
        """Take the trainings' weights, learning rates and momenta."""

    @abstractmethod
    def advance(self, start: int, end: int) -> Array:
        """Do the iterations from start to end, unless all stop; return the losses ``[T]`` before the first."""

    def all_solved(self) -> bool:
        """Whether every training has been solved by the last iteration; False where finding out gains nothing."""
        return False

    @abstractmethod
    def results(self) -> Results:
        """Return all results, the final predictions checked too; an iteration above the budget stands for never."""


class Backend(ABC):
    """Way of training a batch. A refusal is data; exceptions are for bugs."""

    name: str
    group: type[Group]
    releases_gil = True
    least = 1  # as many trainings take about as long as one: fewer are not worth a batch of their own
    summations: tuple[str, ...] = ("library",)
    takes: Mapping[str, Collection[Any] | None] = {}  # values of extra parameters, or None for all; the default always
    has_gpu: Callable[[], bool] | None = None  # whether there is a GPU here; None for a backend that never uses one

    def unsupported(self, trial: Trial) -> str | None:
        """Return why this trial cannot be trained here, or None if it can."""
        if trial.device != "cpu" and not (self.has_gpu and self.has_gpu()):
            where = " on this machine" if self.has_gpu else ""
            return f"backend {self.name} has no device {trial.device!r}{where}; it has cpu"
        if trial.summation not in self.summations:
            return f"backend {self.name} has no summation {trial.summation!r}; it has library"
        return self._untaken(trial)

    def _untaken(self, trial: Trial) -> str | None:
        """Return what of a trial's extra parameters, and of later values of others, this backend does not know."""
        if trial.gate.outputs > 1 and "outputs" not in self.takes:
            return f"backend {self.name} has no networks with {trial.gate.outputs} outputs"
        for name, value in trial.content.items():
            is_extra = PARAMETERS[name].extra and value != PARAMETERS[name].default and name not in ELSEWHERE
            if is_extra or value in LATER.get(name, ()):
                known = self.takes.get(name, ())
                if known is not None and value not in known:
                    return f"backend {self.name} has no {name}" + (f" {value!r}" if isinstance(value, str) else "")
        return None

    @abstractmethod
    def cost_us(self, trial: Trial) -> float:
        """Return about how many microseconds an iteration of one training takes, among at least ``least`` of them."""

    def group_size(self, trial: Trial) -> int:  # noqa: ARG002 - of any trial, unless a backend says otherwise
        """Return how many trainings advance together at most."""
        return 1

    def kernel(self, trial: Trial) -> Hashable | None:  # noqa: ARG002 - of any trial, unless a backend says otherwise
        """Return the name of the kernel that still has to be compiled for a trial; None where there is none."""
        return None

    def groups(self, batch: Batch) -> Iterator[Ints]:
        """Yield the indices in the batch of trainings that advance together."""
        indices, size = np.arange(len(batch)), self.group_size(batch.trial)
        return (indices[start : start + size] for start in range(0, len(batch), size))

    def train(self, batch: Batch) -> Outcome:
        """Train every training of the batch from its weights; those of a group share its time equally."""
        assert not self.unsupported(batch.trial), f"backend {self.name} was asked to train what it refuses"
        trial, size, checkpoints = batch.trial, len(batch), len(batch.trial.checkpoints)
        outcome = Outcome(
            loss_TC=np.full((size, checkpoints), np.nan),
            predictions_TN=np.empty((size, len(trial.targets))),
            weights_TP=np.empty((size, trial.network.parameters)),
            solved_at_T=np.full(size, NEVER),
            correct_at_T=np.full(size, NEVER),
            iterations_T=np.full(size, trial.iterations),
            seconds_TC=np.zeros((size, checkpoints)),
            together=min(size, self.group_size(trial)),
        )
        with np.errstate(all="ignore"):  # a diverging training is data, not a warning
            compile_seconds = sum(self._train_group(batch, indices, outcome) for indices in self.groups(batch))
        return replace(outcome, compile_seconds=compile_seconds)

    def _train_group(self, batch: Batch, indices: Ints, outcome: Outcome) -> float:
        """Train some of the batch's trainings into their rows of the outcome; return the seconds spent on compiling."""
        trial, group = batch.trial, self.group(batch.take(indices))
        stops = trial.stop == "solved"
        piece = max(int(PIECE_S * 1e6 / (self.cost_us(trial) * max(len(indices), self.least))), 1)
        for checkpoint, (start, end) in enumerate(pairwise([*trial.checkpoints.tolist(), trial.iterations])):
            started = perf_counter() - group.compile_seconds
            outcome.loss_TC[indices, checkpoint], piece = self._advance(group, start, end, piece, stops=stops)
            seconds = perf_counter() - group.compile_seconds - started
            outcome.seconds_TC[indices, checkpoint] = seconds / len(indices)
            if stops and group.all_solved():
                break
        predictions_TN, weights_TP, solved_at_T, correct_at_T = group.results()
        solved_at_T = np.where(solved_at_T > trial.iterations, NEVER, solved_at_T)
        stopped_T = (solved_at_T != NEVER) & stops
        done_T = np.where(stopped_T, solved_at_T, trial.iterations)
        outcome.predictions_TN[indices], outcome.weights_TP[indices] = predictions_TN, weights_TP
        outcome.solved_at_T[indices], outcome.iterations_T[indices] = solved_at_T, done_T
        outcome.correct_at_T[indices] = np.where(correct_at_T > done_T, NEVER, correct_at_T)
        outcome.loss_TC[indices] = np.where(trial.checkpoints > done_T[:, None], np.nan, outcome.loss_TC[indices])
        return group.compile_seconds

    @staticmethod
    def _advance(group: Group, start: int, end: int, piece: int, *, stops: bool) -> tuple[Array, int]:
        """Advance a group, ``piece`` iterations at a time; return the losses before the first, and the next piece.

        A piece takes PIECE_S or so, as those before it took. Between two of them Ctrl-C is heeded, whoever calls.
        """
        stop, losses_T = _STOP.get(), None
        while start < end:
            if stop is not None and stop.is_set():
                raise StoppedError
            began, last = perf_counter(), min(start + piece, end)
            found_T = group.advance(start, last)
            losses_T = found_T if losses_T is None else losses_T
            taken_s = max(perf_counter() - began, 1e-9)
            if last < end or taken_s > PIECE_S:
                piece = max(int(piece * min(max(PIECE_S / taken_s, 0.25), 4.0)), 1)
                if stops and group.all_solved():
                    break
            start = last
        assert losses_T is not None
        return losses_T, piece


class Unavailable(Backend):
    """Stand-in for a backend whose package is not installed: it refuses every trial."""

    def __init__(self, name: str, package: str, extra: str) -> None:
        """Name the package, and the project's extra that it is in."""
        self.name, self.package, self.extra = name, package, extra

    def unsupported(self, trial: Trial) -> str:  # noqa: ARG002 - a backend's
        """Refuse the trial, and say what to install."""
        return f"backend {self.name} needs {self.package}; install it with: pip install 'bench[{self.extra}]'"

    def cost_us(self, trial: Trial) -> float:  # noqa: ARG002 - likewise
        """Return a number that nothing depends on: every trial is refused."""
        return 1.0


# ------------------------------------------------------------------ one network at a time


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
