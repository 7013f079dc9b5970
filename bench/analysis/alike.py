"""Trials that may be compared by seed: alike but for one parameter, which leaves the initial weights alone.

Shapes: T trainings, C trials, V of them that are alike, S their seeds, P pairs of them or parameters of trials.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from inspect import signature
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.analysis.levels import begun, codes, levels, places_of, trials
from bench.analysis.measures import first_solved
from bench.problem.initial import initial_weights
from bench.problem.network import Network
from bench.problem.trial import Trial
from bench.tracking import columns as c

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

# what the initial weights are drawn by: a seed says the same of two trials only where all of these are equal
DRAWN_BY = {c.GATE, *signature(initial_weights).parameters, *(field.name for field in fields(Network))}
COMPARABLE = tuple(name for name in c.PARAMETERS if name not in DRAWN_BY)
FEW = 4  # values: each is compared with each; of more, each with a reference


@dataclass(frozen=True, eq=False)
class Alike:
    """Trials that are alike but for one parameter: ids, levels and context, and what their trainings came to.

    ``first_VS`` is the first iteration at which a training was solved, infinite where it was not; ``begun_VS`` says
    which there are. Seeds are places among all of the frame's. ``one_P`` and ``other_P`` are the trials to compare.
    """

    parameter: str
    ids: list[str]
    levels: list[Any]
    context: dict[str, Any]
    seeds_S: Ints
    begun_VS: Flags
    first_VS: Floats
    one_P: Ints
    other_P: Ints


def alike_trials(trainings: pd.DataFrame, names: Sequence[str]) -> Iterator[Alike]:
    """Yield all trials that may be compared by seed, in an order that does not depend on that of the rows."""
    started = begun(trainings)
    every = [name for name in c.PARAMETERS if name in started]
    table = trials(started, [*names, *(name for name in every if name not in names)])
    codes_CP = codes(table, every)
    rows = _rows_by_trial(started, table)
    varying = [name for place, name in enumerate(every) if len(table) and np.ptp(codes_CP[:, place])]
    for name in (name for name in names if name in COMPARABLE and name in varying):
        own_C, rest_CP = codes_CP[:, every.index(name)], np.delete(codes_CP, every.index(name), axis=1)
        _, group_C = np.unique(rest_CP, axis=0, return_inverse=True)
        reference = _reference(table, name)
        for group in dict.fromkeys(group_C.ravel().tolist()):  # in the table's order
            places = np.flatnonzero(group_C.ravel() == group)
            places = places[np.argsort(own_C[places])]
            # twins are tables of one name whose contents differ: what would be compared with what is not known
            if len(places) > 1 and len(np.unique(own_C[places])) == len(places):
                one_P, other_P = _pairs(own_C[places], reference, many=own_C.max() >= FEW)
                yield _read(table.iloc[places], name, varying, [rows[place] for place in places], one_P, other_P)


def _reference(table: pd.DataFrame, name: str) -> int:
    """Return the code of the parameter's default, or of the first value."""
    values = levels(table, name)
    default = Trial().parameters[name]
    return values.index(default) if default in values else 0


def _pairs(codes_V: Ints, reference: int, *, many: bool) -> tuple[Ints, Ints]:
    """Return the places of the trials to compare: each with each, or each with the reference where values are many."""
    if not many:
        one_P, other_P = np.array(list(combinations(range(len(codes_V)), 2))).T
        return one_P, other_P
    place = int(np.argmax(codes_V == reference))  # the first where it is not among them
    one_P = np.delete(np.arange(len(codes_V)), place)
    return one_P, np.full(len(one_P), place)


def _rows_by_trial(started: pd.DataFrame, table: pd.DataFrame) -> list[tuple[Ints, Floats]]:
    """Return of each trial its seeds, ascending, as places among all, and when each was solved."""
    _, seed_T = np.unique(started[c.SEED].to_numpy(), return_inverse=True)
    trial_T = places_of(started, table)
    order = np.lexsort([seed_T, trial_T])
    ends = np.searchsorted(trial_T[order], np.arange(1, len(table)))
    return list(zip(np.split(seed_T[order], ends), np.split(first_solved(started)[order], ends), strict=True))


def _read(
    table: pd.DataFrame,
    name: str,
    varying: Sequence[str],
    rows: Sequence[tuple[Ints, Floats]],
    one_P: Ints,
    other_P: Ints,
) -> Alike:
    seeds_S = np.unique(np.concatenate([seeds for seeds, _ in rows]))
    begun_VS = np.zeros((len(rows), len(seeds_S)), dtype=bool)
    first_VS = np.full(begun_VS.shape, np.inf)
    for place, (seeds, first) in enumerate(rows):
        at = np.searchsorted(seeds_S, seeds)
        begun_VS[place, at], first_VS[place, at] = True, first
    context = {other: _plain(table[other].iloc[0]) for other in varying if other != name}
    values = [_plain(value) for value in table[name]]
    return Alike(name, table[c.TRIAL_ID].to_list(), values, context, seeds_S, begun_VS, first_VS, one_P, other_P)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
