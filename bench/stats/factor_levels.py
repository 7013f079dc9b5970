"""Factors and levels of trials, in an order of their own: that in which trainings arrive never matters.

Shapes: T trainings, C trials (configurations), P parameters.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.metrics import columns as c
from bench.model.network import read_hidden
from bench.model.parameter_fields import Role
from bench.model.trial import Trial

Ints = NDArray[np.int64]

# what the initial weights are drawn by: a seed says the same of two trials only where all of these are equal
DRAWN_BY = Trial.names(Role.TASK, Role.INITIALIZATION)


def trials(trainings: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return a row per trial with its id and these parameters as plain values, sorted by them in the names' order."""
    columns = list(dict.fromkeys([c.TRIAL_ID, *names]))
    table = trainings.drop_duplicates(c.TRIAL_ID)[columns].astype(object)
    order = np.lexsort([table[c.TRIAL_ID].astype(str), *codes(table, names).T[::-1]])
    return table.iloc[order].reset_index(drop=True)


def start_classes(trainings: pd.DataFrame, table: pd.DataFrame) -> Ints:
    """Return for each trial of the table a class ``[C]``: within one a seed draws the same initial weights."""
    drawn_by = [name for name in DRAWN_BY if name in trainings]
    classes = trainings.drop_duplicates(c.TRIAL_ID).groupby(drawn_by, sort=False, observed=True, dropna=False).ngroup()
    by_trial = dict(zip(trainings.drop_duplicates(c.TRIAL_ID)[c.TRIAL_ID], classes, strict=True))
    _, class_C = np.unique([by_trial[name] for name in table[c.TRIAL_ID]], return_inverse=True)
    return class_C


def places_of(trainings: pd.DataFrame, table: pd.DataFrame) -> Ints:
    """Return for each training the place ``[T]`` of its trial in the table."""
    places = {trial_id: place for place, trial_id in enumerate(table[c.TRIAL_ID])}
    return trainings[c.TRIAL_ID].map(places).to_numpy(dtype=np.int64)


def levels(table: pd.DataFrame, name: str) -> list[Any]:
    """Return a parameter's distinct values: numbers and words ascending, hidden layers by how many and how large."""
    return sorted(table[name].unique(), key=_hidden_size if name == c.HIDDEN else None)


def codes(table: pd.DataFrame, names: Sequence[str]) -> Ints:
    """Return the place of each trial's value among the parameter's levels, ``[C, P]``."""
    places = [{value: place for place, value in enumerate(levels(table, name))} for name in names]
    columns = [[place[value] for value in table[name]] for name, place in zip(names, places, strict=True)]
    return np.array(columns, dtype=np.int64).reshape(len(names), len(table)).T


def _hidden_size(value: object) -> tuple[int, tuple[int, ...]]:
    sizes = read_hidden(value)
    return len(sizes), sizes
