"""Reader of sweeps: the list of them, what was planned, and one row per training.

Shapes: T trainings.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from numpy.typing import NDArray

from bench.config.plan import Plan
from bench.errors import RequestError
from bench.metrics import columns as c
from bench.model.maps import Map, MapPoints
from bench.model.outcome import Result
from bench.model.trial import Trial
from bench.store import names
from bench.store.listing import SweepInfo
from bench.store.map_points import read_points
from bench.store.mlflow_store import Store
from bench.store.shards import Places, in_order, order, places, read_shards, read_tables
from bench.store.tables import TIMING_SCHEMA, frame, timing_frame, training_schema


def last_seeds(plan: Plan, first: int) -> dict[str, int]:
    """Return for every trial the last of its first so many seeds."""
    seeds = {planned.trial.trial_id: planned.seeds for planned in plan.trials}
    return {trial_id: planned[min(first, len(planned)) - 1] if first else -1 for trial_id, planned in seeds.items()}


def read_columns(columns: Sequence[str] | None, plan: Plan) -> list[str]:
    """Return the columns that must be read from the shards for a frame of these: parameters are in the plan."""
    wanted = training_schema(plan.parameters).names if columns is None else [c.TRIAL_ID, c.SEED, *columns]
    return [name for name in dict.fromkeys(wanted) if name not in c.PARAMETERS]


def trainings_frame(tables: Sequence[pa.Table], plan: Plan, columns: Sequence[str] | None) -> pd.DataFrame:
    """Return each planned training once, in the plan's order and by seed, whatever the order they were written in.

    Trial ids, outcomes and what else is text are categorical, each with all of the plan's values (the outcomes: all
    that there are); ``hidden`` is a whole number unless a trial has several hidden layers.
    """
    every = training_schema(plan.parameters)
    wanted = every.names if columns is None else list(dict.fromkeys([c.TRIAL_ID, c.SEED, *columns]))
    if columns is None:
        wanted += [name for name in plan.parameters if name not in wanted]
    wanted += [name for name in c.SCALE if name in plan.parameters and name not in wanted]
    empty = pa.schema([every.field(name) for name in read_columns(columns, plan)]).empty_table()
    table = pa.concat_tables([empty, *tables], promote_options="default")
    trials = [planned.trial for planned in plan.trials]
    place_T = places(table[c.TRIAL_ID], [trial.trial_id for trial in trials])
    ordered = order(place_T, table[c.SEED].to_numpy())
    data, place_T = _results(table, ordered), place_T[ordered]
    found: dict[str, Any] = {str(name): data[name] for name in data}
    found[c.TRIAL_ID] = _categorical([trial.trial_id for trial in trials], place_T)
    found |= {
        name: _parameter(name, [trial.parameters[name] for trial in trials], place_T)
        for name in wanted
        if name in c.PARAMETERS
    }
    found[c.TARGETS] = _targets(trials, place_T)
    return pd.DataFrame({name: found[name] for name in (*wanted, c.TARGETS)}, index=data.index)


def _results(table: pa.Table, ordered: Places | slice) -> pd.DataFrame:
    """Return the rows' results in order, with every possible outcome as a category."""
    outcome_T = places(table[c.OUTCOME], list(Result))[ordered] if c.OUTCOME in table.column_names else None
    rest = [name for name in table.column_names if name not in (c.TRIAL_ID, c.OUTCOME)]
    data = frame(table, rest).iloc[ordered].reset_index(drop=True)
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


def _targets(trials: Sequence[Trial], place_T: Places) -> NDArray[np.object_]:
    """Return the targets of every training; those of one gate are one array."""
    targets = np.empty(len(trials), dtype=object)
    targets[:] = [trial.targets.reshape(trial.gate.targets.shape) for trial in trials]
    return targets[place_T]


# ------------------------------------------------------------------ reader


MIN_PREFIX = 4
MALFORMED = (KeyError, TypeError, ValueError, AttributeError, IndexError)  # what a document of others' raises


@dataclass(frozen=True, eq=False)
class StoredSweep:
    """Sweep that was read back: what was planned, where it ran, and its trainings so far.

    ``runs`` are the ids of the trials' runs in MLflow, by trial id, in the experiment ``experiment_id``.
    ``searched`` is what a search kept when it ended: importances, and where its seconds went. ``checked`` are stuck
    trainings that were trained ten times as long.
    """

    info: SweepInfo
    plan: Plan
    environment: dict[str, Any]
    trainings: pd.DataFrame
    figures: dict[str, float]
    timings: pd.DataFrame
    cold_starts: list[dict[str, Any]]
    experiment_id: str
    runs: dict[str, str]
    searched: dict[str, Any] | None
    checked: list[dict[str, Any]]


def sweeps(store: Store) -> list[SweepInfo]:
    """Return every sweep of the store, newest first."""
    experiments = {item.experiment_id: item.name for item in store.client.search_experiments()}
    return [_info(run, experiments[run.info.experiment_id]) for run in store.runs(names.SWEEP)]


def find_sweep(store: Store, given: str | None) -> str:
    """Return the id of a sweep given by its id or the beginning of it, or the newest; raise RequestError if none."""
    known = sweeps(store)
    if given is None:
        if not known:
            raise RequestError(f"there is no sweep in {store.uri}; run one with: python -m bench sweep")
        return known[0].sweep
    found = [info.sweep for info in known if info.sweep.startswith(given)] if len(given) >= MIN_PREFIX else []
    if not found:
        some = ", ".join(info.sweep[:8] for info in known[:5]) or "none yet"
        short = f"; allowed are at least {MIN_PREFIX} digits of an id" if len(given) < MIN_PREFIX else ""
        raise RequestError(
            f"sweep {given!r} is not in {store.uri}{short}; choose from {some} (python -m bench list shows all)"
        )
    if len(found) > 1:
        raise RequestError(f"sweep {given!r} could be {' or '.join(found)}; allowed is enough of one id")
    return found[0]


def begun_sweeps(store: Store, experiment: str) -> tuple[list[Run], list[Run]]:
    """Return the runs of the experiment's sweeps that have not ended, and of those that have, newest first."""
    found = list(store.runs(names.SWEEP, experiment))
    ended = [run for run in found if run.info.status == names.FINISHED]
    return [run for run in found if run.info.status != names.FINISHED], ended


def read_sweep(
    store: Store,
    sweep: str,
    columns: Sequence[str] | None = None,
    curves: int | None = None,
    first: int | None = None,
) -> StoredSweep:
    """Read a sweep; ``columns`` limits what is read of each training.

    ``curves`` limits curves and weights to so many seeds of each trial, its first ones; the others have None. ``first``
    limits the trainings themselves so.
    """
    run = store.client.get_run(sweep)
    plan = read_plan(store, sweep)
    experiment = store.client.get_experiment(run.info.experiment_id).name
    if first is None:
        tables = read_shards(
            store, sweep, read_columns(columns, plan), None if curves is None else last_seeds(plan, curves)
        )
    else:
        tables = list(in_order(store, sweep, plan, read_columns(columns, plan), first, curves))
    return StoredSweep(
        info=_info(run, experiment),
        plan=plan,
        environment=read_environment(store, sweep),
        trainings=trainings_frame(tables, plan, columns),
        figures=dict(run.data.metrics),
        timings=_with_extras(read_timings(store, sweep), plan),
        cold_starts=read_cold_starts(store, sweep),
        experiment_id=str(run.info.experiment_id),
        runs=_runs(store, sweep, experiment),
        searched=_json_or(None, store, sweep, names.SEARCH),
        checked=_json_or([], store, sweep, names.BUDGET_CHECK),
    )


def planned_trainings(
    store: Store, sweep: str, plan: Plan, columns: Sequence[str], first: int | None = None
) -> pd.DataFrame:
    """Return the trainings of a plan, or of its trials' ``first`` seeds.

    Of a later plan, which its sweep may have come to before it was interrupted, there are none among them.
    """
    return trainings_frame(list(in_order(store, sweep, plan, read_columns(columns, plan), first)), plan, columns)


def frames_in_order(store: Store, sweep: str, plan: Plan, columns: Sequence[str]) -> Iterator[pd.DataFrame]:
    """Yield all trainings of a plan in order, each once, some hundred thousand at a time."""
    for table in in_order(store, sweep, plan, read_columns(columns, plan)):
        yield trainings_frame([table], plan, columns)


def read_plan(store: Store, sweep: str) -> Plan:
    """Return what was planned; raise RequestError where that cannot be read."""
    document = _json(store, sweep, names.PLAN)
    try:
        return Plan.from_json(document)
    except RequestError:
        raise
    except MALFORMED as error:
        raise RequestError(f"sweep {sweep[:8]} has a {names.PLAN} that bench did not write: {error!r}") from error


def planned_budgets(store: Store, sweep: str) -> dict[str, tuple[int, int]]:
    """Return iterations and points of the curve of each trial that was planned; none where no plan can be read."""
    try:
        rows = [(row["trial_id"], row["parameters"]) for row in _json(store, sweep, names.PLAN)["trials"]]
        return {str(name): (int(own[c.ITERATIONS]), int(own[c.CURVE_POINTS])) for name, own in rows}
    except MALFORMED:  # a RequestError is a ValueError
        return {}


def read_environment(store: Store, sweep: str) -> dict[str, Any]:
    """Return where a sweep was begun."""
    found: dict[str, Any] = _json(store, sweep, names.ENVIRONMENT, dict)
    return found


@contextmanager
def map_shards(store: Store, sweep: str, one: Map) -> Iterator[list[Path]]:
    """Yield the files of a map's shards."""
    there = store.has_artifact(sweep, names.MAPS) and store.has_artifact(sweep, f"{names.MAPS}/{one.map_id}")
    if not there:
        yield []
        return
    with store.artifact(sweep, f"{names.MAPS}/{one.map_id}") as path:
        yield sorted(path.glob("*.parquet"))


def read_map(store: Store, sweep: str, one: Map) -> MapPoints:
    """Return what became of every point of a map."""
    with map_shards(store, sweep, one) as files:
        return read_points(one, files)


def _with_extras(timings: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """Return samples with the extra parameters that some trial sets, which are not written with them."""
    trials = {planned.trial.trial_id: planned.trial.parameters for planned in plan.trials}
    extras = [name for name in plan.parameters if name not in timings]
    return timings.assign(**{name: [trials[trial_id][name] for trial_id in timings[c.TRIAL_ID]] for name in extras})


def read_timings(store: Store, sweep: str) -> pd.DataFrame:
    """Return a row per timing and round."""
    return timing_frame(next(read_tables(store, sweep, names.TIMINGS, TIMING_SCHEMA)))


def read_cold_starts(store: Store, sweep: str) -> list[dict[str, Any]]:
    """Return what each backend took in a fresh process; empty for a sweep that timed nothing."""
    return list(_json_or([], store, sweep, names.COLD_STARTS))


def _runs(store: Store, sweep: str, experiment: str) -> dict[str, str]:
    """Return the ids of the trials' runs: as the sweep kept them when it ended, or searched, which takes longer."""
    if kept := _json_or({}, store, sweep, names.RUNS):
        return dict(kept)
    found = store.runs(names.TRIAL, experiment, parent=sweep)
    return {run.data.tags[names.TRIAL_TAG]: str(run.info.run_id) for run in found}


def _json_or(default: Any, store: Store, sweep: str, name: str) -> Any:
    """Return a JSON document that is kept with the sweep, or the default if there is none."""
    return _json(store, sweep, name, (dict, list, type(None))) if store.has_artifact(sweep, name) else default


def _json(store: Store, sweep: str, name: str, kind: type | tuple[type, ...] = object) -> Any:
    """Return a JSON document that is kept with the sweep; raise RequestError if it cannot be read, or is no such."""
    try:
        with store.artifact(sweep, name) as path:
            return read_json(path, sweep, kind)
    except MlflowException as error:
        raise RequestError(f"sweep {sweep} has no {name} in {store.uri}; allowed is a sweep of bench") from error


def read_json(path: Path, sweep: str, kind: type | tuple[type, ...] = object) -> Any:
    """Return the JSON document of a file; raise RequestError if it cannot be read, or is no such."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RequestError(
            f"sweep {sweep} has no readable {path.name} in {str(path.parent)!r}; allowed is a sweep of bench"
        ) from error
    if not isinstance(found, kind):
        raise RequestError(f"sweep {sweep} has a {path.name} that bench did not write: {str(found)[:40]}")
    return found


def _info(run: Run, experiment: str) -> SweepInfo:
    known = (run.info.run_id, experiment, run.info.status, run.info.start_time, run.info.run_name)
    return SweepInfo.of(known, {**run.data.params, **run.data.metrics}, run.data.tags)
