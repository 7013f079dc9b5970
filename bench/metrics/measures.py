"""What a training came to, as one number: none is missing, and what diverged or failed is as bad as can be.

Shapes: T trainings.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.metrics import columns as c
from bench.model.outcome import Result

Floats = NDArray[np.float64]

LOG_MSE, SOLVED = "log10 final_mse", c.SOLVED
MEASURES = (LOG_MSE, SOLVED)
SOLVED_SHARE = "solved_at / iterations"
LEAST_ERROR, WORST_ERROR = 1e-12, 1.0  # float64 gets below; a sigmoid's squared error does not get above
LOST = [str(Result.DIVERGED), str(Result.FAILED), str(Result.UNSUPPORTED)]


def measured(trainings: pd.DataFrame, measure: str) -> Floats:
    """Return one finite number per training ``[T]``.

    ``log10 final_mse``: diverged and failed trainings have the worst error there is, 1 (outputs are sigmoids), and
    errors below 1e-12 count as 1e-12. ``solved``: 1 or 0. ``solved_at / iterations``: the first iteration at which
    the training was solved as a share of its budget, 1 where it ended unsolved, diverged or failed.
    """
    if measure == SOLVED:
        return trainings[c.SOLVED].to_numpy(dtype=np.float64)
    if measure == SOLVED_SHARE:
        return np.asarray(np.minimum(first_solved(trainings) / trainings[c.ITERATIONS].to_numpy(dtype=np.float64), 1.0))
    if measure != LOG_MSE:
        raise ValueError(f"measure {measure!r} is not known; choose from {', '.join((*MEASURES, SOLVED_SHARE))}")
    errors = trainings[c.FINAL_MSE].to_numpy(dtype=np.float64, na_value=np.nan)
    lost = trainings[c.OUTCOME].isin(LOST).to_numpy() | ~np.isfinite(errors)
    clipped: Floats = np.clip(np.where(lost, WORST_ERROR, errors), LEAST_ERROR, WORST_ERROR)
    return np.asarray(np.log10(clipped))


def first_solved(trainings: pd.DataFrame) -> Floats:
    """Return the first iteration ``[T]`` at which a training was solved; infinite where it did not end so.

    One that was solved by its last update only has the number of iterations. The start counts as iteration 1, so
    that ratios are defined.
    """
    at = trainings[c.SOLVED_AT].to_numpy(dtype=np.float64, na_value=np.nan)
    at = np.where(np.isnan(at), trainings[c.ITERATIONS].to_numpy(dtype=np.float64), at)
    return np.where(trainings[c.SOLVED].to_numpy(dtype=bool), np.maximum(at, 1.0), np.inf)
