"""Decision surfaces: what a network says of every input."""

from itertools import product

import numpy as np
import pytest

from bench.backends.numpy_loop import NumpyLoop
from bench.model.gate import Gate, built_in
from bench.model.outcome import Batch
from bench.stats.decision_surface import decision_surface, is_linearly_separable, plane, predictions, shades


@pytest.mark.parametrize(
    "of", [{"hidden": 0}, {"hidden": 3, "activation": "relu"}, {"hidden": "4-2", "hidden_bias": False}]
)
def test_a_network_says_of_its_observations_what_it_was_trained_to(trial, of):
    """The predictions of the plain loop, from its final weights."""
    some = trial(dtype="float64", learning_rate=2.0, **of)
    outcome = NumpyLoop().train(Batch.of(some, [3]))
    found = predictions(some, outcome.weights_TP[0], some.gate.inputs)
    assert found == pytest.approx(outcome.predictions_TN[0], rel=1e-12)


def test_the_plane_goes_half_as_far_again_as_the_observations(trial):
    """On either side; and a surface has the second input along its rows."""
    first, second = plane(trial(), 5)
    assert first.tolist() == second.tolist() == [-0.5, 0, 0.5, 1, 1.5]
    some = trial(hidden=0, output_bias=False)
    surface = decision_surface(some, [100.0, 0.0], 5)
    assert surface.shape == (5, 5)
    assert np.allclose(surface, 1 / (1 + np.exp(-100 * first)))


def test_white_and_black_are_the_targets_of_0_and_1_or_the_ends_of_others(trial):
    """Of a regression the least and the greatest."""
    assert shades(trial(target_low=-0.5, target_high=0.9, output="tanh")) == (-0.5, 0.9)
    inputs = np.array([[0.0, 0], [1, 1]])
    assert shades(trial(gate=Gate("line", inputs, np.array([-3.0, 2.0])), output="linear")) == (-3, 2)
    assert shades(trial(gate=Gate("flat", inputs, np.array([2.0, 2.0])), output="linear")) == (1.5, 2.5)


def test_a_gate_of_three_inputs_has_no_plane(trial):
    """It is said so."""
    with pytest.raises(ValueError, match="parity3 has 3 inputs; allowed are two"):
        plane(trial(gate=built_in("parity3")), 5)


@pytest.mark.parametrize(("inputs", "separable"), [(1, 4), (2, 14), (3, 104)])
def test_as_many_functions_are_linearly_separable_as_are_known_to_be(inputs, separable):
    """Of all 2^(2^n) Boolean functions of n inputs (OEIS A000609)."""
    table = np.array(list(product((0.0, 1.0), repeat=inputs)))
    every = (Gate("some", table, np.array(targets)) for targets in product((0.0, 1.0), repeat=len(table)))
    assert sum(map(is_linearly_separable, every)) == separable
