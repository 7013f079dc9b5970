"""What the contract suite does not ask of torch-batched: sizes, groups, and the GPU.

Shapes: T trainings, N observations.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch

from bench.backends import torch_batched
from bench.backends.numpy_loop import NumpyLoop
from bench.backends.torch_batched import TorchBatched
from bench.model.gate import Gate
from bench.model.outcome import NEVER, Batch
from bench.model.trial import Trial

NAMES = ("loss_TC", "predictions_TN", "weights_TP", "solved_at_T", "correct_at_T", "iterations_T")
TWO = Gate("two", np.array([[0.0], [1.0]]), np.eye(2))
QUICK = {"hidden": 4, "activation": "tanh", "loss": "bce", "learning_rate": 2.0, "momentum": 0.9}


def table(observations, inputs=3):
    """Return a gate of so many observations: whether a random point is above a plane."""
    rng = np.random.default_rng(5)
    points = rng.standard_normal((observations, inputs))
    return Gate("table", points, (points.sum(axis=1) > 0).astype(float))


def train(trial, seeds, **varied):
    """Train these seeds; ``varied`` replaces what varies along T."""
    return TorchBatched().train(replace(Batch.of(trial, seeds), **varied))


def assert_same(one, other, places=slice(None)):
    """Assert that an outcome holds the same numbers as some trainings of another, to the bit."""
    for name in NAMES:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name)[places], err_msg=name)


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_training_among_hundreds_has_the_numbers_that_it_has_alone(activation, dtype):
    """Whatever the width of the vectors that it is computed with, and wherever in them it lies."""
    trial = Trial(gate="parity3", hidden="5-3", activation=activation, momentum=0.5, iterations=30, dtype=dtype)
    together = train(trial, range(333))
    for seeds in ([0], [332], list(range(100, 170))):
        assert_same(train(trial, seeds), together, seeds)


@pytest.mark.parametrize("stop", ["never", "solved"])
def test_a_batch_that_is_cut_into_groups_has_the_numbers_of_one_group(monkeypatch, stop):
    """Memory is bounded by training group after group, and nothing else changes."""
    trial = Trial(**QUICK, iterations=60, stop=stop)
    whole = train(trial, range(200))
    monkeypatch.setitem(torch_batched.GROUP_NUMBERS, "cpu", 1)
    cut = train(trial, range(200))
    assert (whole.together, cut.together) == (200, 64)
    assert_same(cut, whole)


def test_how_many_iterations_are_looked_at_together_changes_nothing(monkeypatch):
    """Convergence is noticed at the same iteration, and a stopped training is the same."""
    trial = Trial(**QUICK, iterations=60, stop="solved", curve_points=3)
    together = train(trial, range(20))
    monkeypatch.setattr(torch_batched, "SLOTS", 1)
    one_by_one = train(trial, range(20))
    assert (one_by_one.solved_at_T != NEVER).sum() > 10
    assert_same(one_by_one, together)


@pytest.mark.parametrize(("observations", "hidden", "update"), [(65_536, 3, "full"), (2_000, 64, "online")])
def test_a_large_table_is_learned_as_by_the_plain_loop(observations, hidden, update):
    """A training with tensors of its own: matrix products instead of sums written out."""
    trial = Trial(
        gate=table(observations), hidden=hidden, update=update, learning_rate=0.1, iterations=2, dtype="float64"
    )
    assert TorchBatched().group_size(trial) == 1
    found, plain = train(trial, [0, 1]), NumpyLoop().train(Batch.of(trial, [0, 1]))
    for name in NAMES:
        np.testing.assert_allclose(getattr(found, name), getattr(plain, name), rtol=1e-9, err_msg=name)


@pytest.mark.parametrize("observations", [1, 2, 3, 7, 33, 100])
def test_gradients_are_summed_over_any_number_of_observations(observations):
    """Halving what is left works for odd numbers too, and where a table is multiplied in parts."""
    trial = Trial(gate=table(observations), hidden="24-5", learning_rate=0.5, iterations=5, dtype="float64")
    assert TorchBatched().group_size(trial) > 1
    found, plain = train(trial, [0, 1]), NumpyLoop().train(Batch.of(trial, [0, 1]))
    np.testing.assert_allclose(found.weights_TP, plain.weights_TP, rtol=1e-9)


def test_a_training_without_momentum_has_none_beside_one_with_it():
    """It is the training of plain gradient descent to the bit, even where it diverges."""
    trial = Trial(hidden="8-8", activation="relu", iterations=12)
    rates = np.array([0.05, 1e38, 0.05, 1e38])
    mixed = train(trial, range(4), learning_rate_T=rates, momentum_T=np.array([0.0, 0.0, 0.9, 0.9]))
    plain = train(trial, [0, 1], learning_rate_T=rates[:2], momentum_T=np.zeros(2))
    assert_same(plain, mixed, [0, 1])


def test_the_number_of_threads_is_as_before_and_changes_nothing():
    """A library's threads are its user's."""
    trial = Trial(hidden=16, iterations=5)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        two = train(trial, range(2000))
        assert torch.get_num_threads() == 2
        torch.set_num_threads(1)
        assert_same(train(trial, range(2000)), two)
    finally:
        torch.set_num_threads(before)


def test_seconds_are_shared_by_those_who_advance_together():
    """Each training's seconds are its share; the outcome says with how many."""
    trial = Trial(iterations=20, curve_points=2)
    found = train(trial, range(70))
    assert found.together == 70
    assert (found.seconds_TC == found.seconds_TC[0]).all()


def test_fused_sums_are_refused():
    """What, got, allowed."""
    reason = TorchBatched().unsupported(Trial(summation="fma"))
    assert reason == "backend torch-batched has no summation 'fma'; it has library"


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there_is_refused_by_its_name():
    """What, got, allowed."""
    reason = TorchBatched().unsupported(Trial(device="cuda"))
    assert reason == "backend torch-batched has no device 'cuda' on this machine; it has cpu"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="NO GPU HERE: CUDA graphs of torch-batched are not tested")
@pytest.mark.parametrize("update", ["full", "online"])
@pytest.mark.parametrize("stop", ["never", "solved"])
def test_a_gpu_trains_what_the_cpu_trains(update, stop):
    """Captured once and replayed, the iterations are those of the CPU but for rounding."""
    trial = Trial(**QUICK, iterations=500, curve_points=7, update=update, stop=stop, dtype="float64")
    cpu, gpu = train(trial, range(100)), train(replace(trial, device="cuda"), range(100))
    assert gpu.compile_seconds > 0
    for name in ("predictions_TN", "solved_at_T", "correct_at_T", "iterations_T"):
        np.testing.assert_allclose(getattr(gpu, name), getattr(cpu, name), rtol=1e-6, err_msg=name)
    assert_same(train(replace(trial, device="cuda"), [3, 50]), gpu, [3, 50])


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"optimizer": "adam"}, "optimizer 'adam'"),
        ({"shortcuts": True}, "shortcuts"),
        ({"noise": 0.1}, "noise"),
        ({"activation": "symmetric"}, "activation 'symmetric'"),
        ({"loss": "arctanh"}, "loss 'arctanh'"),
        ({"success": "correct"}, "success 'correct'"),
        ({"update": "minibatch", "batch_size": 2}, "update 'minibatch'"),
        ({"gate": TWO}, "networks with 2 outputs"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_its_tensors_are_not_made_for_is_refused(values, what):
    """What is in the table is taken."""
    assert TorchBatched().unsupported(Trial(**values)) == f"backend torch-batched has no {what}"
    assert TorchBatched().unsupported(Trial(encoding="bipolar", target_low=0.1, target_high=0.9)) is None
