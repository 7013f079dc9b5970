"""Checkup of a store: what is wrong with its sweeps, their runs and their shards, and how each of it is mended.

A sweep that a process is at, here or on another machine, is left alone. Nothing that was trained is deleted: a shard
that is not what was written is set aside, and runs are deleted as MLflow does, so that they can be restored.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from bench.config.plan import Plan
from bench.errors import RequestError
from bench.metrics import columns as c
from bench.store import names
from bench.store.finished_runs import FinishedRun, Summary, write_again
from bench.store.mlflow_store import Store
from bench.store.owner import Whereabouts, whereabouts
from bench.store.reader import map_shards, read_environment, read_json, read_plan
from bench.store.shards import in_order, written_trainings
from bench.store.tables import TIMING_SCHEMA, BrokenShardError, is_whole, training_schema
from bench.store.writer import SweepWriter, beginnings

ASIDE = "aside"  # beside a sweep's artifacts: shards that are not what was written
Kind = Literal[
    "unfinished beginning", "stale lock", "orphan", "ghost run", "damaged shard", "trainings missing", "runs missing",
    "run missing", "unreadable",
]  # fmt: skip


@dataclass(frozen=True)
class Fault:
    """Something that is wrong: its kind, whose it is by the id of a run, and what it is, in words.

    ``mend`` does what can be done about it, and returns what was done; None where nothing can. Where ``again`` is True
    the runs of the sweep are then to be written again from its trainings.
    """

    kind: Kind
    run: str
    what: str
    mend: Callable[[], str] | None = None
    again: bool = False


def faults(store: Store) -> Iterator[Fault]:
    """Yield all that is wrong with a store, in an order in which it can be mended."""
    yield from _unregistered(store)
    yield from _beginnings(store)
    swept = {str(run.info.run_id): run for run in store.runs(names.SWEEP)}
    left = {name: run for name, run in swept.items() if not _is_held(run)}
    yield from (one for run in left.values() if run.info.status == names.RUNNING for one in [_stale(store, run)])
    yield from _below(store, set(swept), set(left))
    for run in left.values():
        yield from _of_sweep(store, run)


def _is_held(run: Run) -> bool:
    by = whereabouts(run.data.tags.get(names.OWNER_TAG, ""))
    return run.info.status == names.RUNNING and by in (Whereabouts.ALIVE, Whereabouts.ELSEWHERE)


def unlock(store: Store, sweep: str) -> str:
    """Take a sweep from a process of another machine that is said to have ended; return who it was.

    Raise RequestError where its process runs on this machine.
    """
    run = store.client.get_run(sweep)
    by = str(run.data.tags.get(names.OWNER_TAG, "nobody"))
    if run.info.status != names.RUNNING:
        raise RequestError(f"sweep {sweep[:8]} is {run.info.status}; allowed is one that is {names.RUNNING}")
    if whereabouts(by) is Whereabouts.ALIVE:
        raise RequestError(f"sweep {sweep[:8]} is still running as {by}; allowed is one whose process has ended")
    store.client.set_terminated(sweep, status=names.KILLED)
    return by


# ------------------------------------------------------------------ runs


def _end(store: Store, run_id: str) -> str:
    store.client.set_terminated(run_id, status=names.KILLED)
    return f"set {names.KILLED}"


def _undo(store: Store, run_id: str) -> str:
    store.client.set_tag(run_id, names.KIND, names.BEGINNING)
    return _end(store, run_id)


def _delete(store: Store, run_id: str) -> str:
    store.client.delete_run(run_id)
    return "deleted, as MLflow does"


def _go_on(store: Store, run: Run) -> str:
    """Make a sweep one that can be gone on with, and say how."""
    store.client.set_terminated(run.info.run_id, status=names.KILLED)
    return f"go on with: {run.data.tags.get(names.COMMAND_TAG, '')} --resume"


def _beginnings(store: Store) -> Iterator[Fault]:
    for run_id in beginnings(store):
        what = "a sweep was being begun, and the process that did has ended"
        yield Fault("unfinished beginning", run_id, what, partial(_end, store, run_id))


def _stale(store: Store, run: Run) -> Fault:
    by = run.data.tags.get(names.OWNER_TAG, "nobody")
    what = f"it is {names.RUNNING} as {by}, which has ended"
    return Fault("stale lock", str(run.info.run_id), what, partial(_go_on, store, run))


def _below(store: Store, swept: set[str], left: set[str]) -> Iterator[Fault]:
    """Yield runs below no sweep, those that were begun and not ended, and those of which there is another."""
    above: dict[str, str] = {sweep: sweep for sweep in swept}  # the sweep that each run belongs to
    for kind in (names.TRIAL, names.MAP, names.TRAINING):
        found: dict[tuple[str, ...], list[Run]] = defaultdict(list)
        for run in store.runs(kind):
            tags, parent = run.data.tags, run.data.tags.get(names.PARENT_TAG, "")
            if parent not in above:
                what = f"a run of a {kind} below {parent[:8] or 'nothing'}, which is not there"
                yield Fault("orphan", str(run.info.run_id), what, partial(_delete, store, str(run.info.run_id)))
                continue
            above[str(run.info.run_id)] = above[parent]
            which = (tags.get(names.TRIAL_TAG, ""), tags.get(names.MAP_TAG, ""), run.data.params.get(c.SEED, ""))
            found[(parent, *(which if kind == names.TRAINING else which[:2]))].append(run)
        for (parent, *_), runs in found.items():
            if above[parent] in left:
                yield from _ghosts(store, kind, runs)


def _ghosts(store: Store, kind: str, runs: list[Run]) -> Iterator[Fault]:
    """Yield of the runs of one trial, training or map all but one that has ended, the oldest."""
    ended = [run for run in runs if run.info.status == names.FINISHED]
    for run in runs:
        if not ended or run is not ended[-1]:
            what = f"a run of a {kind} that was {'written twice' if run in ended else 'begun and not ended'}"
            yield Fault("ghost run", str(run.info.run_id), what, partial(_delete, store, str(run.info.run_id)))


# ------------------------------------------------------------------ what lies with a sweep


def _of_sweep(store: Store, run: Run) -> Iterator[Fault]:
    """Yield what is wrong with what a sweep keeps."""
    sweep = str(run.info.run_id)
    try:
        plan = read_plan(store, sweep)
        read_environment(store, sweep)
    except RequestError as error:
        if run.info.status != names.FINISHED and not written_trainings(store, sweep):  # of an older version
            yield Fault("unfinished beginning", sweep, str(error), partial(_undo, store, sweep))
        else:
            yield Fault("unreadable", sweep, str(error))
        return
    damaged = list(_damaged(store, run, plan))
    yield from damaged
    if run.info.status != names.FINISHED or damaged:
        return
    missing = plan.trainings + plan.points - _there(store, sweep, plan)
    if missing:
        yield Fault(
            "trainings missing", sweep, f"it has ended, and {missing:,} are not there", partial(_go_on, store, run)
        )
        return
    written = {one.data.tags.get(names.TRIAL_TAG) for one in store.runs(names.TRIAL, parent=sweep)}
    without = [planned for planned in plan.trials if planned.trial.trial_id not in written]
    if without:
        what = f"{len(without):,} of {len(plan.trials):,} trials have no run in MLflow"
        yield Fault("runs missing", sweep, what, partial(_go_on, store, run), again=True)


def _there(store: Store, sweep: str, plan: Plan) -> int:
    """Return how many of the planned trainings, and points of maps, are there."""
    writer = SweepWriter(store, "", sweep)
    found = [int(np.count_nonzero(writer.mapped(one))) for one in plan.maps]
    return sum(found + [int(table.num_rows) for table in in_order(store, sweep, plan, (c.TRIAL_ID, c.SEED))])


def _damaged(store: Store, run: Run, plan: Plan) -> Iterator[Fault]:
    """Yield the shards of a sweep that are not what was written, or no shards."""
    sweep = str(run.info.run_id)
    for folder, schema in ((names.SHARDS, training_schema(plan.parameters)), (names.TIMINGS, TIMING_SCHEMA)):
        if store.has_artifact(sweep, folder):
            with store.artifact(sweep, folder) as path:
                yield from _damaged_files(store, run, sorted(path.glob("*.parquet")), schema)
    for one in plan.maps:
        with map_shards(store, sweep, one) as files:
            yield from _damaged_files(store, run, files, None)


def _damaged_files(store: Store, run: Run, files: list[Path], schema: Any) -> Iterator[Fault]:
    for file in files:
        try:
            why = "" if is_whole(file, schema) else f"shard {str(file)!r} was cut off"
        except BrokenShardError as error:
            why = str(error).partition("; python")[0]
        if why:
            here = store.in_place(str(run.info.run_id), names.PLAN)
            mend = partial(_set_aside, store, run, file, here.parent.parent / ASIDE) if here else None
            yield Fault("damaged shard", str(run.info.run_id), why, mend)


def _set_aside(store: Store, run: Run, file: Path, folder: Path) -> str:
    folder.mkdir(exist_ok=True)
    file.replace(folder / file.name)
    return f"set aside in {str(folder)!r}; {_go_on(store, run)}"


# ------------------------------------------------------------------ what lies beside a store that knows nothing of it


def unregistered(uri: str) -> Iterator[Fault]:
    """Yield what lies beside a store that is not there: its database was deleted."""
    for folder in names.kept_beside(uri):
        yield Fault(
            "run missing", folder.parent.name, f"the store is not there, and what it knew of is in {str(folder)!r}"
        )


def _unregistered(store: Store) -> Iterator[Fault]:
    """Yield sweeps whose artifacts lie beside a database that has no run of them: it was deleted, or replaced."""
    for folder in names.kept_beside(store.uri):
        sweep = folder.parent.name
        try:
            store.client.get_run(sweep)
        except MlflowException:
            named = Path(store.uri).name
            if _begun(folder).get("store", named) == named:  # and not of another store in the same folder
                what = f"its plan and its shards are in {str(folder)!r}, and the store has no run of it"
                yield Fault("run missing", sweep, what, partial(_register, store, folder), again=True)


def register_all(store: Store) -> None:
    """Write the runs of sweeps that lie beside a database that has none of them."""
    for one in _unregistered(store):
        if one.mend:
            one.mend()


def _begun(folder: Path) -> dict[str, Any]:
    """Return what a sweep kept of its run when it was begun; nothing where it did not, or it cannot be read."""
    try:
        found: dict[str, Any] = read_json(folder / names.BEGUN, folder.parent.name, dict)
    except RequestError:
        return {}
    return found


def _register(store: Store, folder: Path) -> str:
    """Write the run of a sweep again, as one that was interrupted; say how to go on with it."""
    sweep, known = folder.parent.name, _begun(folder)
    plan = Plan.from_json(read_json(folder / names.PLAN, sweep, dict))
    tags = {names.PLAN_TAG: plan.plan_id, names.COMMAND_TAG: plan.question.command, **known.get("tags", {})}
    sizes = {"trials": len(plan.trials), "trainings": plan.trainings + plan.points}
    name, params = known.get("name", plan.question.title), known.get("params", {})
    run = FinishedRun(name, {**tags, names.KIND: names.SWEEP}, params, Summary(sizes), below=())
    write_again(store, store.experiment_id(folder.parent.parent.name), sweep, run)
    return _go_on(store, store.client.get_run(sweep))
