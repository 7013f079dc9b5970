"""What a sweep has planned, trained and written.

It is written in an order in which a kill leaves nothing half true: the plan before any of it is trained, trainings at
least once a second, samples of timings after their trainings, a trial's run after all of its trainings.
"""

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.config.experiment import Experiment
from bench.config.plan import Plan, PlannedTrial
from bench.config.seeds import compact, places, runs
from bench.metrics import columns as c
from bench.model.display_labels import labels, sortable
from bench.model.outcome import Record
from bench.model.timing import Sample
from bench.running.chunks import Job
from bench.running.continuation import Start, start_of
from bench.running.work import Work, work_of
from bench.store.earlier_trainings import EarlierTrainings, Wanted
from bench.store.finished_runs import MOST_RUNS, Summary
from bench.store.tables import ArrowTable, by_trial, concat, count_outcomes, frame, rows, seeds_of, split, stack
from bench.store.writer import SweepWriter, trial_run

FLUSH_S = 1.0  # the most work that a kill can lose, beside what was being trained
MOST_CURVES = 100_000  # trainings of open trials whose curves are in memory at a time: 160 MB
NOTHING: Mapping[str, "Note"] = MappingProxyType({})
WAITED = ("import", "prepare", "train", "time", "optuna", "track")  # what this process spent its seconds on
WORKED = ("workers_train", "workers_compile")  # what all workers together spent theirs on

Described = tuple[Mapping[str, float], Mapping[str, Sequence[tuple[int, float]]]]


@dataclass(frozen=True)
class Statistics:
    """The statistics that a sweep needs; running knows none, they are handed in.

    ``half_width`` is of the interval of so many solved of so many trainings, ``seeds_for_half_width`` how many
    trainings a solved rate takes for it; ``undecided`` is how many claims are, by what is stored. ``describe_trial``
    and ``describe_training`` sum trainings up for MLflow, a trial's with the counts of all where it gets only some:
    ``seeds_read`` says of how many seeds of each trial of a plan all is known that is shown, None for all.
    """

    half_width: Callable[[int, int], float]
    seeds_for_half_width: Callable[[float, float], int]
    describe_trial: Callable[[pd.DataFrame, Mapping[str, int] | None], Described]
    describe_training: Callable[[pd.DataFrame], Described]
    seeds_read: Callable[[Plan], int | None] = lambda _: None
    undecided: Callable[[Plan], int] = lambda _: 0


@dataclass(frozen=True)
class Step:
    """What a strategy wants next: a plan, of which all that is missing is to be trained.

    ``alone`` asks for the trainings that are timed with nothing beside them, otherwise for all others. Runs of
    ``open`` trials are not written when they are complete: more seeds will be added, or the strategy closes them.
    ``names`` has what runs of new trials are called; ``activity`` and ``message`` are for the terminal.
    """

    plan: Plan
    activity: str = "training"
    alone: bool = False
    open: Collection[str] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    message: str = ""


@dataclass(frozen=True)
class Note:
    """Tags and metrics that a strategy adds to a trial's run."""

    tags: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass
class _Trial:
    """A planned trial and its trainings so far; it is closed once its run is written and its curves are dropped.

    Of one that is ``large`` trainings are only counted, by outcome and how many are correct, and ``done_S`` says which
    of its seeds are: the rest is in the shards.
    """

    planned: PlannedTrial
    tables: list[ArrowTable] = field(default_factory=list)
    trained: int = 0
    closed: bool = False
    counts: Counter[str] = field(default_factory=Counter)
    done_S: NDArray[np.bool_] | None = None

    @property
    def large(self) -> bool:
        return self.done_S is not None

    def count(self, table: ArrowTable) -> None:
        """Count trainings, each once."""
        if self.done_S is None:
            self.done_S = np.zeros(self.planned.trainings, np.bool_)
        place_T = places(self.planned.seeds, seeds_of(table))
        new_T = ~self.done_S[place_T]
        self.done_S[place_T] = True
        self.trained += int(new_T.sum())
        self.counts += count_outcomes(table, new_T)

    @property
    def trial_id(self) -> str:
        return self.planned.trial.trial_id

    @property
    def complete(self) -> bool:
        return self.trained == self.planned.trainings

    @property
    def curves(self) -> int:
        """How many of its trainings are in memory with their curves."""
        return sum(table.num_rows for table in self.tables if c.CURVE in table.column_names)

    @property
    def last_curve_seed(self) -> int:
        """The last seed whose curve is written."""
        seeds = self.planned.seeds
        return int(seeds[min(len(seeds), c.CURVES_PER_TRIAL) - 1])


class Recorder:
    """The plan of a sweep, what has come back of it, and the writing of both."""

    def __init__(
        self,
        experiment: Experiment,
        plan: Plan,
        writer: SweepWriter,
        statistics: Statistics,
        *,
        training_runs: bool,
        earlier: EarlierTrainings | None = None,
    ) -> None:
        """Prepare for a plan that is written already; ``training_runs`` asks for an MLflow run per training as well.

        Trainings that ``earlier`` sweeps have are taken over.
        """
        self.experiment, self.plan, self.writer, self._earlier = experiment, plan, writer, earlier
        self.reused = Work()  # of the last step, what earlier sweeps had
        self.went_on = 0  # trainings that go on from where an earlier sweep with a smaller budget ended
        self._starts: dict[str, Start] = {}  # by trial
        self.seconds = dict.fromkeys((*WAITED, *WORKED), 0.0)
        self.statistics, self._training_runs = statistics, training_runs
        self._columns = c.SCORED if plan.search else (c.SEED, c.SOLVED)  # what strategies ask of trainings
        self._trials: dict[str, _Trial] = {}
        self._names: dict[str, str] = {}
        self._open: frozenset[str] = frozenset()
        self._curves = 0  # trainings that are in memory with their curves
        self._interrupted: dict[str, ArrowTable] = {}  # by trial, what an interrupted sweep trained of later steps
        self._written_plan: Plan | None = plan
        self._written_runs: set[str] = set()
        self._unwritten: list[ArrowTable] = []
        self._samples: list[Sample] = []  # not yet written
        self._flushed = time.monotonic()

    def resume(self) -> int:
        """Take up what an interrupted sweep has written; return how many trainings that is."""
        kept = []
        large = {planned.trial.trial_id: planned for planned in self.plan.trials if self._is_large(planned)}
        for shard in self.writer.trained():
            for trial_id, table in by_trial(shard).items() if large else ():
                if trial_id in large:
                    self._trials.setdefault(trial_id, _Trial(large[trial_id])).count(table)
                else:
                    kept.append(table)
            kept += [] if large else [shard]
        table = concat(kept)
        self._interrupted = by_trial(table)
        self._written_runs = self.writer.finished_trials()
        self._written_plan = None  # it may be of any step, or cut off
        return int(table.num_rows) + sum(trial.trained for trial in self._trials.values())

    def _is_large(self, planned: PlannedTrial) -> bool:
        """Whether a trial's trainings are only counted: no strategy asks for them, and what is shown is of a part."""
        read = None if self.plan.until or self.plan.search else self.statistics.seeds_read(self.plan)
        return read is not None and planned.trainings > read

    @property
    def replaying(self) -> bool:
        """Whether an interrupted sweep has trainings of trials that no step has planned yet."""
        return not self._interrupted.keys() <= self._trials.keys()

    @property
    def unplanned(self) -> frozenset[str]:
        """The ids of the trials of which an interrupted sweep has trainings that no step has planned yet."""
        return frozenset(self._interrupted)

    def begin(self, step: Step) -> bool:
        """Plan a step and have that written; return whether it is new, not one that was trained before an interrupt.

        Of one that was, the written plan has at least what this one has.
        """
        with self.clock("track"):
            self.plan, self._open = step.plan, frozenset(step.open)
            self._names = {**_labels(step.plan, {*step.names, *self._names}), **step.names, **self._names}
            resumed = sum(self._extend(planned) for planned in step.plan.trials)
            new = bool(self.missing(alone=step.alone)) or not (resumed or self._interrupted)
            if new:
                self._write_plan()
            self.reused = Work() if step.alone else self._take_over()
            self._write_runs(list(self._trials.values()))
        return new

    def _take_over(self) -> Work:
        """Take what is missing from earlier sweeps, where they have it; return how much work it was."""
        reused = Work()
        if self._earlier is None:
            return reused
        for table in self._earlier.rows(self.plan, self._wanted(self.missing(alone=False))):
            self.writer.shard(table, reused=True)
            for trial_id, own in by_trial(table).items():
                trial = self._trials[trial_id]
                self._add(trial, own)
                reused += work_of(trial.planned.trial, own.num_rows, alone=False)
        self._starts = self._shorter(self._earlier)
        return reused

    def _shorter(self, earlier: EarlierTrainings) -> dict[str, Start]:
        """Return where trainings that are missing go on, by trial; of no more than the memory should hold."""
        found: dict[str, Start] = {}
        small = [job for job in self.missing(alone=False) if not self._trials[job.trial.trial_id].large]
        for trial, shorter, table in earlier.shorter(self.plan, self._wanted(small)):
            found[trial.trial_id] = start_of(trial, shorter, table)
            if sum(len(start.seeds_T) for start in found.values()) > MOST_CURVES:
                break
        return found

    def continued(self, jobs: Sequence[Job]) -> list[Job]:
        """Return jobs of which what can go on from a smaller budget does."""
        found = []
        for job in jobs:
            start = self._starts.get(job.trial.trial_id)
            if start is None:
                found.append(job)
                continue
            known = set(start.seeds_T.tolist())
            some, others = ([seed for seed in job.seeds if (seed in known) == there] for there in (True, False))
            found += [replace(job, seeds=compact(some), after=start)] if some else []
            found += [replace(job, seeds=compact(others))] if others else []
            self.went_on += len(some)
        return found

    def _wanted(self, jobs: Sequence[Job]) -> list[Wanted]:
        trials = [self._trials[job.trial.trial_id] for job in jobs]
        return [
            Wanted(replace(trial.planned, together=job.seeds, alone=()), trial.last_curve_seed)
            for job, trial in zip(jobs, trials, strict=True)
        ]

    def _extend(self, planned: PlannedTrial) -> int:
        """Plan a trial, or more seeds of it; return how many of them an interrupted sweep has trained."""
        trial = self._trials.setdefault(planned.trial.trial_id, _Trial(planned))
        trial.closed = trial.closed and trial.planned is planned
        trial.planned = planned
        if not trial.large and self._is_large(planned):
            trial.done_S = np.zeros(planned.trainings, np.bool_)
        if trial.trial_id not in self._interrupted:
            return trial.trained if trial.large else 0
        table, later = split(self._interrupted.pop(trial.trial_id), planned.seeds)
        if later.num_rows:
            self._interrupted[trial.trial_id] = later
        self._add(trial, table)
        return int(table.num_rows)

    def missing(self, *, alone: bool) -> list[Job]:
        """Return the planned trainings that have not come back: of those that are timed alone, or of all others."""
        jobs = []
        for trial in self._trials.values():
            seeds = trial.planned.alone if alone else trial.planned.together
            if seeds and trial.done_S is not None:
                left = runs(seeds, ~trial.done_S[places(trial.planned.seeds, seeds)])
                jobs += [Job(trial.planned.trial, some, alone) for some in left]
            elif seeds and not trial.complete:
                done = {seed for table in trial.tables for seed in seeds_of(table).tolist()}
                missing = compact([seed for seed in seeds if seed not in done]) if done else seeds
                jobs += [Job(trial.planned.trial, missing, alone)] if missing else []
        return jobs

    def trainings(self, trial_id: str, seeds: Sequence[int]) -> pd.DataFrame:
        """Return what came of a trial's trainings with some seeds, in their order.

        Whether they solved their gate and, in a sweep with a search, all that objectives are computed from.
        """
        trial = self._trials[trial_id]
        data = frame(stack([table.select(self._columns) for table in trial.tables]), self._columns).sort_values(c.SEED)
        some = data[data[c.SEED].isin(seeds)].reset_index(drop=True)
        its = trial.planned.trial
        some = some.assign(**{c.WEIGHTS_COUNT: its.network.parameters})
        # how large an error can be depends on the outputs
        return (
            some
            if its.output == "sigmoid"
            else some.assign(output=its.output, targets=pd.Series([its.targets] * len(some), dtype=object))
        )

    def add(self, records: Iterable[Record], samples: Iterable[Sample] = ()) -> None:
        """Take up what came back, and write the runs of trials that it completes."""
        with self.clock("track"):
            complete = []
            for record in records:
                if record.outcome is not None and not record.alone:
                    self.seconds["workers_train"] += float(record.outcome.seconds_TC.sum())
                    self.seconds["workers_compile"] += record.outcome.compile_seconds
                trial = self._trials[record.trial.trial_id]
                table = rows(record, trial.last_curve_seed)
                self._unwritten.append(table)
                self._add(trial, table)
                if trial.complete:
                    complete.append(trial)
            self._samples += samples
            if complete or time.monotonic() - self._flushed > FLUSH_S:
                self.flush()
            self._write_runs(complete)

    def _add(self, trial: _Trial, table: ArrowTable) -> None:
        """Account for trainings; where curves are too many to keep, those of all open trials are dropped."""
        if trial.large:
            trial.count(table)
            return
        trial.trained += table.num_rows
        trial.tables.append(table.select(c.RESUMED))
        self._curves += table.num_rows
        if self._curves > MOST_CURVES and trial.trial_id in self._open:
            for trial_id in self._open & self._trials.keys():
                self._drop_curves(self._trials[trial_id])

    def _drop_curves(self, trial: _Trial) -> None:
        """Keep of trainings what strategies ask: the rest is in the shards, or will be before it is needed."""
        self._curves -= trial.curves
        trial.tables = [table.select(self._columns) for table in trial.tables]

    def flush(self) -> None:
        """Write all that has come back: from here on it is safe."""
        if self._unwritten:
            self.writer.shard(concat(self._unwritten))
        if self._samples:  # after the rows: a sample that is there is never taken again
            self.writer.timings(self._samples)
        self._unwritten, self._samples = [], []
        self._flushed = time.monotonic()

    def close(self, notes: Mapping[str, Note]) -> None:
        """Write the runs of open trials, each with its note, or log that with the run that it has."""
        with self.clock("track"):
            for trial_id in notes.keys() & self._written_runs:
                self.writer.note(trial_id, notes[trial_id].tags, notes[trial_id].metrics)
            self._close([self._trials[trial_id] for trial_id in notes], notes)

    def finish(self) -> None:
        """Write the plan, where that of a later step is there that was never reached, and which runs trials have."""
        with self.clock("track"):
            self._write_plan()
            self.writer.keep_runs()

    def _write_plan(self) -> None:
        if self.plan is not self._written_plan:
            self.writer.plan(self.plan)
            self._written_plan = self.plan

    def _write_runs(self, trials: Sequence[_Trial]) -> None:
        """Write the runs of those trials that are complete and not open."""
        self._close([t for t in trials if t.complete and not t.closed and t.trial_id not in self._open])

    def _close(self, trials: Sequence[_Trial], notes: Mapping[str, Note] = NOTHING) -> None:
        """Write the runs of trials that have none yet, and drop their curves."""
        described = self._described([t for t in trials if t.trial_id not in self._written_runs])
        while some := list(islice(described, MOST_RUNS)):
            runs = {}
            for trial, data in some:
                summary = Summary(*self.statistics.describe_trial(data, trial.counts if trial.large else None))
                note = notes.get(trial.trial_id, Note())
                summary = replace(summary, metrics={**summary.metrics, **note.metrics})
                trainings = self._training_summaries(data) if self._training_runs else None
                name = self._names[trial.trial_id]
                runs[trial.trial_id] = trial_run(trial.planned, name, summary, trainings, note.tags)
            self.writer.trials(runs)
            self._written_runs |= runs.keys()
        for trial in trials:
            self._drop_curves(trial)
            trial.closed = True

    def _training_summaries(self, data: pd.DataFrame) -> Iterator[tuple[int, Summary]]:
        """Yield what each training's run shows, by its seed."""
        for place in range(len(data)):
            training = data.iloc[[place]]
            yield int(training[c.SEED].iloc[0]), Summary(*self.statistics.describe_training(training))

    def _described(self, trials: Sequence[_Trial]) -> Iterator[tuple[_Trial, pd.DataFrame]]:
        """Yield trials with all that their runs are made from; of what was dropped, some is read back at a time.

        A trial that cannot be read back whole is left for --resume.
        """
        dropped = []
        for trial in trials:
            if trial.large:
                read = self.statistics.seeds_read(self.plan)
                found = self.writer.described_of(replace(self.plan, trials=(trial.planned,)), read)
                if found.num_rows == min(trial.planned.trainings, read or trial.planned.trainings):
                    yield trial, frame(found)
            elif trial.curves == trial.trained:
                yield trial, frame(concat(trial.tables) if len(trial.tables) > 1 else trial.tables[0])
            else:
                dropped.append(trial)
        parts = _parts(dropped)
        last_seeds = [{trial.trial_id: trial.last_curve_seed for trial in part} for part in parts]
        for part, table in zip(parts, self.writer.described(last_seeds) if parts else (), strict=True):
            tables = by_trial(table)
            for trial in part:
                if (found := tables.get(trial.trial_id)) is not None and found.num_rows == trial.planned.trainings:
                    yield trial, frame(found)

    @contextmanager
    def clock(self, what: str) -> Iterator[None]:
        """Add the seconds spent here, but for those of tracking."""
        started, tracked = time.monotonic(), self.seconds["track"]
        yield
        self.seconds[what] += time.monotonic() - started - (self.seconds["track"] - tracked)


def _labels(plan: Plan, named: Collection[str]) -> dict[str, str]:
    """Return names for the runs of all trials that have none: what distinguishes each within its block."""
    trials = [planned for planned in plan.trials if planned.trial.trial_id not in named]
    found = labels([planned.trial.parameters for planned in trials], [planned.blocks[0] for planned in trials])
    return {planned.trial.trial_id: name for planned, name in zip(trials, sortable(found), strict=True)}


def _parts(trials: Sequence[_Trial]) -> list[list[_Trial]]:
    """Return trials in parts that can be held in memory with their curves."""
    parts: list[list[_Trial]] = []
    size = MOST_CURVES
    for trial in trials:
        if size + trial.trained > MOST_CURVES:
            parts.append([])
            size = 0
        parts[-1].append(trial)
        size += trial.trained
    return parts
