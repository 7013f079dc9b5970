"""Samples of timings: latency, throughput and chunks from what a backend measured."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.model.outcome import Outcome
from bench.model.timing import Timing, read_sample, stretches
from bench.model.trial import Trial

TRIAL = Trial(iterations=100, curve_points=4)  # recorded at 0, 25, 50, 75; the late checkpoint is 90


def outcome(seconds_TC, iterations_T=100, **more):
    """Make up what a batch took from checkpoint to checkpoint."""
    seconds = np.asarray(seconds_TC, float)
    size = len(seconds)
    never = np.full(size, -1)
    return Outcome(
        loss_TC=np.zeros_like(seconds),
        predictions_TN=np.arange(size * 4.0).reshape(size, 4),
        weights_TP=np.zeros((size, TRIAL.network.parameters)),
        solved_at_T=never,
        correct_at_T=never,
        iterations_T=np.broadcast_to(iterations_T, size).astype(np.int64),
        seconds_TC=seconds,
        **more,
    )


def sample_of(done):
    timing = Timing(TRIAL, range(len(done.seconds_TC)), 1)
    return read_sample(timing, TRIAL, done, number=1, order=0, threads=1, wall_s=3.0, cpu_s=2.5)


def test_latency_is_by_the_backends_clock_and_throughput_by_the_callers():
    """Two trainings, 3 ms and 1 ms for 100 iterations: 40 µs for both to advance, and a second to wait."""
    sample = sample_of(outcome([[0.6e-3] * 5, [0.2e-3] * 5], compile_seconds=2.0))
    assert (sample.iteration_us, sample.training_us) == (pytest.approx(40), pytest.approx(5000))
    assert (sample.compile_s, sample.wall_s, sample.cpu_s) == (2.0, 3.0, 2.5)


def test_chunks_are_between_recorded_iterations():
    """The last has both checkpoints from iteration 75 on."""
    sample = sample_of(outcome([[25e-6, 50e-6, 75e-6, 60e-6, 40e-6]]))
    assert sample.chunk_us_K == pytest.approx([1, 2, 3, 4])


def test_trainings_that_stopped_early_count_for_what_they_did():
    """50 iterations in 100 µs and 100 in 200 µs: 4 µs for both to advance; the caller waited 3 s for 150 of them."""
    seconds = [[50e-6, 50e-6, 0, 0, 0], [50e-6, 50e-6, 50e-6, 30e-6, 20e-6]]
    sample = sample_of(outcome(seconds, [50, 100]))
    assert (sample.iteration_us, sample.training_us) == (pytest.approx(4), pytest.approx(20_000))
    assert sample.chunk_us_K == pytest.approx([4, 4, 4, 4])


def test_what_was_not_begun_has_no_time():
    """Solved before the first update, or before a chunk."""
    sample = sample_of(outcome([[25e-6, 0, 0, 0, 0]], 25))
    assert sample.chunk_us_K == pytest.approx([1, np.nan, np.nan, np.nan], nan_ok=True)
    assert np.isnan(sample_of(outcome([[0] * 5], 0)).training_us)


@given(st.integers(1, 300), st.integers(1, 60), st.integers(0, 300))
def test_stretches_add_up_to_the_whole(iterations, points, done):
    """Whatever is recorded, all seconds and all iterations are in one of them."""
    trial = Trial(iterations=iterations, curve_points=points)
    seconds = np.random.default_rng(0).random((2, len(trial.checkpoints)))
    seconds_TK, done_TK = stretches(trial, outcome(seconds, min(done, iterations)))
    assert seconds_TK.sum() == pytest.approx(seconds.sum())
    assert done_TK.sum(axis=1).tolist() == [min(done, iterations)] * 2
    assert seconds_TK.shape == done_TK.shape == (2, len(trial.recorded_iterations))


def test_some_trainings_of_an_outcome_keep_what_is_theirs():
    """Arrays with a row per training are cut, the rest stays."""
    whole = outcome(np.arange(15.0).reshape(3, 5), [10, 20, 30], together=3)
    some = whole.take(np.array([2, 0]))
    assert some.iterations_T.tolist() == [30, 10]
    assert some.seconds_TC.tolist() == [[10, 11, 12, 13, 14], [0, 1, 2, 3, 4]]
    assert some.predictions_TN.tolist() == [[8, 9, 10, 11], [0, 1, 2, 3]]
    assert (some.together, some.loss_TC.shape, some.weights_TP.shape) == (3, (2, 5), (2, TRIAL.network.parameters))
