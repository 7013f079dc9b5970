import numpy as np
import pytest

from bench.backends.numpy_loop import NumpyLoop, NumpyTraining
from bench.model.outcome import Batch
from bench.model.trial import Trial

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
