from dataclasses import replace

import numpy as np
import pytest
import torch

from bench.backends.numpy_loop import NumpyLoop, NumpyTraining
from bench.model.gate import Gate
from bench.model.loss import LOSSES, loss_value
from bench.model.network import OUTPUT_RANGES
from bench.model.outcome import NEVER, Batch
from bench.model.trial import Trial
from bench.testing.backend_contract import (
    BINARY,
    FAST,
    MIXTURES,
    SUCCESSES,
    ZEROS,
    differentiable,
    first,
    predictions_by_budget,
    slopes,
    wanted,
)

WALKTHROUGH = Trial(
    gate="or",
    hidden=3,
    hidden_bias=False,
    output_bias=False,
    init="uniform",
    iterations=10_000,
    curve_points=10,
    dtype="float64",
)


@pytest.fixture(scope="module")
def walkthrough():
    """Train the walkthrough's OR network, seed 1, as it is trained there."""
    return NumpyLoop().train(Batch.of(WALKTHROUGH, [1]))


def test_the_walkthroughs_errors_are_reached_to_the_last_printed_digit(walkthrough):
    """OR with NumPy: the errors printed at steps 0, 1000, ..., 9000."""
    assert WALKTHROUGH.checkpoints.tolist() == list(range(0, 10_000, 1000))
    assert [f"{loss:.6e}" for loss in walkthrough.loss_TC[0]] == [
        "1.960156e-01",
        "1.651662e-01",
        "1.593565e-01",
        "1.550351e-01",
        "1.511067e-01",
        "1.465351e-01",
        "1.392272e-01",
        "1.234844e-01",
        "9.350530e-02",
        "6.205274e-02",
    ]


def test_the_walkthroughs_weights_are_reached_to_the_last_printed_digit(walkthrough):
    """OR with NumPy: the nine final weights."""
    assert [f"{weight:.8f}" for weight in walkthrough.weights_TP[0]] == [
        "1.66707072",
        "2.43454525",
        "-1.50667653",
        "1.66659174",
        "2.29166158",
        "-1.50681196",
        "0.70570663",
        "2.04736287",
        "-4.12867523",
    ]


def test_the_walkthroughs_predictions_are_reached_to_the_last_printed_digit(walkthrough):
    """OR with NumPy: the four final predictions."""
    found = [f"{prediction:.6f}" for prediction in walkthrough.predictions_TN[0]]
    assert found == ["0.334522", "0.846053", "0.849022", "0.925358"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_network_is_trained_in_the_trials_precision(dtype):
    """float32 stays float32 from the weights to the predictions."""
    training = NumpyTraining(Batch.of(Trial(dtype=dtype, momentum=0.9), [0]))
    assert training.predict().dtype == dtype
    training.step()
    assert training.weights().dtype == dtype


def test_weights_that_were_handed_out_do_not_change():
    """They are a copy, not a view of the network."""
    training = NumpyTraining(Batch.of(Trial(), [0]))
    before = training.weights()
    kept = before.copy()
    training.predict()
    training.step()
    np.testing.assert_array_equal(before, kept)
    assert (training.weights() != kept).any()


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"device": "cuda"}, "backend numpy has no device 'cuda'; it has cpu"),
        ({"summation": "fma"}, "backend numpy has no summation 'fma'; it has library"),
    ],
)
def test_what_numpy_cannot_do_is_refused(values, reason):
    """What, got, allowed."""
    assert NumpyLoop().unsupported(Trial(**values)) == reason


@pytest.mark.parametrize("loss", LOSSES)
def test_the_gradient_of_any_network_is_that_of_finite_differences(loss):
    """Of every activation of hidden and output neurons, with several outputs, and inputs that reach the output."""
    for output in OUTPUT_RANGES if loss != "bce" else ["sigmoid"]:
        for values in differentiable(output, loss):
            trial = Trial(**values)
            (before,) = trial.initial_weights([1])
            moved = before - NumpyLoop().train(Batch.of(trial, [1])).weights_TP[0]
            expected = slopes(trial, before)
            np.testing.assert_allclose(moved / trial.learning_rate, expected, rtol=1e-6, atol=1e-8, err_msg=str(values))


def test_what_is_added_to_slopes_is_added_to_those_of_every_layer():
    """One weight after another, without biases: the chain rule with f' + 0.1 in the place of f' (Fahlman 1988)."""
    gate = Gate("one", np.array([[0.7]]), np.array([0.9]))
    trial = Trial(
        gate=gate, hidden=1, hidden_bias=False, output_bias=False, slope_offset=0.1, iterations=1, dtype="float64"
    )
    found = NumpyLoop().train(Batch(trial, [0.4, -1.1])).weights_TP[0]
    hidden = 1 / (1 + np.exp(-0.4 * 0.7))
    said = 1 / (1 + np.exp(1.1 * hidden))
    delta = 2 * (said - 0.9) * (said * (1 - said) + 0.1)
    by_hidden = delta * -1.1 * (hidden * (1 - hidden) + 0.1)
    np.testing.assert_allclose(found, [0.4 - 0.05 * by_hidden * 0.7, -1.1 - 0.05 * delta * hidden], rtol=1e-14)


def test_a_gradient_that_is_too_long_is_cut_off_as_torch_does_it():
    """By clip_grad_norm_, over all layers at once; then weight decay is added to it, by torch.optim.SGD."""
    trial = Trial(hidden=3, clip=0.01, weight_decay=0.1, learning_rate=1, iterations=1, dtype="float64")
    (before,) = trial.initial_weights([3])
    plain = NumpyLoop().train(Batch.of(replace(trial, clip=0, weight_decay=0), [3])).weights_TP[0]
    weights = torch.nn.Parameter(torch.tensor(before))
    weights.grad = torch.tensor(before - plain)
    assert torch.nn.utils.clip_grad_norm_([weights], 0.01) > 0.01
    torch.optim.SGD([weights], lr=1, weight_decay=0.1).step()
    found = NumpyLoop().train(Batch.of(trial, [3])).weights_TP[0]
    np.testing.assert_allclose(found, weights.detach().numpy(), rtol=1e-12)


def test_decay_that_is_apart_from_the_gradient_is_adamws():
    """Weights shrink by rate times decay of themselves before the step (Loshchilov & Hutter 2019)."""
    trial = Trial(hidden=3, optimizer="adamw", weight_decay=0.1, iterations=1, dtype="float64")
    (before,) = trial.initial_weights([3])
    adam = NumpyLoop().train(Batch.of(Trial(hidden=3, optimizer="adam", iterations=1, dtype="float64"), [3]))
    found = NumpyLoop().train(Batch.of(trial, [3])).weights_TP
    np.testing.assert_allclose(found, adam.weights_TP - 0.05 * 0.1 * before, rtol=1e-12)


@pytest.mark.parametrize("success", SUCCESSES)
def test_success_is_where_budgets_that_end_there_show_it(success):
    """To the iteration: the last of as many in a row as it takes."""
    values = {**FAST["full"], "iterations": 40, "dtype": "float64", **SUCCESSES[success], "stop": "never"}
    trial, seeds = Trial(**values), [0, 1]
    budgets = range(trial.iterations + 1)
    predictions_KTN = np.array(predictions_by_budget(NumpyLoop(), trial, seeds, budgets))
    right = (predictions_KTN > trial.middle) == (wanted(trial) > trial.middle)
    meets_KT = {
        "correct": right.all(axis=2),
        "loss": loss_value(trial.loss, "mean", predictions_KTN, wanted(trial)) <= trial.success_loss,
        "tolerance": (abs(predictions_KTN - wanted(trial)) <= trial.tolerance).all(axis=2),
    }[trial.success]
    runs = np.array([meets_KT[max(k - trial.success_for + 1, 0) : k + 1].sum(axis=0) for k in budgets])
    found = NumpyLoop().train(Batch.of(trial, seeds))
    assert found.solved_at_T.tolist() == first(runs == trial.success_for).tolist()
    assert found.correct_at_T.tolist() == first(right.all(axis=2)).tolist()
    assert NEVER not in found.solved_at_T


def test_solved_is_not_correct_where_a_half_is_not_the_middle():
    """0.3 is close enough to a target of 0, and on the side of the other one, 0.5."""
    trial = Trial(gate=ZEROS, hidden=0, target_high=0.5, tolerance=0.4, iterations=9, output="linear", dtype="float64")
    found = NumpyLoop().train(Batch(trial, [0.0, 0.0, 0.3]))
    assert (found.solved_at_T.tolist(), found.correct_at_T.tolist()) == ([0], [2])


@pytest.mark.parametrize("mixture", MIXTURES)
def test_every_optimizer_trains_in_the_trials_precision(mixture):
    """And what is drawn on the way, and what is kept of weights: float32 stays float32, and near float64."""
    trials = [
        Trial(**{"gate": BINARY, "optimizer": mixture, "iterations": 8, "dtype": dtype, **MIXTURES[mixture]})
        for dtype in ("float32", "float64")
    ]
    training = NumpyTraining(Batch.of(trials[0], [1]))
    training.advance(0, trials[0].iterations)
    assert training.weights().dtype == training.memory_MP.dtype == np.float32
    exact = NumpyLoop().train(Batch.of(trials[1], [1]))
    np.testing.assert_allclose(training.weights(), exact.weights_TP[0], rtol=1e-3, atol=1e-3)
