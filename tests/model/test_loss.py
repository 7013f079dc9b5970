import numpy as np
import pytest
import torch
from torch import nn

from bench.model.loss import ARCTANH_CEILING, LOSSES, REDUCTIONS, loss_slope, loss_value

TORCH_LOSSES = {"mse": nn.MSELoss, "l1": nn.L1Loss, "bce": nn.BCELoss, "huber": nn.HuberLoss}
PRECISION = {np.float32: 2e-6, np.float64: 1e-14}
DTYPES = pytest.mark.parametrize("dtype", PRECISION)
EVERY_LOSS = pytest.mark.parametrize("loss", TORCH_LOSSES)
EVERY_REDUCTION = pytest.mark.parametrize("reduction", REDUCTIONS)


def pairs(dtype):
    """Return predictions and targets, both ends and their neighbours among them, each with each."""
    near = np.finfo(dtype).eps
    predictions = [0, 1e-30, 1e-13, 1e-6, 0.1, 0.25, 0.5, 0.9, 1 - 1e-6, 1 - near, 1]
    targets = [0, 0.25, 0.5, 1]
    grid = np.array([(p, t) for p in predictions for t in targets], dtype=dtype)
    return grid[:, 0].copy(), grid[:, 1].copy()


def torch_loss(loss, reduction, predictions, targets):
    """Return torch.nn's loss and the slope that autograd finds."""
    leaf = torch.from_numpy(predictions).requires_grad_()
    value = TORCH_LOSSES[loss](reduction=reduction)(leaf, torch.from_numpy(targets))
    value.backward()
    return value.item(), leaf.grad.numpy()


@pytest.mark.untraced
@DTYPES
@EVERY_REDUCTION
@EVERY_LOSS
def test_a_loss_is_that_of_torch(loss, reduction, dtype):
    """Each pair's loss equals torch.nn's, predictions of exactly 0 and 1 included."""
    for prediction, target in zip(*(array[:, None] for array in pairs(dtype)), strict=True):
        expected, _ = torch_loss(loss, reduction, prediction, target)
        found = loss_value(loss, reduction, prediction, target)
        np.testing.assert_allclose(found, expected, rtol=PRECISION[dtype], err_msg=f"at {prediction}, {target}")


@DTYPES
@EVERY_REDUCTION
@EVERY_LOSS
def test_a_reduced_loss_is_that_of_torch(loss, reduction, dtype):
    """Mean and sum over all observations equal torch.nn's."""
    expected, _ = torch_loss(loss, reduction, *pairs(dtype))
    np.testing.assert_allclose(loss_value(loss, reduction, *pairs(dtype)), expected, rtol=PRECISION[dtype])


@DTYPES
@EVERY_REDUCTION
@EVERY_LOSS
def test_a_slope_is_what_autograd_finds(loss, reduction, dtype):
    """The slope by each prediction equals torch's."""
    predictions, targets = pairs(dtype)
    _, expected = torch_loss(loss, reduction, predictions, targets)
    found = loss_slope(loss, reduction, predictions, targets)
    inner = predictions * (1 - predictions) > 2e-12
    np.testing.assert_allclose(found[inner], expected[inner], rtol=PRECISION[dtype])


@DTYPES
@EVERY_REDUCTION
@EVERY_LOSS
def test_a_slope_at_the_ends_is_what_autograd_finds(loss, reduction, dtype):
    """At predictions of exactly 0 and 1, and next to them, torch's guards give the same slope."""
    predictions, targets = pairs(dtype)
    _, expected = torch_loss(loss, reduction, predictions, targets)
    found = loss_slope(loss, reduction, predictions, targets)
    ends = predictions * (1 - predictions) <= 2e-12
    np.testing.assert_allclose(found[ends], expected[ends], rtol=PRECISION[dtype])


@pytest.mark.parametrize("distance", [0.5, 1.0, 1.5, -1.0, -3.0])
def test_huber_is_torchs_beyond_its_corner(distance):
    """Values and slopes agree on both sides of distance 1 and at it, where no sigmoid ever gets."""
    predictions, targets = np.array([distance]), np.zeros(1)
    expected, slope = torch_loss("huber", "sum", predictions, targets)
    assert loss_value("huber", "sum", predictions, targets) == expected
    assert loss_slope("huber", "sum", predictions, targets).tolist() == slope.tolist()


@EVERY_REDUCTION
@EVERY_LOSS
def test_a_slope_is_the_loss_finite_difference(loss, reduction):
    """The slope is the derivative of the reduced loss by each prediction."""
    predictions, targets = np.array([0.1, 0.4, 0.7, 0.95]), np.array([0.0, 1.0, 0.25, 1.0])
    steps = np.eye(4) * 1e-6
    upper = loss_value(loss, reduction, predictions + steps, targets)
    lower = loss_value(loss, reduction, predictions - steps, targets)
    found = loss_slope(loss, reduction, predictions, targets)
    np.testing.assert_allclose(found, (upper - lower) / 2e-6, rtol=1e-7)


@EVERY_REDUCTION
@EVERY_LOSS
def test_trainings_side_by_side_have_the_losses_they_have_alone(loss, reduction):
    """Leading axes are trainings: only the last one is reduced."""
    predictions = np.random.default_rng(1).random((3, 5, 4))
    targets = np.array([0.0, 1.0, 1.0, 0.5])
    alone = [[float(loss_value(loss, reduction, row, targets)) for row in rows] for rows in predictions]
    slopes = [[loss_slope(loss, reduction, row, targets) for row in rows] for rows in predictions]
    assert loss_value(loss, reduction, predictions, targets).tolist() == alone
    np.testing.assert_array_equal(loss_slope(loss, reduction, predictions, targets), slopes)


@DTYPES
@EVERY_LOSS
def test_a_loss_keeps_the_precision(loss, dtype):
    """A float32 network's loss and slopes are float32."""
    predictions, targets = pairs(dtype)
    assert loss_value(loss, "mean", predictions, targets).dtype == dtype
    assert loss_slope(loss, "mean", predictions, targets).dtype == dtype


@DTYPES
def test_a_wholly_wrong_prediction_costs_a_hundred_in_cross_entropy(dtype):
    """The logarithm is clamped at -100, so that certainty about the wrong answer is no infinity."""
    found = loss_value("bce", "sum", np.array([[0], [1]], dtype=dtype), np.array([[1], [0]], dtype=dtype))
    assert found.tolist() == [100, 100]


def test_the_slope_of_arctanh_is_the_inverse_hyperbolic_tangent_of_the_difference():
    """Fahlman's error function (1988): its value is the integral of that slope, and ends where float32 does."""
    predictions, target = np.linspace(-0.4, 0.45, 50), 0.5
    slopes = LOSSES["arctanh"].slope(predictions, np.float64(target))
    np.testing.assert_allclose(slopes, np.arctanh(predictions - target), rtol=1e-14)
    value = LOSSES["arctanh"].value
    differences = (value(predictions + 1e-6, target) - value(predictions - 1e-6, target)) / 2e-6
    np.testing.assert_allclose(differences, slopes, rtol=1e-6, atol=1e-9)
    far = LOSSES["arctanh"].slope(np.array([1.0, 3.0]), np.array([0.0, 0.0]))
    np.testing.assert_allclose(far, [np.arctanh(ARCTANH_CEILING)] * 2)
    assert LOSSES["arctanh"].slope(np.float32([1]), np.float32([0])).dtype == np.float32
