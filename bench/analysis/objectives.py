"""What a search goes by: one number for all trainings of a trial, failures counting as worst and none missing.

Shapes: T trainings.
"""

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import wilcoxon

from bench.analysis.measures import LOG_MSE, SOLVED, measured
from bench.experiment.search import objective as o
from bench.tracking import columns as c

Floats = NDArray[np.float64]
DOUBT = 0.1  # the probability under which a trial is taken to be worse: the default of Optuna's WilcoxonPruner


def objective(trainings: pd.DataFrame, name: str) -> float:
    """Return what the trainings of one trial come to; raise KeyError for a measure that is not known.

    ``rmst``: the mean of min(time to solution, budget) in iterations, restricted at the budget (Royston & Parmar
    2013). ``solved_rate``: the share that is solved. ``median_solved_at``: when half of all had solved, in iterations;
    the budget where fewer did. ``median_mse``: the median final error, 1 where it diverged or failed. ``parameters``:
    weights and biases. ``train_seconds``: the mean time of a training, of one core; infinite where none was timed.
    """
    return _OBJECTIVES[name](trainings)


def per_training(trainings: pd.DataFrame, name: str) -> Floats | None:
    """Return what each training adds to an objective ``[T]``, the higher the worse; None where they do not differ."""
    if name in o.CENSORED:
        return _times(trainings)
    if name == o.SOLVED_RATE:
        return 1.0 - measured(trainings, SOLVED)
    return measured(trainings, LOG_MSE) if name == o.MEDIAN_MSE else None


def is_worse(trainings: pd.DataFrame, best: pd.DataFrame, name: str) -> bool:
    """Return whether a trial is worse than the best by the seeds that both have: Wilcoxon's signed-rank test.

    One-sided at 10 %, zeros split (Wilcoxon 1945), and its mean is worse, as in Optuna's WilcoxonPruner.
    """
    common = np.intersect1d(trainings[c.SEED], best[c.SEED])
    own, other = (per_training(rows[rows[c.SEED].isin(common)].sort_values(c.SEED), name) for rows in (trainings, best))
    if own is None or other is None or own.mean() <= other.mean():
        return False
    return bool(wilcoxon(own, other, zero_method="zsplit", alternative="greater").pvalue < DOUBT)


def _times(trainings: pd.DataFrame) -> Floats:
    """Return min(time to solution, budget) ``[T]`` in iterations, of what is solved at the end; else the budget."""
    budget = trainings[c.ITERATIONS].to_numpy(dtype=np.float64)
    at = trainings[c.SOLVED_AT].to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(trainings[c.SOLVED].to_numpy(dtype=bool), np.fmin(at, budget), budget)


def _median_time(trainings: pd.DataFrame) -> float:
    return float(np.sort(_times(trainings))[(len(trainings) + 1) // 2 - 1])


def _median_error(trainings: pd.DataFrame) -> float:
    return float(10 ** np.median(measured(trainings, LOG_MSE)))


def _seconds(trainings: pd.DataFrame) -> float:
    each = trainings[c.ITERATION_US].astype(float) * trainings[c.ITERATIONS_DONE].astype(float) / 1e6
    timed = each[np.isfinite(each)]
    return math.fsum(timed) / len(timed) if len(timed) else math.inf  # fsum: the order of rows does not matter


_OBJECTIVES: dict[str, Callable[[pd.DataFrame], float]] = {
    o.RMST: lambda trainings: float(_times(trainings).mean()),
    o.SOLVED_RATE: lambda trainings: float(measured(trainings, SOLVED).mean()),
    o.MEDIAN_SOLVED_AT: _median_time,
    o.MEDIAN_MSE: _median_error,
    o.PARAMETER_COUNT: lambda trainings: float(trainings[c.WEIGHTS_COUNT].iloc[0]),
    o.TRAIN_SECONDS: _seconds,
}
