"""Reads sweeps back: which there are, what was planned, and one row per training."""

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from mlflow.artifacts import download_artifacts
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.utils.file_utils import local_file_uri_to_path
from mlflow.utils.uri import is_local_uri

from bench.errors import RequestError
from bench.tracking import columns as c
from bench.tracking import store as names
from bench.tracking.rows import concat, frame, schema
from bench.tracking.store import Store
from bench.tracking.timings import timing_frame, timing_schema

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
    """A sweep read back: what was planned, where it ran, and its trainings so far."""

    info: SweepInfo
    plan: dict[str, Any]
    environment: dict[str, Any]
    trainings: pd.DataFrame
    figures: dict[str, float]
    timings: pd.DataFrame
    cold_starts: list[dict[str, Any]]


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


def read_sweep(store: Store, sweep: str, columns: Sequence[str] | None = None) -> Sweep:
    """Read a sweep whole; ``columns`` limits what is read of each training."""
    run = store.client.get_run(sweep)
    plan = _json(store, sweep, "plan.json")
    experiment = store.client.get_experiment(run.info.experiment_id).name
    wanted = None if columns is None else list(dict.fromkeys([c.TRIAL_ID, c.SEED, *columns]))
    table = concat(read_shards(store, sweep, wanted))
    return Sweep(
        info=_info(run, experiment),
        plan=plan,
        environment=_json(store, sweep, "environment.json"),
        trainings=_in_order(table, plan),
        figures=dict(run.data.metrics),
        timings=read_timings(store, sweep),
        cold_starts=read_cold_starts(store, sweep),
    )


def read_shards(store: Store, sweep: str, columns: Sequence[str] | None = None) -> list[pa.Table]:
    """Return the tables of all whole shards, or some columns of them."""
    layout = schema()
    wanted = layout if columns is None else pa.schema([layout.field(name) for name in columns])
    return _tables(store, sweep, names.SHARDS, wanted)


def read_timings(store: Store, sweep: str) -> pd.DataFrame:
    """Return a row per timing and round."""
    return timing_frame(_tables(store, sweep, names.TIMINGS, timing_schema()))


def _tables(store: Store, sweep: str, folder: str, layout: pa.Schema) -> list[pa.Table]:
    """Return all whole tables of a folder; one that was cut off by a kill counts as never written."""
    if not store.client.list_artifacts(sweep, folder):
        return []  # nothing was written yet
    with _artifact(store, sweep, folder) as path:
        tables = [_table(file, layout) for file in sorted(path.glob("*.parquet"))]
    return [table for table in tables if table is not None]


def read_cold_starts(store: Store, sweep: str) -> list[dict[str, Any]]:
    """Return what each backend took in a fresh process; empty for a sweep that timed nothing."""
    kept = any(artifact.path == names.COLD_STARTS for artifact in store.client.list_artifacts(sweep))
    return list(_json(store, sweep, names.COLD_STARTS)) if kept else []


def export(store: Store, sweep: str, path: Path) -> int:
    """Write one row per training to a .parquet or .csv file; return how many."""
    data = read_sweep(store, sweep, c.EXPORT).trainings[list(c.EXPORT)]
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


@contextmanager
def _artifact(store: Store, sweep: str, name: str) -> Iterator[Path]:
    """Yield where an artifact lies: in place if that is on this machine, else in a copy that ends here."""
    uri = f"{store.client.get_run(sweep).info.artifact_uri}/{name}"
    if is_local_uri(uri):  # MLflow's own download would leave a copy behind each time
        yield Path(local_file_uri_to_path(uri))
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(download_artifacts(run_id=sweep, artifact_path=name, dst_path=folder, tracking_uri=store.uri))


def _table(path: Path, layout: pa.Schema) -> pa.Table | None:
    try:
        return pq.read_table(path, columns=layout.names, memory_map=False).cast(layout)
    except (pa.ArrowException, OSError):
        return None


def _in_order(table: pa.Table, plan: dict[str, Any]) -> pd.DataFrame:
    """Return the trainings in the plan's order and by seed, whatever the order they were written in."""
    ids = pa.array([trial[c.TRIAL_ID] for trial in plan["trials"]], pa.string())
    places = pc.index_in(table[c.TRIAL_ID], value_set=ids).to_numpy()
    order = np.lexsort((table[c.SEED].to_numpy(), places))
    data = frame(table if (np.diff(order) == 1).all() else table.take(pa.array(order)))
    targets = {trial[c.TRIAL_ID]: np.array(plan["gates"][trial["table"]]["targets"]) for trial in plan["trials"]}
    data[c.TARGETS] = data[c.TRIAL_ID].map(targets)
    return data


def _json(store: Store, sweep: str, name: str) -> Any:
    try:
        with _artifact(store, sweep, name) as path:
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
