"""Interface of backends, and how each trains a batch: group after group, from checkpoint to checkpoint.

Shapes: T trainings (of a batch, or of a group), N observations, C checkpoints, P parameters of the network.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.backends.pieces import first_piece, in_pieces
from bench.model.outcome import NEVER, Batch, Outcome
from bench.model.trial import PARAMETERS, Trial

Array = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]
Results = tuple[Array, Array, Ints, Ints]  # final predictions [T, N] and weights [T, P], solved_at [T], correct_at [T]
ELSEWHERE = ("diagnostics", "init_table")  # extra parameters that are seen to outside of backends
LATER = {"activation": ("symmetric",), "loss": ("arctanh",), "update": ("minibatch",)}  # values like extra parameters
EVERYTHING: dict[str, Collection[Any] | None] = dict.fromkeys(["outputs", *PARAMETERS])  # what takes all has


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
        piece = first_piece(self.cost_us(trial) * max(len(indices), self.least))

        def is_over() -> bool:
            return stops and group.all_solved()

        for checkpoint, (start, end) in enumerate(pairwise([*trial.checkpoints.tolist(), trial.iterations])):
            started = perf_counter() - group.compile_seconds
            outcome.loss_TC[indices, checkpoint], piece = in_pieces(group.advance, is_over, start, end, piece)
            seconds = perf_counter() - group.compile_seconds - started
            outcome.seconds_TC[indices, checkpoint] = seconds / len(indices)
            if is_over():
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
