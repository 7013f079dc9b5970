"""Reads sweeps back: which there are, what was planned, and one row per training."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from bench.errors import RequestError
from bench.tracking import columns as c
from bench.tracking import store as names
from bench.tracking.shards import artifact, read_shards, read_tables
from bench.tracking.store import Store
from bench.tracking.timings import timing_frame, timing_schema
from bench.tracking.trainings import last_seeds, read_columns, trainings_frame

MIN_PREFIX = 4


@dataclass(frozen=True)
class SweepInfo:
    """A sweep as a listing shows it."""

    sweep: str
    experiment: str
    status: str
    started: datetime
    trials: int
    trainings: int
    command: str


@dataclass(frozen=True, eq=False)
class Sweep:
    """A sweep read back: what was planned, where it ran, and its trainings so far.

    ``runs`` are the ids of the trials' runs in MLflow, by trial id, in the experiment ``experiment_id``.
    ``searched`` is what a search kept when it ended: importances, and where its seconds went.
    """

    info: SweepInfo
    plan: dict[str, Any]
    environment: dict[str, Any]
    trainings: pd.DataFrame
    figures: dict[str, float]
    timings: pd.DataFrame
    cold_starts: list[dict[str, Any]]
    experiment_id: str
    runs: dict[str, str]
    searched: dict[str, Any] | None


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
        raise RequestError(
            f"sweep {given!r} is not in {store.uri}; choose from {some} (python -m bench list shows all)"
        )
    if len(found) > 1:
        raise RequestError(f"sweep {given!r} could be {' or '.join(found)}; allowed is enough of one id")
    return found[0]


def unfinished(store: Store, experiment: str) -> list[Run]:
    """Return the experiment's sweeps that have not ended, newest first."""
    return [run for run in store.runs(names.SWEEP, experiment) if run.info.status != names.FINISHED]


def read_sweep(store: Store, sweep: str, columns: Sequence[str] | None = None, curves: int | None = None) -> Sweep:
    """Read a sweep whole; ``columns`` limits what is read of each training.

    ``curves`` limits curves and weights to so many seeds of each trial, its first ones; the others have None.
    """
    run = store.client.get_run(sweep)
    plan = read_plan(store, sweep)
    experiment = store.client.get_experiment(run.info.experiment_id).name
    tables = read_shards(store, sweep, read_columns(columns), None if curves is None else last_seeds(plan, curves))
    return Sweep(
        info=_info(run, experiment),
        plan=plan,
        environment=_json(store, sweep, "environment.json"),
        trainings=trainings_frame(tables, plan, columns),
        figures=dict(run.data.metrics),
        timings=read_timings(store, sweep),
        cold_starts=read_cold_starts(store, sweep),
        experiment_id=str(run.info.experiment_id),
        runs=_runs(store, sweep, experiment),
        searched=_json(store, sweep, names.SEARCH) if _is_kept(store, sweep, names.SEARCH) else None,
    )


def read_plan(store: Store, sweep: str) -> dict[str, Any]:
    """Return what was planned."""
    return dict(_json(store, sweep, "plan.json"))


def read_timings(store: Store, sweep: str) -> pd.DataFrame:
    """Return a row per timing and round."""
    return timing_frame(read_tables(store, sweep, names.TIMINGS, timing_schema()))


def read_cold_starts(store: Store, sweep: str) -> list[dict[str, Any]]:
    """Return what each backend took in a fresh process; empty for a sweep that timed nothing."""
    return list(_json(store, sweep, names.COLD_STARTS)) if _is_kept(store, sweep, names.COLD_STARTS) else []


def _runs(store: Store, sweep: str, experiment: str) -> dict[str, str]:
    """Return the ids of the trials' runs: as the sweep kept them when it ended, or searched, which takes longer."""
    if _is_kept(store, sweep, names.RUNS):
        return dict(_json(store, sweep, names.RUNS))
    found = store.runs(names.TRIAL, experiment, parent=sweep)
    return {run.data.tags[names.TRIAL_TAG]: str(run.info.run_id) for run in found}


def _is_kept(store: Store, sweep: str, name: str) -> bool:
    return any(kept.path == name for kept in store.client.list_artifacts(sweep))


def export(store: Store, sweep: str, path: Path) -> int:
    """Write one row per training to a .parquet or .csv file; return how many."""
    data = read_sweep(store, sweep, c.EXPORT).trainings[list(c.EXPORT)]
    data = data.astype({name: str for name in data if isinstance(data[name].dtype, pd.CategoricalDtype)})
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".csv":
        data[c.PREDICTIONS] = [
            json.dumps([float(p) for p in predictions]) if predictions is not None else ""
            for predictions in data[c.PREDICTIONS]
        ]
        data.to_csv(path, index=False)
    else:
        data.to_parquet(path, index=False)
    return len(data)


def _json(store: Store, sweep: str, name: str) -> Any:
    try:
        with artifact(store, sweep, name) as path:
            return json.loads(path.read_text(encoding="utf-8"))
    except (MlflowException, OSError, ValueError) as error:
        raise RequestError(
            f"sweep {sweep} has no readable {name} in {store.uri}; allowed is a sweep of bench"
        ) from error


def _info(run: Run, experiment: str) -> SweepInfo:
    return SweepInfo(
        sweep=run.info.run_id,
        experiment=experiment,
        status=run.info.status,
        started=datetime.fromtimestamp(run.info.start_time / 1000, tz=UTC),
        trials=int(run.data.metrics.get("trials", run.data.params.get("trials", 0))),
        trainings=int(run.data.metrics.get("trainings", run.data.params.get("trainings", 0))),
        command=run.data.tags.get(names.COMMAND_TAG, ""),
    )
