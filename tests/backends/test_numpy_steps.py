"""Steps of optimizers, each against PyTorch's where it has it, and against its paper's formula where it has not.

Shapes: P weights.
"""

import numpy as np
import pytest
import torch

from bench.backends.numpy_steps import STEPS
from bench.model.optimizer import OPTIMIZERS
from bench.model.trial import Trial

RATE = 0.05
START = np.array([1.0, -2.0, 0.5, 3.0])
CURVATURE = np.array([4.0, 1.0, 0.1, 2.0])  # of a quadratic, whose gradient is this times where it is asked for
# a walk around its minimum, not the optimizer's own: RMSprop's would oscillate, and make roundings large
GRADIENTS = [CURVATURE * START * 0.98**k * np.cos(k * np.array([0.1, 0.0, 1.0, 0.3])) for k in range(200)]
IN_TORCH = [
    ("sgd", {"momentum": 0.9}, torch.optim.SGD, {"momentum": 0.9}),
    ("nesterov", {}, torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
    ("adam", {}, torch.optim.Adam, {}),
    (
        "adam",
        {"beta1": 0.5, "beta2": 0.9, "epsilon": 0.01},
        torch.optim.Adam,
        {"betas": (0.5, 0.9), "eps": 0.01},
    ),
    ("rmsprop", {}, torch.optim.RMSprop, {}),
    (
        "rmsprop",
        {"alpha": 0.8, "epsilon": 0.01, "momentum": 0.5},
        torch.optim.RMSprop,
        {"alpha": 0.8, "eps": 0.01, "momentum": 0.5},
    ),
    ("adagrad", {}, torch.optim.Adagrad, {}),
    ("adagrad", {"epsilon": 0.1}, torch.optim.Adagrad, {"eps": 0.1}),
    ("rprop", {}, torch.optim.Rprop, {}),
    (
        "rprop",
        {"eta_minus": 0.3, "eta_plus": 1.5, "step_min": 0.1, "step_max": 0.2},
        torch.optim.Rprop,
        {"etas": (0.3, 1.5), "step_sizes": (0.1, 0.2)},
    ),
]


def follow(optimizer, gradients, steps=None, **constants):
    """Return the weights ``[K, P]`` after every step; gradients are a list, or a function of the weights."""
    trial = Trial(optimizer=optimizer, learning_rate=RATE, dtype="float64", **constants)
    weights, found = START.copy(), []
    memory = np.zeros((OPTIMIZERS[optimizer].memory, len(weights)))
    for k in range(steps or len(gradients)):
        gradient = gradients(weights) if callable(gradients) else np.array(gradients[k])
        STEPS[optimizer](trial, trial.momentum, k + 1, weights, gradient, memory, np.full_like(weights, RATE))
        found.append(weights.copy())
    return np.array(found)


def in_torch(kind, options):
    """Return the weights ``[K, P]`` after every one of 200 steps of an optimizer of PyTorch's."""
    weights, found = torch.nn.Parameter(torch.tensor(START)), []
    optimizer = kind([weights], lr=RATE, **options)
    for gradient in GRADIENTS:
        weights.grad = torch.tensor(gradient)
        optimizer.step()
        found.append(weights.detach().numpy().copy())
    return np.array(found)


@pytest.mark.parametrize(("optimizer", "constants", "kind", "options"), IN_TORCH)
def test_two_hundred_steps_are_those_of_torch(optimizer, constants, kind, options):
    """Given a quadratic's gradients, with the constants that both have by themselves, and with others."""
    found = follow(optimizer, GRADIENTS, **constants)
    np.testing.assert_allclose(found, in_torch(kind, options), rtol=1e-12, atol=1e-12)


def test_signs_are_followed_as_far_as_the_learning_rate():
    """The step is rate * sign(g), and nothing where the slope is 0 (Bernstein et al. 2018, algorithm 1)."""
    found = follow("signsgd", [[3.0, -0.1, 0.0, 1e-9], [-3.0, -0.1, 0.0, 2.0]])
    np.testing.assert_allclose(found - START, RATE * np.array([[-1, 1, 0, -1], [0, 2, 0, -2]]), atol=1e-15)


def test_signs_of_a_momentum_are_followed():
    """The velocity's, which remembers the first slope after the second: 0.5 * 3 - 1 is above 0 (ibid., algorithm 3)."""
    found = follow("signsgd", [[3.0, 1, 1, 1], [-1.0, -1, -1, 0]], momentum=0.5)
    np.testing.assert_allclose(found[1] - found[0], RATE * np.array([-1, 1, 1, -1]), atol=1e-15)


def test_a_normalized_step_is_as_long_as_the_learning_rate():
    """It is rate * g / |g|: 3, 4 and 12 have the length 13; a gradient of 0 is no step."""
    found = follow("normalized", [[3.0, 4.0, 12.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    np.testing.assert_allclose(found[0], START - RATE * np.array([3, 4, 12, 0]) / 13, rtol=1e-15)
    np.testing.assert_array_equal(found[1], found[0])


def test_normalized_gradients_are_gathered_by_momentum():
    """The velocity is momentum * v + g / |g|."""
    found = follow("normalized", [[2.0, 0, 0, 0], [0.0, 0, 5, 0]], momentum=0.5)
    np.testing.assert_allclose(found[1] - found[0], -RATE * np.array([0.5, 0, 1, 0]), atol=1e-15)


def test_quickprop_jumps_to_the_minimum_of_a_parabola():
    """Of a quadratic it knows the minimum after two slopes: dw = S(t) / (S(t-1) - S(t)) * dw(t-1) (Fahlman 1988).

    While the slope points as before, rate times the slope is added.
    """
    curvature = np.array([10.0, 4.0, 1.0, 15.0])
    start = START - RATE * curvature * START
    growing = follow("quickprop", lambda weights: curvature * weights, 2, growth=1000)
    np.testing.assert_allclose(growing[0], start, rtol=1e-15)
    np.testing.assert_allclose(growing[1], -RATE * curvature * start, atol=1e-14)


def test_quickprop_takes_no_step_that_is_more_than_so_many_times_the_one_before():
    """A slope that fell by little, or grew, is answered by growth times the last step (ibid.).

    With growth = 2 the parabola counts below 2/3 of the slope before. Slopes here are 1 and then a half, 0.9, 2 and -1.
    """
    found = follow("quickprop", [[1.0] * 4, [0.5, 0.9, 2.0, -1.0]], growth=2)
    first = -RATE
    expected = [first * 0.5 / 0.5 - RATE * 0.5, 2 * first - RATE * 0.9, 2 * first - RATE * 2, -first / 2]
    np.testing.assert_allclose(found[1] - found[0], expected, rtol=1e-14)
    mirrored = follow("quickprop", [[-1.0] * 4, [-0.5, -0.9, -2.0, 1.0]], growth=2)
    np.testing.assert_allclose(mirrored[1] - mirrored[0], np.negative(expected), rtol=1e-14)


def test_quickprop_begins_anew_where_the_last_step_was_nothing():
    """A weight whose slope was 0 goes down the gradient (ibid.)."""
    found = follow("quickprop", [[0.0] * 4, [1.0, -1.0, 2.0, 0.0]])
    np.testing.assert_array_equal(found[0], START)
    np.testing.assert_allclose(found[1], START - RATE * np.array([1, -1, 2, 0]), rtol=1e-15)


def test_delta_bar_delta_raises_rates_by_a_sum_and_cuts_them_by_a_share():
    """Rates go by the signs of the slope and of the mean of those before (Jacobs 1988, equations 5 and 6)."""
    slopes = [[1.0, 1.0, 1.0, 0.0], [2.0, -2.0, 0.0, 1.0], [1.0, 1.0, 1.0, 1.0]]
    found = follow("delta-bar-delta", slopes, kappa=0.01, phi=0.5, theta=0.6)
    second = np.array([RATE + 0.01, RATE / 2, RATE, RATE])
    # the mean before the third: 0.4 * S(2) + 0.6 * (0.4 * S(1))
    means = np.array([0.4 * 2 + 0.6 * 0.4, -0.4 * 2 + 0.6 * 0.4, 0.6 * 0.4, 0.4])
    third = np.where(means > 0, second + 0.01, second / 2)
    np.testing.assert_allclose(found[0], START - RATE * np.array(slopes[0]), rtol=1e-15)
    np.testing.assert_allclose(found[1] - found[0], -second * np.array(slopes[1]), rtol=1e-13)
    np.testing.assert_allclose(found[2] - found[1], -third * np.array(slopes[2]), rtol=1e-13)
