"""Diagnostics of where trainings end, against torch's automatic differentiation.

Shapes: T trainings, N observations, P weights and biases.
"""

from dataclasses import replace

import numpy as np
import pytest

from bench.backends import load
from bench.model.diagnostics import diagnostics, hessians
from bench.model.gate import Gate, built_in
from bench.model.outcome import Batch
from bench.model.trial import Trial

XOR = built_in("xor")
ADDER = Gate("adder", XOR.inputs, np.stack([XOR.targets, XOR.inputs.prod(axis=1)], axis=1))
WAYS = [
    {"hidden": 3},
    {"hidden": 0, "loss": "bce"},
    {"hidden": 2, "activation": "tanh", "loss": "bce", "reduction": "sum"},
    {"hidden": "3-2", "activation": "symmetric", "loss": "huber", "output": "linear", "target_high": 3.0},
    {"hidden": 2, "activation": "tanh", "loss": "mse", "encoding": "bipolar", "output": "tanh", "target_low": -1.0},
    {"hidden": 2, "shortcuts": True, "loss": "arctanh", "output": "tanh", "target_low": -0.2, "target_high": 0.2},
    {"gate": ADDER, "hidden": 2, "hidden_bias": False, "target_low": 0.1, "target_high": 0.9},
    {"hidden": 3, "activation": "relu", "loss": "l1", "frozen": "hidden"},
]


def loss_in_torch(trial, weights):
    """Return the loss at a row of weights, in torch's own words."""
    torch = pytest.importorskip("torch")
    functions = {"relu": torch.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid, "linear": lambda x: x}
    functions["symmetric"] = lambda x: torch.sigmoid(x) - 0.5
    inputs = torch.tensor(trial.inputs)
    said, targets = inputs, torch.tensor(trial.targets).reshape(len(inputs), -1)
    for layer in trial.network.layers:
        last = layer is trial.network.layers[-1]
        if last and trial.shortcuts:
            said = torch.cat([said, inputs], dim=1)
        said = said @ weights[layer.weight].reshape(layer.fan_in, layer.fan_out)
        said = said if layer.bias is None else said + weights[layer.bias]
        said = functions[trial.output if last else trial.activation](said)
    far = (said - targets).abs()
    each = {
        "mse": lambda: far**2,
        "l1": lambda: far,
        "bce": lambda: torch.nn.functional.binary_cross_entropy(said, targets, reduction="none"),
        "huber": lambda: torch.nn.functional.huber_loss(said, targets, reduction="none"),
        "arctanh": lambda: far * torch.atanh(far) + torch.log1p(-far * far) / 2,
    }[trial.loss]()
    return each.mean() if trial.reduction == "mean" else each.sum()


@pytest.mark.parametrize("way", WAYS)
def test_gradient_and_curvature_are_those_of_automatic_differentiation(way):
    """Of every network and loss, by the weights that are trained."""
    torch = pytest.importorskip("torch")
    trial = Trial(**way)
    weights_TP = trial.initial_weights([1, 2])
    found_TD, hessian_TRR = diagnostics(trial, weights_TP), hessians(trial, weights_TP)
    trained = trial.trained
    for weights_P, found_D, hessian_RR in zip(weights_TP, found_TD, hessian_TRR, strict=True):
        at = torch.tensor(weights_P)
        expected = torch.autograd.functional.hessian(lambda some: loss_in_torch(trial, some), at).numpy()
        gradient = torch.autograd.functional.jacobian(lambda some: loss_in_torch(trial, some), at).numpy()
        np.testing.assert_allclose(hessian_RR, expected[trained][:, trained], rtol=0, atol=1e-10)
        smallest = np.linalg.eigvalsh(expected[trained][:, trained])[0]
        near = [np.linalg.norm(gradient[trained]), np.abs(weights_P).max(), smallest]
        np.testing.assert_allclose(found_D[:3], near, rtol=0, atol=1e-10)
        step_R = np.linalg.pinv(expected[trained][:, trained], rcond=1e-14) @ gradient[trained]
        assert found_D[3] == pytest.approx(np.linalg.norm(step_R), rel=1e-4)


def test_a_known_saddle_has_a_direction_of_escape():
    """With all weights 0 XOR is half right everywhere: no slope, and a way down."""
    trial = Trial(hidden=2)
    steep, largest, curved, _ = diagnostics(trial, np.zeros(trial.network.parameters))[0]
    assert (steep, largest) == (pytest.approx(0, abs=1e-15), 0)
    assert diagnostics(trial, np.full(trial.network.parameters, 0.5))[0, 2] < 0
    assert curved <= 1e-15


def test_a_minimum_is_told_from_a_slope_that_falls_for_ever():
    """A neuron alone is best where it says one half; with OR it falls for ever, and is flat long before."""
    minimum = Trial(hidden=0, loss="bce", iterations=5000, learning_rate=2.0, dtype="float64", backend="numpy")
    falling = replace(minimum, gate="or")
    for trial, is_there in ((minimum, True), (falling, False)):
        weights = load("numpy").train(Batch.of(trial, [0])).weights_TP
        _, _, curved, step = diagnostics(trial, weights)[0]
        assert curved > 0
        assert (step < 1e-3) == is_there


def test_large_weights_have_a_curvature_and_weights_that_are_no_numbers_have_none():
    """A neuron that is saturated on either side is flat."""
    trial = Trial(hidden=2)
    weights = np.full((3, trial.network.parameters), 2000.0)
    weights[1] *= -1
    weights[2, 0] = np.nan
    found = diagnostics(trial, weights)
    assert np.isfinite(found[:2]).all()
    assert np.isnan(found[2]).all()


def test_what_only_rounding_bends_is_flat():
    """Neurons that are dead have no curvature at all: none above 0, and none below."""
    trial = Trial(hidden=2, activation="relu")
    weights = trial.initial_weights([0])
    weights[:, trial.network.layers[0].bias] = -10.0
    assert diagnostics(trial, weights)[0, 2] == 0


def test_many_trainings_are_diagnosed_as_one_by_one(monkeypatch):
    """In parts, of trainings and of weights."""
    trial = Trial(hidden=2)
    weights = trial.initial_weights(range(7))
    together = diagnostics(trial, weights)
    monkeypatch.setattr("bench.model.diagnostics.NUMBERS", 100)
    np.testing.assert_allclose(diagnostics(trial, weights), together, rtol=1e-12, atol=1e-15)


def test_where_nothing_is_trained_there_is_no_curvature():
    """Nor any slope."""
    trial = Trial(hidden=0, frozen="output")
    assert np.array_equal(diagnostics(trial, [[1.0, -2.0, 0.5]]), [[0, 2, np.nan, np.nan]], equal_nan=True)
