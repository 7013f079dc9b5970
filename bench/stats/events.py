"""Numbers and events of trainings, as claims name them: and which trainings have an event."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from bench.metrics import columns as c
from bench.metrics.measures import lost, measured
from bench.stats.curves import halfway_iterations, recorded
from bench.stats.final_patterns import WRONG, where_they_end

HALFWAY_AT = "halfway_at"


def measure(trainings: pd.DataFrame, name: str) -> pd.Series:
    """Return one number per training, as `measured` has it; or ``wrong``, or ``halfway_at``.

    These are infinite where it diverged or failed, too; ``halfway_at`` is missing where the curve was not kept,
    and diagnostics where nobody asked for them.
    """
    if name in c.DIAGNOSTICS:
        return trainings[name].astype(float) if name in trainings else pd.Series(math.nan, index=trainings.index)
    if name not in (HALFWAY_AT, WRONG):
        return pd.Series(measured(trainings, name), index=trainings.index)
    values = _halfway(trainings) if name == HALFWAY_AT else where_they_end(trainings)[WRONG].astype(float)
    return values.where(~lost(trainings), math.inf)


def _halfway(trainings: pd.DataFrame) -> pd.Series:
    """Return when each loss had done half of its fall; NaN where the curve was not kept, which says nothing."""
    values = pd.Series(math.nan, index=trainings.index)
    for _, rows in trainings[trainings[c.CURVE].notna()].groupby(c.TRIAL_ID, observed=True):
        final, done = (rows[name].to_numpy(dtype=np.float64) for name in (c.FINAL_LOSS, c.ITERATIONS_DONE))
        values[rows.index] = halfway_iterations(np.stack(rows[c.CURVE].to_list()), recorded(rows), final, done)
    return values


def has_event(event: Mapping[Any, Any], trainings: pd.DataFrame) -> pd.Series:
    """Return which trainings have every property that the event names."""
    known = pd.concat([trainings, where_they_end(trainings)], axis=1)
    happened = pd.Series(True, index=trainings.index)
    for name, value in event.items():
        if isinstance(value, dict):
            ((side, bound),) = value.items()
            values = measure(trainings, name)
            happened &= values > bound if side == "above" else values < bound
        else:
            happened &= known[name].isin(value if isinstance(value, list) else [value])
    return happened
