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

Ints = NDArray[np.int64]


def trials(trainings: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return a row per trial with its id and these parameters as plain values, sorted by them in the names' order."""
    columns = list(dict.fromkeys([c.TRIAL_ID, *names]))
    table = trainings.drop_duplicates(c.TRIAL_ID)[columns].astype(object)
    ids = [str(one) for one in table[c.TRIAL_ID]]
    order = np.lexsort([ids, *codes(table, names).T[::-1]])
    return table.iloc[order].reset_index(drop=True)


def places_of(trainings: pd.DataFrame, table: pd.DataFrame) -> Ints:
    """Return for each training the place ``[T]`` of its trial in the table."""
    places = {name: place for place, name in enumerate(table[c.TRIAL_ID])}
    return trainings[c.TRIAL_ID].map(places).to_numpy(dtype=np.int64)


def levels(table: pd.DataFrame, name: str) -> list[Any]:
    """Return a parameter's distinct values: numbers and words ascending, hidden layers by how many and how large."""
    values = {value.item() if isinstance(value, np.generic) else value for value in table[name].unique()}
    return sorted(values, key=_hidden_size if name == c.HIDDEN else None)


def codes(table: pd.DataFrame, names: Sequence[str]) -> Ints:
    """Return the place of each trial's value among the parameter's levels, ``[C, P]``."""
    found = np.empty((len(table), len(names)), dtype=np.int64)
    for column, name in enumerate(names):
        places = {value: place for place, value in enumerate(levels(table, name))}
        found[:, column] = [places[value] for value in table[name]]
    return found


def _hidden_size(value: object) -> tuple[int, tuple[int, ...]]:
    sizes = read_hidden(value)
    return len(sizes), sizes
