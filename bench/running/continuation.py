"""Trainings that go on: what an earlier sweep trained with a smaller budget is trained on from its final weights.

Shapes: T trainings, P weights and biases, A checkpoints of the whole budget that lie within the smaller one, C all.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bench.backends.base import Backend
from bench.metrics import columns as c
from bench.model.outcome import NEVER, Batch, Floats, Ints, Outcome
from bench.model.trial import Trial
from bench.store.tables import ArrowTable, seeds_of


@dataclass(frozen=True, eq=False)
class Start:
    """Where trainings go on: what was measured up to ``iterations``, and their weights then; seeds are ascending."""

    iterations: int
    seeds_T: Ints
    weights_TP: Floats
    loss_TA: Floats
    seconds_TA: Floats
    solved_at_T: Ints
    correct_at_T: Ints

    def of(self, seeds: Sequence[int]) -> "Start":
        """Return the start of some of the trainings, by their seeds."""
        places = np.searchsorted(self.seeds_T, seeds)
        arrays = {one.name: getattr(self, one.name)[places] for one in fields(self) if "_T" in one.name}
        return replace(self, **arrays)


def start_of(trial: Trial, shorter: Trial, table: ArrowTable) -> Start:
    """Return where trainings of a trial go on, from the rows of the one with the smaller budget, in order of seeds."""
    before_A = trial.checkpoints[trial.checkpoints < shorter.iterations]
    place_A = np.searchsorted(shorter.recorded_iterations, before_A)
    length_K = np.diff(np.append(shorter.recorded_iterations, shorter.iterations))
    return Start(
        shorter.iterations,
        seeds_of(table),
        _stacked(table, c.WEIGHTS),
        _stacked(table, c.CURVE)[:, place_A],
        np.add.reduceat(_stacked(table, c.CURVE_US) * length_K / 1e6, place_A, axis=1),
        *(table[name].fill_null(NEVER).to_numpy() for name in (c.SOLVED_AT, c.CORRECT_AT)),
    )


def _stacked(table: ArrowTable, name: str) -> NDArray[np.float64]:
    return np.stack(table[name].to_numpy())


def go_on(backend: Backend, trial: Trial, start: Start) -> Outcome:
    """Train on to a trial's whole budget, from checkpoint to checkpoint; the numbers are those of one go, bit for bit.

    A step of gradient descent without momentum depends on the weights alone.
    """
    checkpoints = trial.checkpoints
    marks = np.unique([start.iterations, *checkpoints[checkpoints > start.iterations], trial.iterations])
    loss_TC = np.empty((len(start.seeds_T), len(checkpoints)))
    seconds_TC = np.zeros_like(loss_TC)
    loss_TC[:, : start.loss_TA.shape[1]], seconds_TC[:, : start.loss_TA.shape[1]] = start.loss_TA, start.seconds_TA
    weights_TP, first = start.weights_TP, {"solved_at_T": start.solved_at_T, "correct_at_T": start.correct_at_T}
    compile_seconds = 0.0
    for begin, end in pairwise(marks.tolist()):
        leg = backend.train(Batch(replace(trial, iterations=end - begin, curve_points=1), weights_TP))
        place = int(np.searchsorted(checkpoints, begin, side="right")) - 1  # whose stretch this is, or goes on
        if checkpoints[place] == begin:
            loss_TC[:, place] = leg.loss_TC[:, 0]
        seconds_TC[:, place] += leg.seconds_TC.sum(axis=1)
        for name, at_T in first.items():
            leg_at_T = getattr(leg, name)
            first[name] = np.where((at_T == NEVER) & (leg_at_T != NEVER), begin + leg_at_T, at_T)
        weights_TP = leg.weights_TP
        compile_seconds += leg.compile_seconds
    return Outcome(
        loss_TC, leg.predictions_TN, weights_TP, first["solved_at_T"], first["correct_at_T"],
        np.full(len(loss_TC), trial.iterations), seconds_TC, leg.together, compile_seconds,
    )  # fmt: skip
