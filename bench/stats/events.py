"""Numbers and events of trainings, as claims name them: which trainings have an event, and shares of them in words."""

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
RARELY = 0.005  # a smaller share is one in so many
NO_DIGITS = 0.001  # of a smaller one, percent with one digit have none that counts


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


def percent(share: float, low: float, high: float) -> str:
    """Return a share in words, with its interval; a rare one as one in so many."""
    if 0 < share < RARELY:
        most = f"{1 / low:,.0f}" if low > 0 else "…"
        return f"1 in {1 / share:,.0f} [{1 / high:,.0f}, {most}]"
    return f"{bare_percent(share)} [{bare_percent(low)}, {bare_percent(high)}]"


def bare_percent(share: float) -> str:
    """Return a share in words; of a rare one, two digits that count."""
    return f"{100 * share:.2g}%" if 0 < share < NO_DIGITS else f"{share:.1%}"
