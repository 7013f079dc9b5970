"""A population of trainings, large enough to know the truth: 100,000 seeds of each of 72 ways to train XOR.

Solved rates go from 0.4 to 100 %. Samples are drawn from it with replacement, whole seeds at a time, since trials share
them; and each statistic is asked for its interval as the page asks for it.

Shapes: C trials, S seeds of the population, R samples, N seeds of a sample.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.backends import load
from bench.metrics import columns as c
from bench.model.outcome import NEVER, Batch
from bench.model.trial import Trial

SEEDS = 100_000
ITERATIONS = 1_000
GRID: dict[str, tuple[Any, ...]] = {
    "activation": ("sigmoid", "tanh", "relu"),
    c.LOSS: ("mse", "bce", "l1"),
    c.HIDDEN: (2, 3, 4, 8),
    "learning_rate": (2.0, 8.0),
}
TRIALS = [
    Trial(gate="xor", iterations=ITERATIONS, curve_points=2, stop="solved", **dict(zip(GRID, values, strict=True)))
    for values in product(*GRID.values())
]
AT_ONCE = 20_000


def population(folder: Path) -> NDArray[np.float64]:
    """Return when each training is solved, ``[C, S]``, infinite where it is not: a minute's work, kept in a folder."""
    path = folder / "population.npy"
    if not path.exists():
        with ThreadPoolExecutor() as pool:
            np.save(path, np.stack(list(pool.map(lambda trial: population_of(trial, range(SEEDS)), TRIALS))))
    return np.load(path)


def population_of(trial: Trial, seeds: range) -> NDArray[np.float64]:
    """Return when a trial is solved with each of these seeds ``[S]``, infinite where it is not."""
    backend, parts = load("numba"), []
    for start in range(0, len(seeds), AT_ONCE):
        outcome = backend.train(Batch.of(trial, seeds[start : start + AT_ONCE]))
        solved = outcome.reading(trial).solved_T & (outcome.solved_at_T != NEVER)
        parts.append(np.where(solved, outcome.solved_at_T.astype(np.float64), np.inf))
    return np.concatenate(parts)


def samples(sizes: tuple[int, ...], repeats: int) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Yield for each size the seeds ``[R, N]`` of as many samples as are asked for."""
    for size in sizes:
        yield size, np.random.default_rng([1, size]).integers(SEEDS, size=(repeats, size))


def sampled(time_RN: NDArray[np.float64], trial: Trial) -> pd.DataFrame:
    """Return samples of a trial's trainings as a store has them, each as a trial of its own."""
    repeats, size = time_RN.shape
    solved = np.isfinite(time_RN).ravel()
    return pd.DataFrame(
        {
            c.TRIAL_ID: np.repeat(np.arange(repeats).astype(str), size),
            c.SEED: np.tile(np.arange(size), repeats),
            c.OUTCOME: np.where(solved, "solved", "stuck"),
            c.SOLVED: solved,
            c.SOLVED_AT: np.where(solved, time_RN.ravel(), np.nan),
            c.ITERATIONS: trial.iterations,
            c.ITERATION_US: np.nan,
        }
    )
