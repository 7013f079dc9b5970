"""Cuts planned trainings into chunks: a chunk is about a second of work, picklable, and can be done again."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from bench.backends import load
from bench.problem.trial import Trial

CHUNK_S = 1.0


@dataclass(frozen=True)
class Job:
    """One trial with some of its seeds."""

    trial: Trial
    seeds: Sequence[int]
    alone: bool = False

    @property
    def trainings(self) -> int:
        """How many trainings the job holds."""
        return len(self.seeds)

    @property
    def cost_s(self) -> float:
        """About how many seconds of one core the job takes; only the cutting depends on it."""
        return load(self.trial.backend).cost_us(self.trial) * self.trial.iterations * len(self.seeds) / 1e6


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
        return tuple(Chunk((Job(job.trial, seeds, job.alone),)) for seeds in parts)


def cut(jobs: Iterable[Job]) -> list[Chunk]:
    """Return chunks of about CHUNK_S seconds, those with the longest trainings first: no worker ends late."""
    chunks = [Chunk(tuple(parts)) for parts in _fill(jobs)]
    return sorted(chunks, key=lambda chunk: -chunk.cost_s if chunk.cost_s > 2 * CHUNK_S else 0.0)


def _fill(jobs: Iterable[Job]) -> Iterator[list[Job]]:
    filled: list[Job] = []
    room_s = CHUNK_S
    for job in jobs:
        training_s = job.cost_s / max(job.trainings, 1)
        start = 0
        while start < job.trainings:
            size = max(int(room_s / training_s), 1) if filled or room_s >= CHUNK_S else 1
            taken = job.seeds[start : start + size]
            if filled and training_s > room_s:
                yield filled
                filled, room_s = [], CHUNK_S
                continue
            filled.append(Job(job.trial, taken, job.alone))
            room_s -= training_s * len(taken)
            start += len(taken)
            if room_s <= 0:
                yield filled
                filled, room_s = [], CHUNK_S
    if filled:
        yield filled
