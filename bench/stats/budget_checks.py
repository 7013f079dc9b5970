"""Budget checks: how many of the trainings that looked stuck solve their gate with ten times the budget."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from bench.metrics import columns as c
from bench.stats.proportions import HIGH, LOW, RATE, exact_interval

CHECKED = "checked"
COLUMNS = [c.GATE, CHECKED, c.SOLVED, RATE, LOW, HIGH]


def budget_checks(trials: pd.DataFrame, checked: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return a row for each gate whose stuck trainings were trained on: how many, and the share that solves it.

    ``trials`` have their gates, by id. The trainings were drawn at random, so that the interval is exact.
    """
    table = pd.DataFrame(list(checked), columns=[c.TRIAL_ID, c.SEED, c.SOLVED])
    known = table[table[c.TRIAL_ID].isin(trials.index)]
    gates = known[c.TRIAL_ID].map(trials[c.GATE].astype(str))
    rows = []
    for gate, some in known.groupby(gates, sort=False):
        count, size = int(some[c.SOLVED].sum()), len(some)
        rows.append((str(gate), size, count, count / size, *map(float, exact_interval(count, size))))
    return pd.DataFrame(rows, columns=COLUMNS)
