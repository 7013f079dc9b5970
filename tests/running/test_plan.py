"""Cutting work into chunks."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.backends import load
from bench.model.outcome import Outcome, Record, Result
from bench.model.trial import Trial
from bench.running import chunks
from bench.running.chunks import CHUNK_NUMBERS, CHUNK_S, Chunk, Job, Pace

SIZES = st.tuples(st.integers(0, 8), st.sampled_from([10, 10_000, 200_000]), st.integers(0, 5), st.integers(1, 60))


def job_of(size, backend="numpy"):
    hidden, iterations, start, count = size
    return Job(Trial(hidden=hidden, iterations=iterations, backend=backend), range(start, start + count))


def cut(jobs):
    """Return all chunks, where nothing is known of speeds."""
    return list(chunks.cut(jobs, Pace()))


def pairs(chunks):
    return [(job.trial.trial_id, seed) for chunk in chunks for job in chunk.jobs for seed in job.seeds]


@given(st.lists(SIZES, max_size=6))
def test_cutting_loses_nothing_and_repeats_nothing(sizes):
    """Every training of the jobs is in exactly one chunk."""
    jobs = [job_of(size) for size in sizes]
    expected = [(job.trial.trial_id, seed) for job in jobs for seed in job.seeds]
    assert sorted(pairs(cut(jobs))) == sorted(expected)


@given(st.lists(SIZES, min_size=1, max_size=6), st.sampled_from(["numpy", "numba", "torch-batched"]))
def test_a_chunk_is_about_half_a_second_of_work_or_as_small_as_is_worth_it(sizes, backend):
    """No chunk is much longer than it must be: a single training, or as many as take no longer than one."""
    for chunk in cut([job_of(size, backend) for size in sizes]):
        assert chunk.cost_s <= 1.01 * CHUNK_S or chunk.trainings <= load(backend).least


def test_what_a_chunk_returns_fits_the_memory():
    """A million short trainings are many chunks, however fast they are."""
    chunks = cut([Job(Trial(iterations=2, curve_points=1000, hidden=64), range(1_000_000))])
    assert sum(chunk.trainings for chunk in chunks) == 1_000_000
    assert max(chunk.trainings for chunk in chunks) * (64 * 4 + 1 + 4) <= CHUNK_NUMBERS


def trained(chunk, times):
    """Return the records of a chunk that took so many times its estimate."""
    parts = []
    for job in chunk.jobs:
        shape = (job.trainings, 1)
        seconds = np.full(shape, times * job.cost_s / job.trainings)
        none = np.zeros(job.trainings, np.int64)
        outcome = Outcome(*[np.zeros(shape)] * 3, none, none, none, seconds)
        parts.append(Record(job.trial, tuple(job.seeds), False, outcome))
    return parts


@pytest.mark.untraced
@pytest.mark.parametrize("times", [0.1, 1.0, 10.0])
def test_chunks_take_half_a_second_once_it_is_known_how_long_trainings_take(times):
    """However wrong the estimates are; and none of the trainings is lost by that."""
    trial, pace = Trial(backend="numpy", iterations=2000), Pace()
    sizes, seeds = [], []
    for chunk in chunks.cut([Job(trial, range(10_000))], pace):
        pace.note(trained(chunk, times))
        sizes.append(chunk.cost_s * times)
        seeds += [seed for job in chunk.jobs for seed in job.seeds]
    assert seeds == list(range(10_000))
    assert CHUNK_S / 2 < min(sizes[1:-1]) <= max(sizes[1:-1]) <= CHUNK_S
    assert pace.factor(replace(trial, hidden=2)) == pytest.approx(times)
    assert pace.factor(replace(trial, backend="torch")) == 1.0


def test_what_failed_says_nothing_of_the_pace():
    """It has no outcome."""
    pace = Pace()
    pace.note([Record(Trial(backend="numpy"), (0,), False, result=Result.FAILED, reason="x")])
    assert pace.factor(Trial(backend="numpy")) == 1.0


def test_small_trials_share_a_chunk():
    """A hundred tiny trials are not a hundred round trips to a worker."""
    jobs = [Job(Trial(iterations=10, hidden=hidden), range(3)) for hidden in range(1, 60)]
    assert len(cut(jobs)) == 1


def test_the_longest_trainings_come_first():
    """No worker is left with a long one at the end."""
    short, long = (Job(Trial(backend="numpy", iterations=n), range(3)) for n in (1000, 10**6))
    assert [chunk.jobs[0].trial.iterations for chunk in cut([short, long])][:3] == [10**6] * 3


@given(SIZES)
def test_halving_ends_at_single_trainings(size):
    """Halves hold the same trainings as the whole."""
    job = job_of(size)
    chunks = [Chunk((job,))]
    while any(chunk.trainings > 1 for chunk in chunks):
        chunks = [half for chunk in chunks for half in chunk.halves()]
    assert pairs(chunks) == [(job.trial.trial_id, seed) for seed in job.seeds]


def test_several_jobs_are_halved_between_jobs():
    """A chunk of two jobs gives one job each."""
    chunk = Chunk((Job(Trial(), range(3)), Job(Trial(hidden=2), range(3))))
    assert [half.jobs for half in chunk.halves()] == [(chunk.jobs[0],), (chunk.jobs[1],)]
