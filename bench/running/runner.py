"""The runner: refuses, trains together, times alone, and writes every training as it comes."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from threading import Event
from types import MappingProxyType
from typing import Any

import pandas as pd

from bench.backends import load
from bench.config.experiment import Experiment
from bench.config.plan import Plan, PlannedTrial
from bench.config.search_state import Proposals
from bench.config.seeds import compact
from bench.config.until import Until
from bench.metrics import columns as c
from bench.model.labels import labels
from bench.model.outcome import Record, Result
from bench.model.timing import Sample
from bench.running.benchmark import Turn, measuring, shortened, take, turns
from bench.running.chunks import THREADS, Job, cut
from bench.running.cold_start import cold_starts, smallest
from bench.running.executors import Crew
from bench.running.progress import SweepProgress
from bench.store.tables import (
    ArrowTable,
    by_trial,
    concat,
    frame,
    rows,
    seeds_of,
    seeds_only,
    solved_count,
    together,
    up_to,
)
from bench.store.writer import Summary, SweepWriter


@dataclass
class TrialProgress:
    """One trial: what is planned, and what has come back.

    While it ``grows``, seeds may be added; its rows, which may become many, then stay in the shards until that ends.
    While it ``waits``, a search has not told what came of it. What a trial is ``judged`` by is kept for such a search.
    """

    planned: PlannedTrial
    grows: bool = False
    waits: bool = False
    judged: bool = False
    tables: list[ArrowTable] = field(default_factory=list)
    trained: int = 0
    solved: int = 0
    together: int = 0  # of those trained
    solved_together: int = 0

    def add(self, table: ArrowTable) -> None:
        """Account for trainings that came back."""
        self.tables.append(self._kept(table) if self.grows else table.select(c.DESCRIBED))
        self.trained += table.num_rows
        self.solved += solved_count(table)
        beside = together(table)
        self.together += beside.num_rows
        self.solved_together += solved_count(beside)

    def forget(self) -> None:
        """Keep of the rows only which seeds there are, and what they are judged by: the rest is safe in the shards."""
        self.tables = [self._kept(table) for table in self.tables]

    def _kept(self, table: ArrowTable) -> ArrowTable:
        return table.select(c.JUDGED) if self.judged else seeds_only(table)

    @property
    def missing(self) -> int:
        """How many planned trainings have not come back."""
        return self.planned.trainings - self.trained

    @property
    def last_curve_seed(self) -> int:
        """The last seed whose lists are kept."""
        seeds = self.planned.seeds
        return int(seeds[min(len(seeds), c.CURVES_PER_TRIAL) - 1])


# ------------------------------------------------------------------ runner


DESCRIBED_AT_ONCE = 100_000  # trainings with their curves, 160 MB of them, are read back to be summed up
NOTHING: Mapping[str, Any] = MappingProxyType({})
FLUSH_S = 1.0  # the most work that a kill can lose, beside what was being trained
Describe = Callable[[pd.DataFrame], tuple[Mapping[str, float], Mapping[str, Sequence[tuple[int, float]]]]]


@dataclass
class Describers:
    """How trainings are summed up for MLflow: a trial over its seeds, and one training by itself."""

    trial: Describe
    training: Describe


class Runner:
    """Trains a plan's trainings that are not yet written, and writes each."""

    def __init__(
        self, experiment: Experiment, plan: Plan, writer: SweepWriter, describe: Describers, *, training_runs: bool
    ) -> None:
        """Prepare to train a plan; ``training_runs`` asks for an MLflow run per training as well."""
        self.experiment = experiment
        self.plan = plan
        self.writer = writer
        self.describe = describe
        self.training_runs = training_runs
        judged = plan.search is not None
        self.ledger = {p.trial.trial_id: TrialProgress(p, grows=_grows(plan, p), judged=judged) for p in plan.trials}
        self.names = _names(plan.trials)
        self.found: dict[str, ArrowTable] = {}  # of an interrupted sweep, by trial
        self.written: set[str] = set()
        self.unflushed: list[ArrowTable] = []
        self.samples: list[Sample] = []  # not yet written
        self.flushed = time.monotonic()
        # of this process: what it waited for; then of all workers together: in training, and in compiling for it
        waited = ("import", "prepare", "train", "time", "optuna", "track")
        worked = ("workers_train", "workers_compile")
        self.seconds = dict.fromkeys((*waited, *worked), 0.0)

    def take_up(self) -> int:
        """Take over the trainings of an interrupted sweep; return how many there are."""
        table = self.writer.trained()
        self.written = self.writer.finished_trials()
        self.found = by_trial(table)
        self._take_over(list(self.ledger.values()))
        return int(table.num_rows)

    def extend(self, more: Sequence[PlannedTrial], names: Mapping[str, str], proposals: Proposals) -> None:
        """Plan trials that a search proposes, or more seeds of them; the written plan has them before any is trained.

        ``names`` has what runs of new trials are called, by their ids; `conclude` has them written.
        """
        self.plan = self.plan.extended(more, proposals)
        planned = {p.trial.trial_id: p for p in self.plan.trials}
        for trial_id in dict.fromkeys(p.trial.trial_id for p in more):
            if trial_id not in self.ledger:
                self.ledger[trial_id] = TrialProgress(planned[trial_id], waits=True, judged=True)
                self.names[trial_id] = names[trial_id]
            self.ledger[trial_id].planned = planned[trial_id]
        with self.clock("track"):
            self.writer.plan(self.plan)
        self._take_over([self.ledger[p.trial.trial_id] for p in more])

    def judged(self, trial_id: str, seeds: Sequence[int]) -> pd.DataFrame:
        """Return what these trainings of a trial came to, in the order of their seeds: the columns ``JUDGED``.

        With the number of the network's weights and biases beside them.
        """
        entry = self.ledger[trial_id]
        rows = frame(concat([table.select(c.JUDGED) for table in entry.tables])).sort_values(c.SEED)
        some = rows[rows[c.SEED].isin(seeds)].reset_index(drop=True)
        return some.assign(**{c.WEIGHTS_COUNT: entry.planned.trial.network.parameters})

    def conclude(self, trial_id: str, tags: Mapping[str, str], metrics: Mapping[str, float]) -> None:
        """Write the run of a trial that a search has told, or note it with the run that is there."""
        entry = self.ledger[trial_id]
        with self.clock("track"):
            if trial_id in self.written:
                self.writer.note(trial_id, tags, metrics)
                entry.forget()
                return
            entry.waits = False
            self._close(entry, tags, metrics)

    @property
    def replays(self) -> bool:
        """Whether trainings of an interrupted sweep are left that nothing has asked for yet."""
        return any(table.num_rows for table in self.found.values())

    def growing(self) -> list[tuple[PlannedTrial, int]]:
        """Return the trials that seeds are added to, each with how many of its trainings solved their gate."""
        return [(entry.planned, entry.solved_together) for entry in self.ledger.values() if entry.grows]

    def grow(self, until: Until, seeds: range) -> None:
        """Plan further seeds of all trials that grow; the written plan has them before the first is trained."""
        growing = [trial_id for trial_id, entry in self.ledger.items() if entry.grows]
        self.plan = self.plan.grown(growing, seeds, until)
        for planned in self.plan.trials:
            self.ledger[planned.trial.trial_id].planned = planned
        self._take_over([self.ledger[trial_id] for trial_id in growing])
        if self.waiting or until.stopped_by:
            self.writer.plan(self.plan)

    def settle(self) -> None:
        """Write the runs of the trials that grew: there will be no more seeds."""
        grown = [entry for entry in self.ledger.values() if entry.grows]
        for entry in grown:
            entry.grows = False
        parts = _parts([entry for entry in grown if entry.planned.trial.trial_id not in self.written])
        last_seeds = [{entry.planned.trial.trial_id: entry.last_curve_seed for entry in part} for part in parts]
        with self.clock("track"):
            for part, table in zip(parts, self.writer.described(last_seeds), strict=True):
                tables = by_trial(table)
                for entry in part:
                    entry.tables = [tables.get(entry.planned.trial.trial_id, table.slice(0, 0))]
                    # what cannot be read back is left for --resume
                    if entry.tables[0].num_rows == entry.planned.trainings:
                        self._close(entry)

    @property
    def waiting(self) -> int:
        """How many trainings of trials that grow have not come back."""
        return sum(len(entry.planned.together) - entry.together for entry in self.ledger.values() if entry.grows)

    def _take_over(self, entries: Sequence[TrialProgress]) -> None:
        """Take what was found of the planned seeds; what lies beyond waits until they are planned."""
        for entry in entries:
            trial_id = entry.planned.trial.trial_id
            if (table := self.found.pop(trial_id, None)) is not None:
                now, self.found[trial_id] = up_to(table, entry.planned.seeds[-1])
                entry.add(now)
            if not entry.missing:
                self._close(entry)

    def train(self, crew: Crew, progress: SweepProgress, stop: Event) -> None:
        """Train together all that is missing and not alone; on ``stop``, write what is finished and return."""
        self._note(self._refusals(), progress)
        together = [job for entry in self._open() for job in self._jobs(entry, alone=False)]
        with self.clock("train"):
            for kind, jobs in crew.divide(together).items():
                for records in crew.train(kind, cut(jobs), stop):
                    self._note(records, progress)
        self._flush()

    def time(self, progress: SweepProgress, stop: Event) -> None:
        """Train alone, and time, all that is missing of that; on ``stop``, write what is finished and return."""
        if self.plan.timings and not stop.is_set():
            with self.clock("time"):
                self._time(progress, stop)
            self._flush()

    def _time(self, progress: SweepProgress, stop: Event) -> None:
        """Take the timings that have no sample yet, in this process, with nothing of ours beside them."""
        alone = [job for entry in self._open() for job in self._jobs(entry, alone=True)]
        waiting = turns(self.plan, self.writer.timed(), {job.trial.trial_id: job.seeds for job in alone})
        with measuring(stop, progress.say) if waiting else nullcontext():
            self._start_cold(waiting, stop)
            for records, samples in take(waiting, stop):
                self.samples += samples
                self._note(records, progress)
                progress.tell(f"timing, round {samples[0].round}" if samples else "timing")

    def _start_cold(self, waiting: Sequence[Turn], stop: Event) -> None:
        """Measure each backend's cold start, unless that was done; all of them are kept, or none."""
        if waiting and not stop.is_set() and not self.writer.cold_starts():
            chosen = smallest([turn.timing.trial for turn in waiting])
            found = cold_starts({name: shortened(trial) for name, trial in chosen.items()}, THREADS, stop)
            if len(found) == len(chosen):
                self.writer.keep_cold_starts(found)

    @contextmanager
    def clock(self, what: str) -> Iterator[None]:
        """Add the seconds spent here, but for those of tracking."""
        started, tracked = time.monotonic(), self.seconds["track"]
        yield
        self.seconds[what] += time.monotonic() - started - (self.seconds["track"] - tracked)

    def _refusals(self) -> Iterable[Record]:
        """Return a record for every training that its backend cannot do here."""
        for entry in self._open():
            trial = entry.planned.trial
            reason = load(trial.backend).unsupported(trial)
            for job in self._jobs(entry, alone=None) if reason else []:
                yield Record(trial, tuple(job.seeds), job.alone, result=Result.UNSUPPORTED, reason=reason)

    def _open(self) -> list[TrialProgress]:
        return [entry for entry in self.ledger.values() if entry.missing]

    def _jobs(self, entry: TrialProgress, *, alone: bool | None) -> list[Job]:
        """Return what is missing of a trial: of the seeds trained alone, of the others, or (None) of both."""
        done = {seed for table in entry.tables for seed in seeds_of(table)}
        kinds = ((False, entry.planned.together), (True, entry.planned.alone))
        wanted = [(kind, seeds) for kind, seeds in kinds if alone is None or kind is alone]
        missing = [(kind, compact([s for s in seeds if s not in done]) if done else seeds) for kind, seeds in wanted]
        return [Job(entry.planned.trial, seeds, kind) for kind, seeds in missing if seeds]

    def _note(self, records: Iterable[Record], progress: SweepProgress) -> None:
        """Write records that came back, and close every trial that they complete."""
        started = time.monotonic()
        complete = []
        for record in records:
            entry = self.ledger[record.trial.trial_id]
            if record.outcome is not None and not record.alone:
                self.seconds["workers_train"] += float(record.outcome.seconds_TC.sum())
                self.seconds["workers_compile"] += record.outcome.compile_seconds
            table = rows(record, entry.last_curve_seed)
            entry.add(table)
            self.unflushed.append(table)
            progress.advance(table.num_rows)
            if not entry.missing:
                complete.append(entry)
        if complete or time.monotonic() - self.flushed > FLUSH_S:
            self._flush()
        for entry in complete:
            self._close(entry)
        self.seconds["track"] += time.monotonic() - started

    def _flush(self) -> None:
        if self.unflushed:
            self.writer.shard(concat(self.unflushed))
        if self.samples:  # after the rows: a sample that is there is never taken again
            self.writer.timings(self.samples)
        self.unflushed, self.samples = [], []
        self.flushed = time.monotonic()

    def _close(
        self, entry: TrialProgress, tags: Mapping[str, str] = NOTHING, metrics: Mapping[str, float] = NOTHING
    ) -> None:
        """Write a complete trial's child run, and its trainings' runs where they are wanted; not while more is to come.

        ``tags`` and ``metrics`` are what a search has to say of it.
        """
        trial = entry.planned.trial
        if entry.grows or entry.waits:
            return
        if trial.trial_id not in self.written:
            data = frame(concat(entry.tables))
            trainings = (
                (int(data[c.SEED].iloc[place]), Summary(*self.describe.training(data.iloc[[place]])))
                for place in (range(len(data)) if self.training_runs else ())
            )
            summary = Summary(*self.describe.trial(data))
            summary = replace(summary, metrics={**summary.metrics, **metrics})
            self.writer.trial(entry.planned, self.names[trial.trial_id], summary, trainings, tags)
            self.written.add(trial.trial_id)
        entry.forget()


def _grows(plan: Plan, planned: PlannedTrial) -> bool:
    """Whether seeds may be added to a trial: not if it is alone, nor if there is nothing that trains it here."""
    wanted = plan.until is not None and bool(planned.together)
    return wanted and load(planned.trial.backend).unsupported(planned.trial) is None


def _parts(entries: Sequence[TrialProgress]) -> list[list[TrialProgress]]:
    """Return entries in parts that can be held in memory with their curves."""
    parts: list[list[TrialProgress]] = []
    size = DESCRIBED_AT_ONCE
    for entry in entries:
        if size + entry.trained > DESCRIBED_AT_ONCE:
            parts.append([])
            size = 0
        parts[-1].append(entry)
        size += entry.trained
    return parts


def _names(trials: Sequence[PlannedTrial]) -> dict[str, str]:
    """Return what the trials' runs are called: what distinguishes each within its block."""
    found = labels([planned.trial.parameters for planned in trials], [planned.blocks[0] for planned in trials])
    return {planned.trial.trial_id: name for planned, name in zip(trials, found, strict=True)}
