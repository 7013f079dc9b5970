"""Runs of MLflow of which all is known when they are written: by its client, or into its SQLite tables, many at once.

The client takes some 17 ms for a run with 30 params and 120 points: three calls, of which ``log_batch`` alone is five
transactions, and an object of SQLAlchemy's for every point. Plain inserts into the same tables, by MLflow's own
definition of them, take a tenth of that, and leave no run half written. They are made where the store is a file of
SQLite and its tables have the columns that are known here; everywhere else the client is asked.
"""

import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from typing import Any
from uuid import uuid4

from mlflow.entities import LifecycleStage, Metric, Param, RunTag, SourceType
from mlflow.utils.uri import append_to_uri_path
from sqlalchemy import Connection, Table, create_engine, insert
from sqlalchemy.exc import SQLAlchemyError

from bench.store.mlflow_store import Store, StoreError
from bench.store.names import FINISHED, PARENT_TAG, RUNNING
from bench.store.patience import waiting

BATCH_LIMIT = 1000  # metrics that MLflow takes in one log_batch
MOST_RUNS = 100  # in one transaction, for which others wait
NAME_TAG = "mlflow.runName"
RUN = {
    *("run_uuid", "name", "source_type", "source_name", "entry_point_name", "user_id", "status", "start_time"),
    *("end_time", "deleted_time", "source_version", "lifecycle_stage", "artifact_uri", "experiment_id"),
}
PAIR, POINT = {"run_uuid", "key", "value"}, {"run_uuid", "key", "value", "timestamp", "step", "is_nan"}
COLUMNS = {"runs": RUN, "tags": PAIR, "params": PAIR, "metrics": POINT, "latest_metrics": POINT}  # that are filled here


@dataclass(frozen=True)
class Summary:
    """Figures, and series by iteration, that a run of MLflow shows of some trainings."""

    metrics: Mapping[str, float] = field(default_factory=dict)
    steps: Mapping[str, Sequence[tuple[int, float]]] = field(default_factory=dict)

    @property
    def points(self) -> list[tuple[str, int, float]]:
        """All values with their names and steps; MLflow has no place for what is not finite, so that is left out."""
        points = [(name, 0, float(value)) for name, value in self.metrics.items()]
        points += [(name, step, float(value)) for name, series in self.steps.items() for step, value in series]
        return [point for point in points if math.isfinite(point[2])]


@dataclass(frozen=True)
class FinishedRun:
    """A run of which all is known; it ends when the runs ``below`` it, if there are any, are written."""

    name: str
    tags: Mapping[str, str]
    params: Mapping[str, Any]
    summary: Summary
    below: Iterable["FinishedRun"] | None = None


def write_runs(store: Store, experiment_id: str, runs: Sequence[FinishedRun], parent: str) -> list[str]:
    """Write runs below a parent, and those below them; return the ids of the former.

    Raises StoreError where the store fails; a run that has ended is whole, whatever happens.
    """
    write = _insert_all if store.path is not None and _tables_are_known() else _log_all
    return write(store, experiment_id, runs, parent)


def write_again(store: Store, experiment_id: str, run_id: str, run: FinishedRun) -> None:
    """Write a run below no other by the id that it had; raise StoreError where the store is no file of SQLite."""
    if store.path is None or not _tables_are_known():
        raise StoreError(f"run {run_id} cannot be written with its id into {store.uri}; allowed is a file of SQLite")
    engine = create_engine(store.uri)
    try:
        with waiting(f"store {store.uri}", store.say), engine.begin() as connection:
            _insert(connection, experiment_id, store.artifacts_of(experiment_id), [(run_id, run)], None)
    except SQLAlchemyError as error:
        raise StoreError(str(error)) from error
    finally:
        engine.dispose()


# ------------------------------------------------------------------ by the client


def _log_all(store: Store, experiment_id: str, runs: Iterable[FinishedRun], parent: str) -> list[str]:
    ids = []
    for run in runs:
        tags = {**run.tags, PARENT_TAG: parent}
        run_id = str(store.client.create_run(experiment_id, tags=tags, run_name=run.name).info.run_id)
        log_batch(store, run_id, run.params, run.summary)
        _log_all(store, experiment_id, run.below or (), run_id)
        store.client.set_terminated(run_id)
        ids.append(run_id)
    return ids


def log_batch(
    store: Store,
    run_id: str,
    params: Mapping[str, Any] | None = None,
    summary: Summary | None = None,
    tags: Mapping[str, str] | None = None,
) -> None:
    """Log params, figures and tags with a run that is there, in as few calls as MLflow allows."""
    now = int(time.time() * 1000)
    metrics = [Metric(name, value, now, step) for name, step, value in (summary or Summary()).points]
    listed = [Param(name, str(value)) for name, value in (params or {}).items()]
    tagged = [RunTag(name, value) for name, value in (tags or {}).items()]
    store.client.log_batch(run_id, metrics=metrics[:BATCH_LIMIT], params=listed, tags=tagged)
    for start in range(BATCH_LIMIT, len(metrics), BATCH_LIMIT):
        store.client.log_batch(run_id, metrics=metrics[start : start + BATCH_LIMIT])


# ------------------------------------------------------------------ into the tables


@cache
def _tables_are_known() -> bool:
    """Whether MLflow's tables have the columns that are filled here, and no others."""
    try:
        return {name: set(table.columns.keys()) for name, table in _tables().items()} == COLUMNS
    except (ImportError, AttributeError):
        return False


def _tables() -> dict[str, Table]:
    """Return the tables that MLflow keeps runs in, by their names."""
    from mlflow.store.tracking.dbmodels import models

    kinds = (models.SqlRun, models.SqlTag, models.SqlParam, models.SqlMetric, models.SqlLatestMetric)
    return {kind.__tablename__: kind.__table__ for kind in kinds}


def _insert_all(store: Store, experiment_id: str, runs: Sequence[FinishedRun], parent: str) -> list[str]:
    location = store.artifacts_of(experiment_id)
    engine = create_engine(store.uri)
    named = [(uuid4().hex, run) for run in runs]

    def write(some: Iterable[tuple[str, FinishedRun]], above: str) -> None:
        for part in _parts(some):
            store.check()
            with waiting(f"store {store.uri}", store.say), engine.begin() as connection:
                _insert(connection, experiment_id, location, part, above)
            store.check()

    try:
        write(named, parent)
        for run_id, run in named:
            if run.below is not None:
                write(((uuid4().hex, child) for child in run.below), run_id)
                store.client.set_terminated(run_id)
    except SQLAlchemyError as error:
        raise StoreError(str(error)) from error
    finally:
        engine.dispose()
    return [run_id for run_id, _ in named]


def _parts(named: Iterable[tuple[str, FinishedRun]]) -> Iterator[list[tuple[str, FinishedRun]]]:
    left = iter(named)
    while part := list(islice(left, MOST_RUNS)):
        yield part


def _insert(
    connection: Connection,
    experiment_id: str,
    location: str,
    named: Sequence[tuple[str, FinishedRun]],
    parent: str | None,
) -> None:
    """Insert runs as MLflow's client does; one that has others below it has not ended yet."""
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in COLUMNS}
    first = int(time.time() * 1000) - len(named)
    for at, (run_id, run) in enumerate(named, first):  # a millisecond each: they are shown in the order of their times
        own: dict[str, Any] = {"run_uuid": run_id}
        rows["runs"].append(own | _run_row(run, at, experiment_id, append_to_uri_path(location, run_id, "artifacts")))
        tags = {**run.tags, **({PARENT_TAG: parent} if parent else {}), NAME_TAG: run.name}
        rows["tags"] += [own | {"key": key, "value": value} for key, value in tags.items()]
        rows["params"] += [own | {"key": key, "value": str(value)} for key, value in run.params.items()]
        points: list[dict[str, Any]] = [
            own | {"key": key, "value": value, "timestamp": at, "step": step, "is_nan": False}
            for key, step, value in run.summary.points
        ]
        rows["metrics"] += points
        latest = {point["key"]: point for point in sorted(points, key=lambda point: point["step"])}
        rows["latest_metrics"] += latest.values()
    for name, table in _tables().items():
        if rows[name]:
            connection.execute(insert(table), rows[name])


def _run_row(run: FinishedRun, at: int, experiment_id: str, artifacts: str) -> dict[str, Any]:
    return {
        "name": run.name,
        "source_type": SourceType.to_string(SourceType.UNKNOWN),
        "source_name": "",
        "entry_point_name": "",
        "user_id": "unknown",
        "status": FINISHED if run.below is None else RUNNING,
        "start_time": at,
        "end_time": at if run.below is None else None,
        "deleted_time": None,
        "source_version": "",
        "lifecycle_stage": LifecycleStage.ACTIVE,
        "artifact_uri": artifacts,
        "experiment_id": int(experiment_id),
    }
