"""Search for a border between fates on the line from one point of a map to another, as near as float64 can tell.

Shapes: T points on the line.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bench.model.maps import Map
from bench.model.outcome import read_outcome
from bench.running.chunks import loaded_backend

Point = tuple[float, float]
Belongs = Callable[[NDArray[np.str_], NDArray[np.float64]], NDArray[np.bool_]]  # by results [T], predictions [T, N]
POINTS = 64  # at a time: as many take about as long as one
MOST_STEPS = 12


def border_point(one: Map, start: Point, end: Point, belongs: Belongs) -> Point:
    """Return a point on the line between two of which one ``belongs``, beside which there is one of the other kind.

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
        own_T = belongs(read_outcome(trial, outcome).result_T, outcome.predictions_TN)
        changed = np.flatnonzero(own_T != own_T[0])
        if not changed.size:
            break
        near, far = share_T2[changed[0] - 1], share_T2[changed[0]]
        start = float(x_T[changed[0] - 1]), float(y_T[changed[0] - 1])
        if (np.abs(far - near) <= np.spacing(np.abs(near) + 0.5)).all():
            break
    return start
