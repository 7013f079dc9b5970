"""Chunks: about half a second of work, picklable, and repeatable; and how a worker trains one."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache

from threadpoolctl import threadpool_limits

from bench.backends import load
from bench.backends.base import Backend
from bench.backends.pieces import Flag, StoppedError, heeding
from bench.model.diagnostics import diagnostics
from bench.model.maps import Map
from bench.model.outcome import Batch, Outcome, Record, Result
from bench.model.trial import Trial
from bench.running.continuation import Start, go_on
from bench.running.process_setup import drivers_stop

CHUNK_S = 0.5
CHUNK_NUMBERS = 4_000_000  # that a chunk's trainings return, at most: a few chunks are in memory at a time


@dataclass(frozen=True)
class Job:
    """One trial with some of its seeds, or with places of the map ``of`` which these trainings are."""

    trial: Trial
    seeds: Sequence[int]
    alone: bool = False
    of: Map | None = None
    after: Start | None = None  # where these trainings go on

    def sliced(self) -> "Job":
        """Return the job with no more of the start than its own trainings'."""
        return replace(self, after=self.after.of(self.seeds)) if self.after else self

    def train(self) -> Outcome:
        """Train it here."""
        backend, start = loaded_backend(self.trial.backend), self.after and self.after.of(self.seeds)
        outcome = go_on(backend, self.trial, start) if start else backend.train(self.batch())
        return diagnosed(self.trial, outcome)

    def batch(self) -> Batch:
        """Return the trainings with the weights and rates that they begin with."""
        return Batch.of(self.trial, self.seeds) if self.of is None else self.of.batch(self.trial, self.seeds)

    @property
    def trainings(self) -> int:
        """How many trainings the job holds."""
        return len(self.seeds)

    @property
    def cost_s(self) -> float:
        """About how many seconds of one core the job takes; only the cutting depends on it."""
        return max(self.trainings, load(self.trial.backend).least) * self.training_s

    @property
    def training_s(self) -> float:
        """About how many seconds of one core each of many trainings takes."""
        return load(self.trial.backend).cost_us(self.trial) * self.trial.iterations / 1e6

    @property
    def numbers(self) -> int:
        """How many numbers come back of each training."""
        trial = self.trial
        return 2 * (len(trial.checkpoints) + trial.network.parameters + len(trial.targets))

    @property
    def most(self) -> int:
        """How many trainings one chunk may hold."""
        return max(CHUNK_NUMBERS // self.numbers, 1)


@dataclass(frozen=True)
class Chunk:
    """Jobs that one worker does in one go."""

    jobs: tuple[Job, ...]

    @property
    def trainings(self) -> int:
        """How many trainings the chunk holds."""
        return sum(job.trainings for job in self.jobs)

    @property
    def cost_s(self) -> float:
        """About how many seconds of one core the chunk takes."""
        return sum(job.cost_s for job in self.jobs)

    def halves(self) -> "tuple[Chunk, ...]":
        """Return the chunk in two, or itself if it is one training."""
        if len(self.jobs) > 1:
            middle = len(self.jobs) // 2
            return Chunk(self.jobs[:middle]), Chunk(self.jobs[middle:])
        job = self.jobs[0]
        if job.trainings == 1:
            return (self,)
        middle = job.trainings // 2
        parts = (job.seeds[:middle], job.seeds[middle:])
        return tuple(Chunk((replace(job, seeds=seeds),)) for seeds in parts)


class Pace:
    """How long trainings take beside what was estimated: those of a trial, or else of its backend."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._estimated_s: defaultdict[str, float] = defaultdict(float)
        self._taken_s: defaultdict[str, float] = defaultdict(float)

    def note(self, records: Iterable[Record]) -> None:
        """Take up what came back; what failed took no time worth knowing."""
        for record in records:
            if record.outcome is not None:
                taken_s = float(record.outcome.seconds_TC.sum())
                for kind in (record.trial.trial_id, record.trial.backend):
                    self._estimated_s[kind] += Job(record.trial, record.seeds).cost_s
                    self._taken_s[kind] += taken_s

    def factor(self, trial: Trial) -> float:
        """Return how many times the estimate a training of a trial takes; 1 where nothing is known."""
        kind = trial.trial_id if trial.trial_id in self._taken_s else trial.backend
        return self._taken_s[kind] / self._estimated_s[kind] if self._taken_s[kind] > 0 else 1.0


def cut(jobs: Iterable[Job], pace: Pace) -> Iterator[Chunk]:
    """Yield chunks of about CHUNK_S seconds, by the pace of the time; first those of trainings that are longer.

    So no worker ends late. A chunk is made when it is asked for: by then it may be known how long the others took.
    """
    longest_first = sorted(jobs, key=lambda job: -_unit_s(job) if _unit_s(job) > 2 * CHUNK_S else 0.0)
    yield from (Chunk(tuple(part.sliced() for part in parts)) for parts in _fill(longest_first, pace))


def _unit_s(job: Job) -> float:
    """Return about how long the smallest part of a job takes."""
    return job.training_s * min(load(job.trial.backend).least, job.trainings)


def _fill(jobs: Iterable[Job], pace: Pace) -> Iterator[list[Job]]:
    filled: list[Job] = []
    room_s = CHUNK_S
    for job in jobs:
        start = 0
        while start < job.trainings:
            factor = pace.factor(job.trial)
            size = max(min(int(room_s / (job.training_s * factor)), job.most), load(job.trial.backend).least)
            part = replace(job, seeds=job.seeds[start : start + size])
            if filled and part.cost_s * factor > room_s:
                yield filled
                filled, room_s = [], CHUNK_S
                continue
            filled.append(part)
            room_s -= part.cost_s * factor
            start += part.trainings
            if room_s <= 0 or part.trainings >= job.most:
                yield filled
                filled, room_s = [], CHUNK_S
    if filled:
        yield filled


# ------------------------------------------------------------------ work


def diagnosed(trial: Trial, outcome: Outcome) -> Outcome:
    """Return what came of trainings with the diagnostics that their trial asks for."""
    return replace(outcome, diagnostics_TD=diagnostics(trial, outcome.weights_TP)) if trial.diagnostics else outcome


THREADS = 1  # of a library, within a worker: the networks are too small to share


@cache
def loaded_backend(name: str) -> Backend:
    """Load a backend once a process: its library takes seconds to import."""
    return load(name)


def train_chunk(chunk: Chunk, stop: Flag | None = None) -> list[Record]:
    """Train a chunk; a training that raises becomes a failed one, with its reason.

    Soon after ``stop`` is set, in a worker process after that of its driver, it is left: what is finished comes back.
    """
    for job in chunk.jobs:
        loaded_backend(job.trial.backend)  # before the limit: a library's threads are limited once it is loaded
    records: list[Record] = []
    with threadpool_limits(limits=THREADS), heeding(stop or drivers_stop()), suppress(StoppedError):
        for job in chunk.jobs:
            records += train_job(job)
    return records


def train_job(job: Job) -> list[Record]:
    """Train one job; where it raises, halve it until the training at fault is alone."""
    try:
        outcome = job.train()
    except StoppedError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a backend raises must cost one training, not the sweep
        if job.trainings == 1:
            return [failed_record(job, f"{type(error).__name__}: {error}")]
        middle = job.trainings // 2
        parts = (job.seeds[:middle], job.seeds[middle:])
        return [record for seeds in parts for record in train_job(replace(job, seeds=seeds))]
    return [Record(job.trial, tuple(job.seeds), job.alone, outcome)]


def failed_record(job: Job, reason: str) -> Record:
    """Return the record of a job that could not be trained."""
    return Record(job.trial, tuple(job.seeds), job.alone, result=Result.FAILED, reason=reason)


def refusals(jobs: Iterable[Job]) -> list[Record]:
    """Return a record of every job that its backend cannot train here, with its reason."""
    reasons = ((job, load(job.trial.backend).unsupported(job.trial)) for job in jobs)
    return [
        Record(job.trial, tuple(job.seeds), job.alone, result=Result.UNSUPPORTED, reason=reason)
        for job, reason in reasons
        if reason is not None
    ]
