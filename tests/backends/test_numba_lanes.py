"""The compiled backend beyond the contract: its functions, its two kernels, its blocks and tiles, its cache."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.backends import numba_lanes
from bench.backends.numba_kernels import arithmetic, compiling
from bench.backends.numba_lanes import NumbaLanes
from bench.backends.numpy_loop import NumpyLoop
from bench.model.gate import Gate
from bench.model.loss import LOSSES
from bench.model.network import HIDDEN_ACTIVATIONS
from bench.model.outcome import NEVER, Batch
from bench.model.trial import Trial

NUMBERS = ("loss_TC", "predictions_TN", "weights_TP", "solved_at_T", "correct_at_T", "iterations_T")
PRECISE = np.longdouble


def train(trial, seeds, **varied):
    """Train with the lanes."""
    return NumbaLanes().train(replace(Batch.of(trial, seeds), **varied))


def plain(trial, seeds):
    """Train with the plain loop."""
    return NumpyLoop().train(Batch.of(replace(trial, backend="numpy"), seeds))


def same(one, other):
    """Assert that two outcomes are equal to the bit, times apart."""
    for name in NUMBERS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


def table(observations, inputs, seed=0):
    """Return a gate of random numbers and random bits."""
    rng = np.random.default_rng(seed)
    return Gate("random", rng.normal(size=(observations, inputs)), rng.integers(0, 2, observations).astype(float))


def one_rounding_away(trial, seed):
    """Return the plain loop's predictions ``[2 P, N]`` where one weight of the start is the next number up or down."""
    weights = trial.initial_weights([seed])[0]
    moved = [np.where(np.eye(len(weights)), np.nextafter(weights, to), weights) for to in (-np.inf, np.inf)]
    batch = Batch.of(replace(trial, backend="numpy"), [int(seed)] * 2 * len(weights))
    return NumpyLoop().train(replace(batch, weights_TP=np.concatenate(moved))).predictions_TN


# ---------------------------------------------------------------- functions of one number


@pytest.fixture(scope="module")
def on_array():
    """Return what applies a compiled function to every number of an array."""
    import numba

    def vectorised(function):
        return numba.vectorize(lambda x: function(x))  # noqa: PLW0108 - a compiled function cannot be vectorised itself

    return vectorised


@pytest.mark.parametrize(("dtype", "reach", "error"), [("float32", 87, 3e-7), ("float64", 708, 1e-15)])
def test_the_sigmoid_is_right_to_its_last_digits_in_both_tails(on_array, dtype, reach, error):
    """The relative error stays near the precision's own, down to the smallest normal number."""
    z = np.linspace(-reach, reach, 40_001).astype(dtype)
    found = on_array(arithmetic.sigmoid)(z)
    expected = 1 / (1 + np.exp(-z.astype(PRECISE)))
    assert found.dtype == dtype
    assert (abs(found - expected) / expected).max() < error


@pytest.mark.parametrize(("dtype", "error"), [("float32", 3e-7), ("float64", 1e-15)])
def test_the_hyperbolic_tangent_is_right_near_zero_too(on_array, dtype, error):
    """A difference of exponentials would lose every digit there."""
    z = np.concatenate([np.geomspace(1e-6, 30, 20_000), -np.geomspace(1e-6, 30, 20_000)]).astype(dtype)
    found = on_array(arithmetic.tanh)(z)
    expected = np.tanh(z.astype(PRECISE))
    assert (abs(found - expected) / abs(expected)).max() < error


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_functions_have_their_limits_and_keep_what_is_no_number(on_array, dtype):
    """Infinite logits saturate; NaN stays NaN."""
    z = np.array([-np.inf, -1e30, 1e30, np.inf, np.nan], dtype)
    np.testing.assert_array_equal(on_array(arithmetic.sigmoid)(z), [0, 0, 1, 1, np.nan])
    np.testing.assert_array_equal(on_array(arithmetic.tanh)(z), [-1, -1, 1, 1, np.nan])


# ---------------------------------------------------------------- blocks of lanes


@pytest.mark.parametrize("hidden", ["3", "3-2"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numbers_do_not_depend_on_the_block(hidden, dtype):
    """In batches of 7, of 4,096, or with a diverging training beside it: the same to the bit."""
    trial = Trial(hidden=hidden, dtype=dtype, iterations=60, learning_rate=1.0, momentum=0.5)
    whole = train(trial, range(4096))
    for start in (0, 63, 4089):
        same(train(trial, range(start, start + 7)), whole.take(slice(start, start + 7)))
    rates = np.full(100, 1.0)
    rates[50] = np.inf
    beside = train(trial, range(100), learning_rate_T=rates)
    assert not np.isfinite(beside.weights_TP[50]).all()
    others = np.arange(100) != 50
    same(beside.take(others), whole.take(np.flatnonzero(others)))


def test_a_diverging_training_without_momentum_is_the_same_beside_one_with():
    """To the bit: its velocity, infinite, is not multiplied by its momentum, zero."""
    trial = Trial(iterations=8, hidden=3, activation="relu")
    rates, alone = np.full(3, np.inf), np.zeros(3)
    beside = np.array([0.0, 0.9, 0.0])
    without = train(trial, range(3), learning_rate_T=rates, momentum_T=alone)
    same(
        train(trial, range(3), learning_rate_T=rates, momentum_T=beside).take([0, 2]),
        without.take([0, 2]),
    )


def test_a_batch_too_large_for_the_memory_is_trained_in_groups(monkeypatch):
    """They are joined as if nothing had happened; each group has its own time."""
    trial = Trial(iterations=30)
    whole = train(trial, range(300))
    monkeypatch.setattr(numba_lanes, "GROUP_BYTES", 1)
    parts = train(trial, range(300))
    same(parts, whole)
    assert (whole.together, parts.together) == (300, 64)
    assert len(np.unique(parts.seconds_TC[:, 0])) > 1


def test_idle_lanes_do_not_keep_a_block_going():
    """Seven trainings that are all solved end the block, though it has room for more."""
    trial = Trial(gate="or", hidden=0, learning_rate=5.0, iterations=100_000_000, stop="solved")
    found = train(trial, range(7))  # would take hours
    assert (found.solved_at_T != NEVER).all()
    assert found.iterations_T.tolist() == found.solved_at_T.tolist()


# ---------------------------------------------------------------- kernels


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_both_kernels_train_alike(monkeypatch, activation, momentum):
    """What the one does for small tables, the other does for any."""
    trial = Trial(hidden=3, activation=activation, momentum=momentum, dtype="float64", iterations=400)
    special = train(trial, range(70))
    monkeypatch.setattr(numba_lanes, "has_one_hidden_kernel", lambda trial: False)
    general = train(trial, range(70))
    for name in NUMBERS:
        np.testing.assert_allclose(getattr(general, name), getattr(special, name), rtol=1e-9, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("update", ["full", "online"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numbers_do_not_depend_on_tiles_and_checkpoints(dtype, update, monkeypatch):
    """Eleven observations in one tile or in three, in one call or in forty: the same to the bit."""
    trial = Trial(gate=table(11, 3), hidden="3-2", dtype=dtype, update=update, momentum=0.9, iterations=40)
    whole = train(trial, range(5))
    monkeypatch.setattr(numba_lanes, "TILE_BYTES", 1)
    same(train(trial, range(5)), whole)
    once = train(replace(trial, curve_points=1), range(5))
    for name in ("predictions_TN", "weights_TP", "solved_at_T", "correct_at_T"):
        np.testing.assert_array_equal(getattr(once, name), getattr(whole, name), err_msg=name)


@pytest.mark.untraced
@pytest.mark.parametrize(
    ("gate", "hidden", "update"),
    [
        (table(300, 7), "64", "full"),
        (table(300, 7), "64-64", "full"),
        (table(37, 5), "1-64-3", "online"),
        (table(9, 4), "0", "full"),
        (table(1, 1), "2", "full"),
        (table(8, 4), "5", "full"),
        (table(9, 2), "5", "full"),
    ],
    ids=lambda value: f"{len(value.targets)}x{value.inputs.shape[1]}" if isinstance(value, Gate) else str(value),
)
def test_any_table_and_network_agrees_with_the_plain_loop(gate, hidden, update):
    """More observations than a tile holds, more inputs than are unrolled, the widest layers."""
    trial = Trial(gate=gate, hidden=hidden, update=update, dtype="float64", iterations=12, learning_rate=0.5)
    found, expected = train(trial, range(3)), plain(trial, range(3))
    for name in NUMBERS:
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-9, atol=1e-12, err_msg=name)


def test_the_largest_table_is_trained():
    """65,536 observations: the sums run over hundreds of tiles."""
    trial = Trial(gate=table(65_536, 3), hidden=4, dtype="float64", iterations=2, learning_rate=5.0)
    found, expected = train(trial, [0]), plain(trial, [0])
    np.testing.assert_allclose(found.weights_TP, expected.weights_TP, rtol=1e-10)
    np.testing.assert_allclose(found.predictions_TN, expected.predictions_TN, rtol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("update", ["full", "online"])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", HIDDEN_ACTIVATIONS[:3])
def test_ten_thousand_iterations_end_where_the_plain_loop_ends(activation, loss, update):
    """To 1e-9 in float64, or as near as the plain loop ends to itself when its start is moved by one rounding.

    Some trainings leave a plateau along an unstable direction, and magnify whatever is rounded by up to 1e12.
    """
    trial = Trial(activation=activation, loss=loss, update=update, dtype="float64", iterations=10_000, curve_points=1)
    found, expected = train(trial, range(4)).predictions_TN, plain(trial, range(4)).predictions_TN
    difference = abs(found - expected).max(axis=1)
    far = np.flatnonzero(difference > 1e-9)
    assert len(far) <= 1
    for seed in far:
        assert difference[seed] < 10 * abs(one_rounding_away(trial, seed) - expected[seed]).max()


# ---------------------------------------------------------------- compiled code


def test_compilation_is_told_apart_from_training():
    """The first batch of a new shape says how long it took to compile; its seconds are those of a second batch."""
    gate = Gate("one input", np.array([[0.0], [1.0], [2.0]]), np.array([0.0, 1.0, 0.0]))
    trial = Trial(gate=gate, hidden=2, iterations=1)
    first, second = (train(trial, [0]) for _ in range(2))
    assert first.compile_seconds > first.seconds_TC.sum()  # one iteration, however busy the machine is
    assert second.compile_seconds < first.compile_seconds


SMALL = """
from bench.backends.numba_lanes import NumbaLanes
from bench.model.outcome import Batch
from bench.model.trial import Trial
print(NumbaLanes().train(Batch.of(Trial(iterations=1, activation="relu"), [0])).iterations_T)
"""


@pytest.fixture
def elsewhere(tmp_path):
    """Train in a process whose compiled code is kept in a place of its own."""

    def run(cache):
        environment = os.environ | {"NUMBA_CACHE_DIR": str(cache)}
        done = subprocess.run(
            [sys.executable, "-c", SMALL], env=environment, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout.strip()) == (0, "[1]"), done.stderr

    return run


@pytest.mark.slow
def test_a_damaged_cache_is_made_anew(elsewhere, tmp_path):
    """Files that a crash cut off cost a compilation, not the trainings."""
    elsewhere(tmp_path)
    kept = list(tmp_path.rglob("*.nb[ci]"))
    assert kept
    for file in kept:
        file.write_bytes(file.read_bytes()[:50])
    elsewhere(tmp_path)
    assert all(file.stat().st_size > 50 for file in kept)


@pytest.mark.slow
def test_where_nothing_can_be_kept_every_process_compiles_anew(elsewhere, tmp_path):
    """Nor does Numba keep anything beside the sources, where it would not notice that they change."""
    (tmp_path / "file").touch()
    elsewhere(tmp_path / "file")
    assert list(Path(compiling.__file__).parent.rglob("*.nb[ci]")) == []


def test_another_edition_of_the_sources_has_a_folder_of_its_own(tmp_path, monkeypatch):
    """Code that was compiled from other sources is never used."""
    monkeypatch.setattr(compiling.config, "CACHE_DIR", str(tmp_path))
    one = compiling._cache_folder()
    monkeypatch.setattr(compiling.loss, "__file__", __file__)
    other = compiling._cache_folder()
    assert one != other
    assert one.is_dir()
    assert other.is_dir()


@pytest.mark.parametrize(
    "parameters",
    [
        {"hidden": 2, "activation": "tanh", "momentum": 0.5},
        {"hidden": (4, 4), "activation": "tanh", "learning_rate": 2.0},
        {"hidden": "8-8-8", "activation": "relu", "learning_rate": 1e38},
    ],
    ids=["one hidden layer", "two", "some that diverge"],
)
def test_lanes_that_are_given_back_change_no_number(parameters, monkeypatch):
    """What is solved, or lost for good, gives its place to others; all come out as if nothing had moved."""
    trial = Trial(**{"learning_rate": 3.0, "iterations": 3000, "stop": "solved", **parameters})
    batch, bound = Batch.of(trial, range(700)), []
    again = numba_lanes.LaneGroup._kernel
    monkeypatch.setattr(numba_lanes.LaneGroup, "_kernel", lambda *args: bound.append(1) or again(*args))
    found = NumbaLanes().train(batch)
    assert len(bound) > 1
    monkeypatch.setattr(numba_lanes, "WORTH", 1e-9)
    still = NumbaLanes().train(batch)
    for name in ("loss_TC", "predictions_TN", "weights_TP", "solved_at_T", "correct_at_T", "iterations_T"):
        np.testing.assert_array_equal(getattr(found, name), getattr(still, name), err_msg=name)


ADDER = Gate("adder", np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), np.array([[0.0, 0], [1, 0], [1, 0], [0, 1]]))
MIXED = {  # few kernels, and together all that they can do; the contract has every parameter by itself
    "one hidden layer": {
        "optimizer": "rmsprop",
        "momentum": 0.5,
        "epsilon": 1e-3,
        "noise": 0.02,
        "clip": 0.05,
        "weight_decay": 0.01,
        "schedule": "cosine",
        "schedule_length": 25,
        "frozen": "biases",
        "learning_rate_output": 0.05,
    },
    "batches": {
        "gate": ADDER,
        "hidden": "3-2",
        "shortcuts": True,
        "activation": "symmetric",
        "output": "tanh",
        "optimizer": "adamw",
        "noise": 0.02,
        "update": "minibatch",
        "batch_size": 3,
        "shuffle": "always",
        "dropout": 0.2,
        "label_flips": 0.2,
        "slope_offset": 0.05,
    },
    "full batch": {
        "hidden": "3-2",
        "loss": "arctanh",
        "output": "linear",
        "encoding": "bipolar",
        "target_low": 0.1,
        "success": "loss",
        "success_loss": 0.12,
        "success_for": 3,
        "optimizer": "normalized",
        "momentum": 0.5,
    },
}


@pytest.mark.parametrize("parameters", MIXED.values(), ids=MIXED)
def test_whatever_a_step_is_made_of_is_the_plain_loops(parameters):
    """Optimizers, noise, flipped labels, dropout, orders, outputs and successes, in float64 to 1e-9."""
    trial = Trial(**{"learning_rate": 0.1, "iterations": 40, "dtype": "float64", **parameters})
    batch = Batch.of(trial, range(4))
    found, expected = NumbaLanes().train(batch), NumpyLoop().train(batch)
    for name in ("loss_TC", "predictions_TN", "weights_TP"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-9, atol=1e-9, err_msg=name)
    for name in ("solved_at_T", "correct_at_T", "iterations_T"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)


def test_what_an_optimizer_remembers_moves_with_its_lane(monkeypatch):
    """With Adam and noise too, lanes that are given back change no number, nor do points of the curve."""
    trial = Trial(optimizer="adam", noise=0.01, learning_rate=0.1, iterations=1200, stop="solved")
    batch = Batch.of(trial, range(300))
    found = NumbaLanes().train(batch)
    monkeypatch.setattr(numba_lanes, "WORTH", 1e-9)
    still = NumbaLanes().train(replace(batch, trial=replace(trial, curve_points=7)))
    assert len(set(found.iterations_T.tolist())) > 100
    for name in ("predictions_TN", "weights_TP", "solved_at_T", "correct_at_T", "iterations_T"):
        np.testing.assert_array_equal(getattr(found, name), getattr(still, name), err_msg=name)
