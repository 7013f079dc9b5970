"""PyTorch with all trainings of a batch in one set of tensors, on the CPU or a GPU.

Shapes: T trainings, N observations, C checkpoints, P parameters of the network.

torch.compile is not used: it needs a C++ compiler on the user's machine, and seconds for every shape.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from time import perf_counter

import numpy as np
import torch
from numpy.typing import NDArray

from bench.backends.base import refusal, unwritten
from bench.backends.torch_group import Group, group_size
from bench.backends.torch_lanes import numbers_per_training
from bench.problem.loss import loss_value
from bench.problem.outcome import Batch, Outcome
from bench.problem.trial import Trial

Places = NDArray[np.int64]

NUMBER_US = 0.001  # microseconds per number of a training's tensors: only chunk sizes depend on it
LAYER_US = 15.0  # and for launching a layer's operations


class TorchBatched:
    """Networks side by side, in PyTorch."""

    name = "torch-batched"
    releases_gil = True  # torch lets it go within every operation
    least = 256

    def unsupported(self, trial: Trial) -> str | None:
        """Refuse a GPU that is not there, and fused sums."""
        return refusal(self.name, trial, gpu=torch.cuda.is_available())

    def cost_us(self, trial: Trial) -> float:
        """Return what an iteration of one training costs in a full group, in microseconds."""
        steps = len(trial.gate.targets) if trial.update == "online" else 1
        launches = LAYER_US * len(trial.network.layers) / group_size(trial)
        return steps * (launches + NUMBER_US * numbers_per_training(trial))

    def train(self, batch: Batch) -> Outcome:
        """Train the batch, a group at a time."""
        outcome = unwritten(batch, group_size(batch.trial))
        with torch.inference_mode(), one_thread():
            compile_seconds = sum(train_group(batch, places, outcome) for places in groups(batch))
        return replace(outcome, compile_seconds=compile_seconds)


def train_group(batch: Batch, places: Places, outcome: Outcome) -> float:
    """Train some of the batch's trainings into their rows of the outcome; return the seconds spent on capturing."""
    trial, group = batch.trial, Group(batch, places)
    targets = trial.gate.targets.astype(trial.dtype)
    for place, (start, end) in enumerate(pairwise([*trial.checkpoints.tolist(), trial.iterations])):
        started, captured = perf_counter(), group.capture_seconds
        predictions = group.advance(end - start)
        with np.errstate(all="ignore"):  # a diverging training is data, not a warning
            outcome.loss_TC[places, place] = loss_value(trial.loss, trial.reduction, predictions, targets)
        seconds = perf_counter() - started - (group.capture_seconds - captured)
        outcome.seconds_TC[places, place] = seconds / len(places)
        if group.stops and group.all_solved():
            break
    group.finish(outcome, places)
    return group.capture_seconds


def groups(batch: Batch) -> Iterator[Places]:
    """Yield the places of trainings that advance together.

    Those without momentum advance without it, as in `numpy_loop`: 0 times infinity would be no number.
    """
    size = group_size(batch.trial)
    for places in (np.flatnonzero(batch.momentum_T == 0), np.flatnonzero(batch.momentum_T)):
        for start in range(0, len(places), size):
            yield places[start : start + size]


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep torch to one thread: where it would cut a tensor between threads depends on how many trainings there are.

    Sweeps run one worker per core anyway.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
