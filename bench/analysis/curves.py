"""Training curves: quantiles over seeds, and where a curve does its falling.

Shapes: T trainings, K recorded iterations.
"""

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.problem.outcome import Result
from bench.problem.trial import recorded_iterations
from bench.tracking import columns as c

ITERATION = "iteration"
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def curve_matrix(trainings: pd.DataFrame, column: str = c.CURVE) -> NDArray[np.float64]:
    """Return the curves ``[T, K]`` of one trial's trainings that have one.

    The loss of a diverged training is infinite, and that of one that stopped early stays what it was.
    """
    kept = trainings.dropna(subset=[column])
    if kept.empty:
        return np.empty((0, 0))
    curves = np.stack(kept[column].to_list())
    diverged = (kept[c.OUTCOME] == Result.DIVERGED).to_numpy()
    if column == c.CURVE:
        last = np.where(diverged, np.inf, kept[c.FINAL_LOSS].to_numpy(dtype=np.float64))
        return np.where(np.isnan(curves), last[:, None], curves)
    return curves


def curve_quantiles(
    trainings: pd.DataFrame, column: str = c.CURVE, quantiles: Sequence[float] = QUANTILES
) -> pd.DataFrame:
    """Return quantiles over the seeds of one trial: a row per recorded iteration, a column per quantile.

    A diverged training counts as infinitely bad from where it diverged; one that stopped early keeps its last loss,
    and has no time per iteration from there on.
    """
    curves = curve_matrix(trainings, column)
    if not curves.size:
        return pd.DataFrame(columns=[ITERATION, *quantiles])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # columns after every training has stopped are all NaN
        values = np.nanquantile(curves, quantiles, axis=0, method="inverted_cdf")
    table = pd.DataFrame(values.T, columns=list(quantiles))
    table.insert(0, ITERATION, recorded(trainings))
    return table


def recorded(trainings: pd.DataFrame) -> NDArray[np.int64]:
    """Return the recorded iterations ``[K]`` of one trial's trainings."""
    first = trainings.iloc[0]
    return recorded_iterations(int(first[c.ITERATIONS]), int(first[c.CURVE_POINTS]))


def halfway_iteration(curve: NDArray[np.float64], iterations: NDArray[np.int64], final_loss: float, done: int) -> float:
    """Return the first recorded iteration at which a loss has done half of its fall; infinite if it never fell.

    ``done`` is where the training ended: a fall between two recorded iterations is noticed at the next.
    """
    if not (np.isfinite(final_loss) and len(curve) and curve[0] > final_loss):
        return float("inf")
    below = np.flatnonzero(curve <= (curve[0] + final_loss) / 2)
    return float(iterations[below[0]]) if below.size else float(done)
