"""What a worker does with a chunk. Everything that it takes and returns can be pickled."""

from functools import cache

from threadpoolctl import threadpool_limits

from bench.backends import load
from bench.backends.base import Backend
from bench.problem.outcome import Batch, Record, Result
from bench.sweep.plan import Chunk, Job

THREADS = 1  # of a library, within a worker: the networks are too small to share


@cache
def backend_of(name: str) -> Backend:
    """Load a backend once a process: its library takes seconds to import."""
    return load(name)


def train_chunk(chunk: Chunk) -> list[Record]:
    """Train a chunk; a training that raises becomes a failed one, with its reason."""
    for job in chunk.jobs:
        backend_of(job.trial.backend)  # before the limit: a library's threads are limited once it is loaded
    with threadpool_limits(limits=THREADS):
        return [record for job in chunk.jobs for record in train_job(job)]


def train_job(job: Job) -> list[Record]:
    """Train one job; where it raises, halve it until the training at fault is alone."""
    try:
        outcome = backend_of(job.trial.backend).train(Batch.of(job.trial, job.seeds))
    except Exception as error:  # noqa: BLE001 - whatever a backend raises must cost one training, not the sweep
        if job.trainings == 1:
            return [failed(job, f"{type(error).__name__}: {error}")]
        middle = job.trainings // 2
        parts = (job.seeds[:middle], job.seeds[middle:])
        return [record for seeds in parts for record in train_job(Job(job.trial, seeds, job.alone))]
    return [Record(job.trial, tuple(job.seeds), job.alone, outcome)]


def failed(job: Job, reason: str) -> Record:
    """Return the record of a job that could not be trained."""
    return Record(job.trial, tuple(job.seeds), job.alone, result=Result.FAILED, reason=reason)
