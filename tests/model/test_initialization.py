import math

import numpy as np
import pytest
import torch
from torch import nn

from bench.model.initialization import MAX_SEED, SCHEMES, initial_weights
from bench.model.network import Network

SEEDS = [*range(100), 12_345, 2**31 - 1, 2**31, 2**32 - 2, MAX_SEED]
NETWORKS = {
    "perceptron": Network(2, (), True, True),
    "perceptron without bias": Network(2, (), True, False),
    "one layer": Network(2, (3,), True, True),
    "no biases": Network(2, (3,), False, False),
    "output bias only": Network(3, (5,), False, True),
    "hidden biases only": Network(2, (4, 4), True, False),
    "three layers": Network(3, (5, 4, 3), True, True),
    "sixteen numbers": Network(4, (4,), True, True),
    "seventeen numbers": Network(16, (17,), True, True),
    "largest layers": Network(8, (64, 64), True, True),
}
EVERY_NETWORK = pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS.keys())
EVERY_SCHEME = pytest.mark.parametrize("init", SCHEMES)
SMALL = NETWORKS["one layer"]
LARGE = NETWORKS["largest layers"]


def torch_weights(network, seed, draws_before=0):
    """Return what torch.manual_seed and nn.Linear, layer after layer, give: the oracle, in the flat order."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.rand(draws_before)
        layers = [nn.Linear(layer.fan_in, layer.fan_out, bias=layer.bias is not None) for layer in network.layers]
    return np.concatenate([p.detach().numpy().T.ravel() for layer in layers for p in layer.parameters()])


@pytest.mark.untraced
@EVERY_NETWORK
def test_torch_weights_are_those_of_nn_linear_to_the_bit(network):
    """Every seed's weights equal torch.manual_seed and nn.Linear, whatever the layers' sizes."""
    expected = np.array([torch_weights(network, seed) for seed in SEEDS])
    np.testing.assert_array_equal(initial_weights(network, SEEDS, init="torch"), expected)


@pytest.mark.untraced
@pytest.mark.parametrize("fan_in", range(1, 65))
def test_torch_weights_have_the_bounds_of_every_layer_size(fan_in):
    """However many neurons feed a layer, its bounds are rounded as nn.Linear rounds them."""
    network = Network(2, (fan_in, 2), True, True)
    expected = np.array([torch_weights(network, seed) for seed in SEEDS[:5]])
    np.testing.assert_array_equal(initial_weights(network, SEEDS[:5]), expected)


@pytest.mark.untraced
@pytest.mark.parametrize("draws_before", [1, 3, 15, 16, 17, 1000, 100_000])
def test_torch_weights_after_other_draws_are_those_after_torch_rand(draws_before):
    """Numbers taken from the seed's stream before the network shift its weights as in torch."""
    expected = np.array([torch_weights(SMALL, seed, draws_before) for seed in SEEDS])
    np.testing.assert_array_equal(initial_weights(SMALL, SEEDS, draws_before=draws_before), expected)


def test_torch_weights_are_the_default():
    """Who names no scheme gets nn.Linear's."""
    np.testing.assert_array_equal(initial_weights(SMALL, SEEDS), initial_weights(SMALL, SEEDS, init="torch"))


@pytest.mark.parametrize("seed", [0, 1, 2**31, MAX_SEED])
def test_uniform_weights_are_those_of_the_walkthrough(seed):
    """Seeding NumPy and calling rand(inputs, hidden), then rand(hidden, outputs), gives the same numbers."""
    stream = np.random.RandomState(seed)
    expected = np.concatenate([stream.rand(2, 3).ravel(), stream.rand(3, 1).ravel()])
    found = initial_weights(NETWORKS["no biases"], [seed], init="uniform")
    np.testing.assert_array_equal(found, [expected])


def test_uniform_biases_come_after_their_layers_weight():
    """The stream is spent layer after layer, weight before bias."""
    stream = np.random.RandomState(7)
    shapes = [(2, 3), (3,), (3, 1), (1,)]
    expected = np.concatenate([stream.rand(*shape).ravel() for shape in shapes])
    np.testing.assert_array_equal(initial_weights(SMALL, [7], init="uniform"), [expected])


def test_uniform_weights_lie_between_the_given_ends():
    """The ends are those of NumPy's uniform."""
    expected = np.random.RandomState(3).uniform(-2, 0.5, LARGE.parameters)
    found = initial_weights(LARGE, [3], init="uniform", init_low=-2.0, init_high=0.5)
    np.testing.assert_array_equal(found, [expected])


def test_normal_weights_are_numpys_standard_normal():
    """One stream of standard normal numbers fills the row."""
    expected = [np.random.RandomState(seed).standard_normal(SMALL.parameters) for seed in SEEDS]
    np.testing.assert_array_equal(initial_weights(SMALL, SEEDS, init="normal"), expected)


@pytest.mark.parametrize("draws_before", [0, 5])
@pytest.mark.parametrize("network", [SMALL, LARGE], ids=["small", "large"])
def test_truncated_normal_weights_are_the_stream_without_its_outliers(network, draws_before):
    """Numbers beyond two standard deviations are dropped from the stream, and the next ones take their place."""
    for seed in SEEDS[:20]:
        stream = np.random.RandomState(seed).standard_normal(2 * network.parameters + 20)
        expected = stream[np.abs(stream) <= 2][draws_before:][: network.parameters]
        found = initial_weights(network, [seed], init="truncated_normal", draws_before=draws_before)
        np.testing.assert_array_equal(found, [expected])


def test_truncated_normal_weights_lie_within_two_standard_deviations():
    """They fill the range up to its ends and never leave it."""
    largest = np.abs(initial_weights(LARGE, range(5), init="truncated_normal")).max()
    assert 1.99 < largest <= 2


def test_xavier_weights_fill_glorots_bounds():
    """Every layer's numbers lie evenly within sqrt(6 / (fan_in + fan_out)) of zero."""
    (row,) = initial_weights(LARGE, [1], init="xavier")
    for layer, (weight, bias) in zip(LARGE.layers, LARGE.unflatten(row), strict=True):
        bound = math.sqrt(6 / (layer.fan_in + layer.fan_out))
        numbers = np.concatenate([weight.ravel(), bias]) / bound
        assert 0.9 < np.abs(numbers).max() <= 1
        assert abs(numbers.mean()) < 4 / math.sqrt(3 * numbers.size)  # four standard errors


def test_xavier_weights_are_numpys_uniform_between_the_bounds():
    """The stream is RandomState's, scaled layer by layer."""
    stream = np.random.RandomState(5)
    layers = SMALL.layers
    bounds = [math.sqrt(6 / (layer.fan_in + layer.fan_out)) for layer in layers for _ in ("weight", "bias")]
    sizes = [size for layer in layers for size in (layer.fan_in * layer.fan_out, layer.fan_out)]
    expected = np.concatenate([stream.uniform(-b, b, size) for b, size in zip(bounds, sizes, strict=True)])
    np.testing.assert_allclose(initial_weights(SMALL, [5], init="xavier"), [expected], rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("init", [scheme for scheme in SCHEMES if scheme != "truncated_normal"])
def test_draws_before_are_the_numbers_that_would_have_come_first(init):
    """A network after n draws starts where the stream of a larger one has arrived."""
    wide = Network(6, (), False, False)
    narrow = Network(4, (), False, False)
    later = initial_weights(narrow, [9], init=init, draws_before=2)[0]
    first = initial_weights(wide, [9], init=init)[0]
    np.testing.assert_allclose(later / later[0], first[2:] / first[2], rtol=1e-6)  # bounds differ by a factor


@EVERY_SCHEME
def test_zero_biases_leave_the_weights_of_a_network_without_biases(init):
    """No number of the stream is spent on biases that are zero."""
    found = initial_weights(SMALL, SEEDS[:5], init=init, init_bias="zeros")
    places = [layer.bias for layer in SMALL.layers]
    assert all((found[:, place] == 0).all() for place in places)
    weights = np.delete(found, np.r_[tuple(places)], axis=1)
    np.testing.assert_array_equal(weights, initial_weights(NETWORKS["no biases"], SEEDS[:5], init=init))


@EVERY_SCHEME
def test_a_scale_multiplies_weights_and_biases(init):
    """Twice the scale is twice every number."""
    single = initial_weights(SMALL, SEEDS[:5], init=init)
    np.testing.assert_array_equal(initial_weights(SMALL, SEEDS[:5], init=init, init_scale=2.5), 2.5 * single)


@EVERY_SCHEME
def test_a_seeds_weights_do_not_depend_on_the_seeds_beside_it(init):
    """Drawn together or alone, in whatever order: the same row."""
    together = initial_weights(SMALL, [4, 0, MAX_SEED], init=init)
    alone = [initial_weights(SMALL, [seed], init=init)[0] for seed in (4, 0, MAX_SEED)]
    np.testing.assert_array_equal(together, alone)


@EVERY_SCHEME
def test_different_seeds_start_elsewhere(init):
    """No two seeds share a starting point."""
    rows = initial_weights(SMALL, SEEDS, init=init)
    assert len(np.unique(rows, axis=0)) == len(SEEDS)


@EVERY_SCHEME
def test_drawing_weights_leaves_the_global_stream_alone(init):
    """NumPy's global state is the same before and after."""
    before = np.random.get_state()[1].tolist()  # noqa: NPY002 - the global state is what is looked at
    initial_weights(SMALL, [1], init=init)
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002 - likewise
