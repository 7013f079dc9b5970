"""Writer of a sweep: shards first, then child runs, FINISHED last, so that what is written is never half true."""

import json
import shutil
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from mlflow.entities import Run
from numpy.typing import NDArray

from bench.config.experiment import ADHOC, Experiment
from bench.config.plan import Plan, PlannedTrial
from bench.config.seeds import write_seeds
from bench.config.swept import sweep_name, swept_params
from bench.errors import RequestError
from bench.metrics import columns as c
from bench.model.maps import Map
from bench.model.timing import ColdStart, Sample
from bench.store import names
from bench.store.finished_runs import FinishedRun, Summary, log_batch, write_runs
from bench.store.map_points import trained_places, write_points
from bench.store.mlflow_store import Store
from bench.store.owner import Whereabouts, is_alive, owner, whereabouts
from bench.store.reader import map_shards, read_cold_starts, read_timings
from bench.store.shards import in_order, read_shards_in_parts, shards_one_by_one
from bench.store.spool import Spool
from bench.store.tables import concat, timing_rows, write_table

LONGEST_PARAM, LONGEST_TAG = 500, 7_500
ANSWER_BEGINS = "\n\n### "
SETTLE_S = 1.0  # in which a server has heard all who would take up a sweep at once
ENDS = ("low", "high", "log")  # of an axis


class SweepWriter:
    """One sweep being written: a parent run, its shards, a child run per trial."""

    def __init__(self, store: Store, experiment_id: str, run_id: str) -> None:
        """Take up a parent run that exists."""
        self.store = store
        self.client = store.client
        self.experiment_id = experiment_id
        self.run_id = run_id
        self.runs: dict[str, str] = {}  # of the trials that are written, by their ids

    @classmethod
    def begin(
        cls, store: Store, experiment: Experiment, plan: Plan, environment: Mapping[str, Any], name: str, code: str
    ) -> "SweepWriter":
        """Create the parent run with what will be needed to read or resume it, and its code's fingerprint.

        It is a sweep once all of that is there: what is killed before leaves a run of another kind, that nobody reads.
        """
        experiment_id = store.experiment_id(experiment.name)
        tags = {names.KIND: names.BEGINNING, names.CODE_TAG: code}
        tags |= {**_asked(experiment, plan), **_tags_of(environment)}
        run = store.client.create_run(experiment_id, tags=tags, run_name=name)
        writer = cls(store, experiment_id, run.info.run_id)
        writer.plan(plan)
        writer.environment(environment)
        params = swept_params(plan)
        begun = {"name": name, "params": params, "tags": tags}
        if store.path is not None:
            writer.json(names.BEGUN, {"store": store.path.name, **begun})
        sizes = {"trials": plan.expected_trials, "trainings": plan.expected_trainings + plan.points}
        whole = {names.KIND: names.SWEEP}  # MLflow writes params, figures and tags, in this order
        log_batch(store, writer.run_id, params, Summary(sizes), whole)
        if store.is_remote:
            Spool.of(writer.run_id, experiment.name).begin(store, begun)
        return writer

    @classmethod
    def resume(cls, store: Store, run: Run, experiment: Experiment, plan: Plan, code: str) -> "SweepWriter":
        """Take up a sweep, from now on of this plan; child runs that were begun and not ended are removed.

        They will be written anew. A sweep that several codes trained has no fingerprint.

        Raise RequestError if another process is at it, or may be.
        """
        writer = cls(store, run.info.experiment_id, run.info.run_id)
        take(store, run)
        store.tidy(writer.run_id)
        mixed = {} if run.data.tags.get(names.CODE_TAG) == code else {names.CODE_TAG: ""}
        tags = {**_asked(experiment, plan), **mixed}
        log_batch(store, writer.run_id, tags=tags)
        if store.is_remote:
            begun = {"name": run.info.run_name, "params": run.data.params, "tags": {**run.data.tags, **tags}}
            Spool.of(writer.run_id, experiment.name).begin(store, begun)
        for child in store.runs(names.TRIAL, parent=writer.run_id):
            if child.info.status != names.FINISHED:
                for training in store.runs(names.TRAINING, parent=child.info.run_id):
                    store.client.delete_run(training.info.run_id)
                store.client.delete_run(child.info.run_id)
        return writer

    def trained(self, parameters: Collection[str] = ()) -> Iterator[pa.Table]:
        """Yield what must be known of the trainings of each whole shard, whose trials set these parameters."""
        return shards_one_by_one(self.store, self.run_id, (*c.RESUMED, *c.diagnostics_of(parameters)))

    def described_of(self, plan: Plan, first: int | None) -> pa.Table:
        """Return what trials' runs are made from, of the trials of a plan and some first seeds of each."""
        columns = (*c.DESCRIBED, *c.diagnostics_of(plan.parameters))
        return concat(list(in_order(self.store, self.run_id, plan, columns, first)))

    def described(self, parts: Iterable[Mapping[str, int]], parameters: Collection[str] = ()) -> Iterator[pa.Table]:
        """Yield what trials' runs are made from, of some trials at a time, lists up to a seed of each."""
        columns = (*c.DESCRIBED, *c.diagnostics_of(parameters))
        yield from map(concat, read_shards_in_parts(self.store, self.run_id, columns, parts))

    def finished_trials(self) -> set[str]:
        """Return the ids of the trials whose child run has ended."""
        found = self.store.runs(names.TRIAL, parent=self.run_id)
        self.runs = {run.data.tags[names.TRIAL_TAG]: str(run.info.run_id) for run in found}
        return set(self.runs)

    def timed(self) -> pd.DataFrame:
        """Return the samples of all timings that were written."""
        return read_timings(self.store, self.run_id)

    def shard(self, table: pa.Table, *, reused: bool = False) -> None:
        """Write finished trainings, or those of an earlier sweep, at once; from here on they are safe."""
        self._table(table, names.SHARDS, mark=names.REUSED if reused else "")

    def timings(self, samples: Sequence[Sample]) -> None:
        """Write what timings took at once; from here on they are not taken again."""
        self._table(timing_rows(samples), names.TIMINGS)

    def map_points(self, one: Map, table: pa.Table) -> None:
        """Write finished points of a map at once; from here on they are safe."""
        self._table(table, f"{names.MAPS}/{one.map_id}", write_points)

    def mapped(self, one: Map) -> NDArray[np.bool_]:
        """Return which points of a map were written ``[points]``."""
        with map_shards(self.store, self.run_id, one) as files:
            return trained_places(one, files)

    def map_run(self, one: Map, name: str, summary: Summary, picture: Path) -> str:
        """Write the run of a map that is whole, with its picture; one that is there already is written anew."""
        tags = {names.KIND: names.MAP, names.MAP_TAG: one.map_id, names.PARENT_TAG: self.run_id}
        for before in self.store.runs(names.MAP, parent=self.run_id):
            if before.data.tags.get(names.MAP_TAG) == one.map_id:
                self.client.delete_run(before.info.run_id)
        params = {name: value for name, value in one.trial.content.items() if name not in (one.x.of, one.y.of)}
        params |= {"x": one.x.words, "y": one.y.words, "size": f"{one.width} × {one.height}", "pairs": one.pairs}
        params |= {f"{name}.{end}": getattr(axis, end) for name, axis in (("x", one.x), ("y", one.y)) for end in ENDS}
        params["origin"] = "start" if one.start else f"seed {one.seed}"
        run = str(self.client.create_run(self.experiment_id, tags=tags, run_name=name).info.run_id)
        log_batch(self.store, run, params, summary)
        self.store.write(run, picture.name, lambda copy: shutil.copy(picture, copy))
        self.client.set_terminated(run)
        return run

    def _table(
        self, table: pa.Table, folder: str, write: Callable[[pa.Table, Path], None] = write_table, mark: str = ""
    ) -> None:
        name = f"{time.time_ns()}-{uuid.uuid4().hex[:8]}-{table.num_rows}{names.ROWS}{mark}.parquet"
        self.store.write(self.run_id, f"{folder}/{name}", lambda path: write(table, path))

    def keep_cold_starts(self, measured: Sequence[ColdStart]) -> None:
        """Keep what each backend took in a fresh process."""
        self.json(names.COLD_STARTS, [asdict(one) for one in measured])

    def cold_starts(self) -> list[ColdStart]:
        """Return the cold starts that are kept."""
        return [ColdStart(**row) for row in read_cold_starts(self.store, self.run_id)]

    def trials(self, runs: Mapping[str, FinishedRun]) -> None:
        """Write the runs of trials, by their ids, and those of their trainings below them."""
        ids = write_runs(self.store, self.experiment_id, list(runs.values()), self.run_id)
        self.runs |= dict(zip(runs, ids, strict=True))

    def note(self, trial_id: str, tags: Mapping[str, str], metrics: Mapping[str, float]) -> None:
        """Note more with the run of a trial that is written."""
        log_batch(self.store, self.runs[trial_id], summary=Summary(metrics), tags=tags)

    def conclude(self, answer: str, findings: Iterable[tuple[str, str]]) -> None:
        """Note with the sweep's own run what came of it: a sentence, and findings each with its evidence."""
        listed = "\n".join(f"* {sentence}\n\n  _{evidence}_" for sentence, evidence in findings)
        question = self.client.get_run(self.run_id).data.tags.get(names.NOTE_TAG, "").partition(ANSWER_BEGINS)[0]
        title, _, rest = question.partition("\n\n")  # the answer comes first: MLflow folds a long note
        note = f"{title}{ANSWER_BEGINS}{answer}\n\n{rest}\n\n{listed}"
        log_batch(self.store, self.run_id, tags={names.ANSWER_TAG: answer, names.NOTE_TAG: note[:LONGEST_TAG]})

    def rename(self, plan: Plan, title: str) -> None:
        """Give the sweep another title: in its plan, which reports are made from, and as the name of its run."""
        self.plan(replace(plan, question=replace(plan.question, title=title)))
        self.client.update_run(self.run_id, name=title)

    def add_note(self, text: str) -> None:
        """Add a paragraph to the end of the note that MLflow shows with the sweep."""
        before = self.client.get_run(self.run_id).data.tags.get(names.NOTE_TAG, "")
        log_batch(self.store, self.run_id, tags={names.NOTE_TAG: f"{before}\n\n{text}"[:LONGEST_TAG]})

    def delete(self) -> None:
        """Delete the sweep's run and all below it, as MLflow does: until its rubbish is collected, all is there."""
        for kind in (names.TRIAL, names.MAP):
            for child in self.store.runs(kind, parent=self.run_id):
                for training in self.store.runs(names.TRAINING, parent=child.info.run_id):
                    self.client.delete_run(training.info.run_id)
                self.client.delete_run(child.info.run_id)
        self.client.delete_run(self.run_id)

    def sum_up(self, summary: Summary, tags: Mapping[str, str]) -> None:
        """Note with the sweep's own run what came of a search."""
        log_batch(self.store, self.run_id, summary=summary, tags=tags)

    def keep_runs(self) -> None:
        """Keep the ids of the trials' runs: reading them is quicker than searching for hundreds."""
        self.json(names.RUNS, self.runs)

    def plan(self, plan: Plan) -> None:
        """Keep what is planned, in place of what was."""
        self.json(names.PLAN, plan.to_json())

    def environment(self, environment: Mapping[str, Any]) -> None:
        """Keep where the sweep runs."""
        self.json(names.ENVIRONMENT, environment)

    def json(self, name: str, content: Any) -> None:
        """Keep a JSON document with the sweep."""
        text = json.dumps(content, indent=1)
        self.store.write(self.run_id, name, lambda path: path.write_text(text, encoding="utf-8"))

    def file(self, path: Path, name: str | None = None, folder: str | None = None) -> None:
        """Keep a file with the sweep, by its own name or another, at the top or in a folder."""
        kept = "/".join(filter(None, [folder, name or path.name]))
        self.store.write(self.run_id, kept, lambda copy: shutil.copy(path, copy))

    def folder(self, path: Path, name: str) -> None:
        """Keep all files of a folder with the sweep, in a folder of that name."""
        for file in sorted(file for file in path.rglob("*") if file.is_file()):
            self.file(file, file.relative_to(path).as_posix(), name)

    def figures(self, metrics: Mapping[str, float]) -> None:
        """Note figures of the whole sweep."""
        log_batch(self.store, self.run_id, summary=Summary(metrics))

    def finish(self, status: str = names.FINISHED) -> None:
        """End the parent run; nothing is written after this, here or in its spool."""
        spool = self.store.spools.pop(self.run_id, None)
        self.client.set_terminated(self.run_id, status=status)
        if spool:
            spool.drop()
        self.store.analyze()


def _asked(experiment: Experiment, plan: Plan) -> dict[str, str]:
    """Return the tags that say what a sweep was asked for, and who is at it."""
    title = experiment.title if experiment.name != ADHOC else sweep_name(plan) or ADHOC
    return {
        names.PLAN_TAG: plan.plan_id,
        names.COMMAND_TAG: experiment.command,
        names.SOURCE_TAG: experiment.command,
        names.OWNER_TAG: owner(),
        names.NOTE_TAG: "\n\n".join(filter(None, [f"**{title}**", experiment.about, f"`{experiment.command}`"])),
    }


def is_running(run: Run) -> bool:
    """Whether the process that began a sweep is still at it, as far as this machine can tell."""
    return run.info.status == names.RUNNING and is_alive(run.data.tags.get(names.OWNER_TAG, ""))


def take(store: Store, run: Run) -> None:
    """Become the owner of a sweep, as it was found, that has none or whose owner has ended.

    Of two that try at once one does: a file's lock is held meanwhile. Where the store is no file, the owner is read
    again after a while in which whoever looked before it was written has written too.

    Raise RequestError for a sweep that another process has, or may have.
    """
    sweep = run.info.run_id
    with store.lock():
        now = store.client.get_run(sweep)
        if now.info.status == names.FINISHED != run.info.status:
            raise RequestError(f"sweep {sweep[:8]} was finished by another process meanwhile; there is nothing to do")
        if now.info.status == names.RUNNING:
            _check_owner(store, now)
        store.client.set_tag(sweep, names.OWNER_TAG, owner())
        store.client.update_run(sweep, status=names.RUNNING)
    if store.path is None:
        time.sleep(SETTLE_S)
        _check_owner(store, store.client.get_run(sweep))


def _check_owner(store: Store, run: Run) -> None:
    """Raise RequestError where another process has a sweep, or may have it."""
    by = run.data.tags.get(names.OWNER_TAG, "")
    known = whereabouts(by)
    if known is Whereabouts.ALIVE:
        raise RequestError(f"sweep {run.info.run_id[:8]} is still running as {by}; allowed is one that has ended")
    if known is Whereabouts.ELSEWHERE:
        raise RequestError(
            f"sweep {run.info.run_id[:8]} belongs to {by}, of which nothing is known here; if that has ended, take it "
            f"from it with: python -m bench doctor --unlock {run.info.run_id[:8]} --tracking-uri {store.uri}"
        )


def beginnings(store: Store, experiment: str | None = None) -> list[str]:
    """Return the runs of sweeps, of one experiment if given, that were being begun by a process that has ended."""
    ended = (Whereabouts.GONE, Whereabouts.HERE)
    begun = store.runs(names.BEGINNING, experiment, status=names.RUNNING)
    return [str(run.info.run_id) for run in begun if whereabouts(run.data.tags.get(names.OWNER_TAG, "")) in ended]


def trial_run(
    planned: PlannedTrial,
    name: str,
    summary: Summary,
    trainings: Iterable[tuple[int, Summary]] | None = None,
    more_tags: Mapping[str, str] | None = None,
) -> FinishedRun:
    """Return the run of a trial, and below it one for each training that is given."""
    trial = planned.trial
    known = {names.TRIAL_TAG: trial.trial_id}
    below = (
        None
        if trainings is None
        else (
            FinishedRun(
                f"seed {seed}", {names.KIND: names.TRAINING, **known}, {**trial.content, c.SEED: seed}, training
            )
            for seed, training in trainings
        )
    )
    tags = {names.KIND: names.TRIAL, **known, **(more_tags or {})}
    return FinishedRun(name, tags, {**trial.content, "seeds": _seeds(planned)}, summary, below)


def _seeds(planned: PlannedTrial) -> str:
    """Return the seeds as a param: MLflow cuts long texts, so a long list is described instead."""
    text = write_seeds(planned.seeds)
    return text if len(text) <= LONGEST_PARAM else f"{planned.trainings} from {planned.seeds[0]} to {planned.seeds[-1]}"


def _tags_of(environment: Mapping[str, Any]) -> dict[str, str]:
    """Return the environment as tags, one for each of its keys: params are for what is asked."""
    tags = {}
    for name, value in environment.items():
        if value is None or value == {}:
            continue
        several = [f"{key} {item}" for key, item in value.items()] if isinstance(value, Mapping) else [str(value)]
        tags[f"{names.ENVIRONMENT_TAGS}{name}"] = ", ".join(several)
    if commit := environment.get("commit"):
        tags[names.COMMIT_TAG] = str(commit).split()[0]
    return tags
