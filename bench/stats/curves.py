"""Training curves: quantiles over seeds, and where a curve does its falling.

Shapes: T trainings, K recorded iterations, Q quantiles.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.metrics import columns as c
from bench.model.outcome import Result
from bench.model.trial import recorded_iterations

ITERATION, CURVES = "iteration", "n"
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def curve_matrix(trainings: pd.DataFrame, column: str = c.CURVE) -> NDArray[np.float64]:
    """Return the curves ``[T, K]`` of one trial's trainings that have one.

    The loss of a diverged training is infinite, and that of one that stopped early stays what it was.
    """
    rows = trainings.loc[trainings[column].notna(), [c.OUTCOME, c.FINAL_LOSS, column]]
    if rows.empty:
        return np.empty((0, 0))
    curves = np.stack(rows[column].to_list())
    if column != c.CURVE:
        return curves
    diverged = (rows[c.OUTCOME] == Result.DIVERGED).to_numpy()
    last = np.where(diverged, np.inf, rows[c.FINAL_LOSS].to_numpy(dtype=np.float64))
    return np.where(np.isnan(curves), last[:, None], curves)


def curve_quantiles(
    trainings: pd.DataFrame, column: str = c.CURVE, quantiles: Sequence[float] = QUANTILES
) -> pd.DataFrame:
    """Return quantiles of the curves of one trial over its seeds: a row per recorded iteration, a column per quantile.

    A diverged training counts as infinitely bad from where it diverged; one that stopped early keeps its last loss,
    and has no time per iteration from there on.
    """
    curves = curve_matrix(trainings, column)
    if not curves.size:
        return pd.DataFrame(columns=[ITERATION, *quantiles])
    table = pd.DataFrame(inverted_cdf(curves, quantiles).T, columns=list(quantiles))
    table.insert(0, ITERATION, recorded(trainings))
    return table


def inverted_cdf(values_TK: NDArray[np.float64], quantiles: Sequence[float] = QUANTILES) -> NDArray[np.float64]:
    """Return quantiles ``[Q, K]`` of each column, each a value that occurs (Hyndman & Fan 1996, definition 1).

    Exactly the numbers of ``numpy.nanquantile(..., method="inverted_cdf")``, from one sort: what is missing is not
    counted, and a column without values has missing quantiles.
    """
    values_KT = np.sort(values_TK.T, axis=1)  # along the memory, what is missing last
    counted_K = values_KT.shape[1] - np.isnan(values_KT).sum(axis=1)
    place_QK = np.ceil(np.outer(quantiles, counted_K) - 1).astype(np.int64)
    found_QK: NDArray[np.float64] = values_KT[np.arange(len(values_KT)), place_QK.clip(min=0)]
    return found_QK


def recorded(trainings: pd.DataFrame) -> NDArray[np.int64]:
    """Return the recorded iterations ``[K]`` of one trial's trainings."""
    first = trainings.iloc[0]
    return recorded_iterations(int(first[c.ITERATIONS]), int(first[c.CURVE_POINTS]))


def halfway_iterations(
    curves_TK: NDArray[np.float64], iterations_K: NDArray[np.int64], final_T: NDArray[np.float64], done_T: Any
) -> NDArray[np.float64]:
    """Return the first recorded iteration ``[T]`` at which a loss has done half of its fall; infinite if it never fell.

    ``done_T`` is where the training ended: a fall between two recorded iterations is noticed at the next.
    """
    if not curves_TK.shape[1]:
        return np.full(len(curves_TK), np.inf)
    first_T = curves_TK[:, 0]
    with np.errstate(invalid="ignore", over="ignore"):
        below_TK = curves_TK <= ((first_T + final_T) / 2)[:, None]
    there_T = np.where(below_TK.any(axis=1), iterations_K[below_TK.argmax(axis=1)], done_T)
    return np.where(np.isfinite(final_T) & (first_T > final_T), there_T, np.inf)
