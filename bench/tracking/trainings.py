"""The trainings of a sweep as a frame: results from the shards, parameters from the plan.

Shapes: T trainings.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from bench.experiment.seeds import read_seeds
from bench.problem.outcome import Result
from bench.problem.trial import Trial
from bench.tracking import columns as c
from bench.tracking.rows import frame, schema

Places = NDArray[np.int64]
SEED_BITS = 32  # a seed has no more


def last_seeds(plan: Mapping[str, Any], first: int) -> dict[str, int]:
    """Return for every trial the last of its first so many seeds."""
    seeds = {trial[c.TRIAL_ID]: read_seeds(trial["seeds"]) for trial in plan["trials"]}
    return {trial_id: planned[min(first, len(planned)) - 1] if first else -1 for trial_id, planned in seeds.items()}


def read_columns(columns: Sequence[str] | None) -> list[str]:
    """Return which columns must be read from the shards for these to be in the frame: parameters are in the plan."""
    wanted = schema().names if columns is None else [c.TRIAL_ID, c.SEED, *columns]
    return [name for name in dict.fromkeys(wanted) if name not in c.PARAMETERS]


def trainings_frame(tables: Sequence[pa.Table], plan: Mapping[str, Any], columns: Sequence[str] | None) -> pd.DataFrame:
    """Return each planned training once, in the plan's order and by seed, whatever the order they were written in.

    Trial ids, outcomes and what else is text are categorical, each with all of the plan's values (the outcomes: all
    that there are); ``hidden`` is a whole number unless a trial has several hidden layers.
    """
    wanted = schema().names if columns is None else list(dict.fromkeys([c.TRIAL_ID, c.SEED, *columns]))
    empty = pa.schema([schema().field(name) for name in read_columns(columns)]).empty_table()
    table = pa.concat_tables([empty, *tables])
    trials = plan["trials"]
    place_T = _places(table[c.TRIAL_ID], [trial[c.TRIAL_ID] for trial in trials])
    order = _order(place_T, table[c.SEED].to_numpy())
    data, place_T = _results(table, order), place_T[order]
    found: dict[str, Any] = {str(name): data[name] for name in data}
    found[c.TRIAL_ID] = _categorical([trial[c.TRIAL_ID] for trial in trials], place_T)
    found |= {
        name: _parameter(name, [trial["parameters"][name] for trial in trials], place_T)
        for name in wanted
        if name in c.PARAMETERS
    }
    found[c.TARGETS] = _targets(plan, place_T)
    return pd.DataFrame({name: found[name] for name in (*wanted, c.TARGETS)}, index=data.index)


def _places(names: pa.ChunkedArray, known: Sequence[str]) -> Places:
    """Return where each name is among the known ones ``[T]``; -1 where it is not."""
    places = pc.fill_null(pc.index_in(names, value_set=pa.array(known, pa.string())), fill_value=-1)
    return np.asarray(places.to_numpy(), dtype=np.int64)


def _order(place_T: Places, seed_T: Places) -> Places | slice:
    """Return the order of the planned trainings, the first row of each; a slice if they all are in order already."""
    key_T = (place_T << SEED_BITS) | seed_T
    if not len(key_T) or (place_T[0] >= 0 and (np.diff(key_T) > 0).all()):
        return slice(None)
    order = np.argsort(key_T, kind="stable")
    key_T = key_T[order]
    first: Places = order[(key_T >= 0) & np.append(True, np.diff(key_T) > 0)]
    return first


def _results(table: pa.Table, order: Places | slice) -> pd.DataFrame:
    """Return what the rows say, in order; outcomes by their places among all that there are."""
    outcome_T = _places(table[c.OUTCOME], list(Result))[order] if c.OUTCOME in table.column_names else None
    rest = [name for name in table.column_names if name not in (c.TRIAL_ID, c.OUTCOME)]
    data = frame(table, rest).iloc[order].reset_index(drop=True)
    if outcome_T is not None:
        data[c.OUTCOME] = _categorical([str(result) for result in Result], outcome_T)
    return data


def _categorical(values: Sequence[str], place_T: Places) -> Any:
    """Return the value of every training, each distinct value kept once."""
    kinds = list(dict.fromkeys(values))
    codes = np.array([kinds.index(value) for value in values], dtype=np.int64)
    return pd.Categorical.from_codes(codes[place_T], categories=pd.Index(kinds))


def _parameter(name: str, values: Sequence[Any], place_T: Places) -> Any:
    if name == c.HIDDEN and all(value.isdigit() for value in values):
        return np.array(values, dtype=np.int64)[place_T]
    kind = type(Trial().parameters[name])
    return _categorical(values, place_T) if kind is str else np.array(values, dtype=kind)[place_T]


def _targets(plan: Mapping[str, Any], place_T: Places) -> NDArray[np.object_]:
    """Return the targets of every training; those of one gate are one array."""
    of_gate = {digest: np.array(gate["targets"]) for digest, gate in plan["gates"].items()}
    targets = np.empty(len(plan["trials"]), dtype=object)
    targets[:] = [of_gate[trial["table"]] for trial in plan["trials"]]
    return targets[place_T]
