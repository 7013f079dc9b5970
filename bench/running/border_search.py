"""Search for a border between fates on the line from one point of a map to another, as near as float64 can tell.

Shapes: T points on the line.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bench.model.maps import Map
from bench.model.outcome import Result, read_outcome
from bench.running.chunks import loaded_backend

Point = tuple[float, float]
POINTS = 64  # at a time: as many take about as long as one
MOST_STEPS = 12
COARSE = 4  # predictions that end as near as a quarter are one ending


def border_point(one: Map, start: Point, end: Point) -> Point:
    """Return a point on the line between two of different fates, beside which there is another fate.

    Each step trains points between the last of the first fate and the next one. A whole number on an axis, or
    another network for each of its values, has no points between: then it is the start.
    """
    if one.x.is_of_trial or one.y.is_of_trial:
        return start
    trial = replace(one.trial, dtype="float64")
    near, far = (np.array([one.x.share(x), one.y.share(y)]) for x, y in (start, end))
    for _ in range(MOST_STEPS):
        share_T2 = np.linspace(near, far, POINTS)
        x_T, y_T = one.x.values(share_T2[:, 0]), one.y.values(share_T2[:, 1])
        outcome = loaded_backend(trial.backend).train(one.batch_at(trial, x_T, y_T))
        fate_T = _fates(read_outcome(trial, outcome).result_T, outcome.predictions_TN)
        changed = np.flatnonzero(fate_T != fate_T[0])
        if not changed.size:
            break
        near, far = share_T2[changed[0] - 1], share_T2[changed[0]]
        start = float(x_T[changed[0] - 1]), float(y_T[changed[0] - 1])
        if (np.abs(far - near) <= np.spacing(np.abs(near) + 0.5)).all():
            break
    return start


def _fates(result_T: NDArray[np.str_], predictions_TN: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return a number for each different fate ``[T]``: its result, and what is said in the end where it is unsolved."""
    rough_TN = np.rint(COARSE * np.nan_to_num(predictions_TN))
    rough_TN[np.isin(result_T, [Result.SOLVED, Result.DIVERGED])] = 0
    rows = np.column_stack([np.unique(result_T, return_inverse=True)[1], rough_TN])
    return np.unique(rows, axis=0, return_inverse=True)[1].ravel()
