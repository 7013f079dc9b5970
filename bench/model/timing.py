"""Timings of trainings that ran side by side, with nothing else on the machine.

Shapes: T trainings, C checkpoints, K recorded iterations.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.model.outcome import Floats, Ints, Outcome
from bench.model.trial import Trial

WARM_UP = 0  # the round before the first: kept, and in no figure


@dataclass(frozen=True)
class Timing:
    """One trial, the seeds that are trained as one batch, and the number of rounds in which they are."""

    trial: Trial
    seeds: Sequence[int]
    rounds: int


@dataclass(frozen=True, eq=False)
class Sample:
    """Times that one timing took in one round.

    ``iteration_us`` is the latency by the backend's own clock: microseconds for the whole batch to advance by one
    iteration; ``chunk_us_K`` is the same from each recorded iteration to the next. ``wall_s`` is the whole call as its
    caller saw it, and ``cpu_s`` what the process worked meanwhile. ``training_us`` is the wall time but for compiling,
    per iteration and training: what the caller waited for, whatever a backend's clock leaves out. Its inverse is the
    throughput.
    """

    timing: Timing
    round: int
    order: int  # the place among the round's timings
    threads: int
    iteration_us: float
    training_us: float
    chunk_us_K: Floats
    compile_s: float
    wall_s: float
    cpu_s: float  # less than wall_s: the core did something else


@dataclass(frozen=True)
class ColdStart:
    """Times of a backend in a fresh process before its second training, or the reason why there are none."""

    backend: str
    import_s: float | None = None
    first_s: float | None = None  # the first training of a few iterations, compiling not included
    compile_s: float | None = None
    reason: str | None = None


def read_sample(
    timing: Timing,
    trial: Trial,
    outcome: Outcome,
    *,
    number: int,
    order: int,
    threads: int,
    wall_s: float,
    cpu_s: float,
) -> Sample:
    """Return the sample of an outcome; ``trial`` is what was trained, shorter than the timing's in a warm-up.

    Where trainings stop early, the batch counts as advanced by the mean of what they did; where none was begun,
    because all were solved at the start, there is no time.
    """
    seconds_TK, done_TK = stretches(trial, outcome)
    size, done = len(timing.seeds), int(done_TK.sum())
    done_K = done_TK.sum(axis=0)
    chunk_us_K = np.full(len(done_K), np.nan)
    np.divide(seconds_TK.sum(axis=0) * 1e6 * size, done_K, out=chunk_us_K, where=done_K > 0)
    return Sample(
        timing=timing,
        round=number,
        order=order,
        threads=threads,
        iteration_us=float(seconds_TK.sum()) * size / done * 1e6 if done else math.nan,
        training_us=(wall_s - outcome.compile_seconds) / done * 1e6 if done else math.nan,
        chunk_us_K=chunk_us_K,
        compile_s=outcome.compile_seconds,
        wall_s=wall_s,
        cpu_s=cpu_s,
    )


def stretches(trial: Trial, outcome: Outcome) -> tuple[Floats, Ints]:
    """Return the seconds ``[T, K]`` from each recorded iteration to the next, and the iterations done in them."""
    recorded = np.searchsorted(trial.checkpoints, trial.recorded_iterations)
    starts = trial.recorded_iterations
    ends = np.append(starts[1:], trial.iterations)
    done_TK = np.clip(outcome.iterations_T[:, None], starts, ends) - starts
    return np.add.reduceat(outcome.seconds_TC, recorded, axis=1), done_TK
