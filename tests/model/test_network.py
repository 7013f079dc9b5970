import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from bench.model.network import ACTIVATIONS, MAX_NEURONS, Network, read_hidden, sigmoid, write_hidden

SIZES = st.lists(st.integers(1, MAX_NEURONS), max_size=4).map(tuple)


@given(SIZES)
def test_hidden_layers_survive_being_written_and_read(hidden):
    """Reading what was written gives the same layers."""
    assert read_hidden(write_hidden(hidden)) == hidden


@given(st.text(alphabet="0123456789-+. _a", max_size=6))
def test_text_that_is_read_as_hidden_layers_is_nothing_but_sizes(text):
    """Whatever is accepted is sizes from 1 to 64 between hyphens, or zero alone."""
    try:
        sizes = read_hidden(text)
    except ValueError:
        return
    assert [int(part) for part in text.split("-")] == list(sizes or (0,))
    assert all(1 <= size <= MAX_NEURONS for size in sizes)


@pytest.mark.parametrize(("value", "sizes"), [(0, ()), ("0", ()), (3, (3,)), ("3", (3,)), ("4-4", (4, 4)), (64, (64,))])
def test_hidden_layers_are_read_as_the_user_writes_them(value, sizes):
    """Zero is the single perceptron, a number one layer, hyphens part several."""
    assert read_hidden(value) == sizes


@pytest.mark.parametrize(
    "value",
    [
        -1,
        65,
        "65",
        "4-",
        "-4",
        "4--4",
        "0-4",
        "4-0",
        "",
        " 4",
        "4.0",
        4.0,
        "four",
        "٣",
        "³",
        True,
        None,
        (4,),
        "-".join(["4"] * 65),
    ],
)
def test_anything_else_is_no_hidden_layers(value):
    """Negative, empty, fractional, oversized and foreign digits are refused."""
    with pytest.raises(ValueError, match=r"^$"):
        read_hidden(value)


@pytest.mark.parametrize("output_bias", [False, True])
@pytest.mark.parametrize("hidden_bias", [False, True])
@pytest.mark.parametrize("hidden", [(), (3,), (4, 2), (5, 4, 3)])
def test_the_number_of_parameters_is_that_of_nn_linear(hidden, hidden_bias, output_bias):
    """The flat row is as long as PyTorch's layers have numbers."""
    sizes = (2, *hidden, 1)
    biases = [hidden_bias] * len(hidden) + [output_bias]
    layers = [nn.Linear(i, o, bias=bias) for i, o, bias in zip(sizes, sizes[1:], biases, strict=False)]
    counted = sum(parameter.numel() for layer in layers for parameter in layer.parameters())
    assert Network(2, hidden, hidden_bias, output_bias).parameters == counted


def test_a_flat_row_holds_layer_after_layer_each_weight_row_by_row_and_then_its_bias():
    """The layout of the flat row, spelt out for a 2-3-1 network."""
    (weight, bias), (output_weight, output_bias) = Network(2, (3,), True, True).unflatten(np.arange(13.0))
    assert weight.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert bias is not None
    assert bias.tolist() == [6, 7, 8]
    assert output_weight.tolist() == [[9], [10], [11]]
    assert output_bias is not None
    assert output_bias.tolist() == [12]


def test_a_layer_without_bias_takes_no_place_in_the_flat_row():
    """The output layer's weights follow the hidden layer's at once."""
    (_, bias), (output_weight, output_bias) = Network(2, (2,), False, False).unflatten(np.arange(6.0))
    assert bias is None
    assert output_bias is None
    assert output_weight.tolist() == [[4], [5]]


def test_unflattened_layers_are_views_of_the_flat_row():
    """Changing every layer in place changes the whole row."""
    row = np.zeros(13)
    for weight, bias in Network(2, (3,), True, True).unflatten(row):
        weight[:] = 1
        bias[:] = 1
    assert row.tolist() == [1] * 13


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_sigmoid_saturates_at_zero_and_one(dtype):
    """An overflowing exponential gives exactly 0, in the given precision; the overflow itself is the caller's."""
    with np.errstate(over="ignore"):
        values = sigmoid(np.array([-1e4, 0, 1e4], dtype=dtype))
    assert values.tolist() == [0, 0.5, 1]
    assert values.dtype == dtype


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "relu"])
def test_an_activation_is_that_of_torch(name):
    """The values are those of PyTorch's module of the same name."""
    x = np.linspace(-5, 5, 101)
    expected = getattr(torch, name)(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(ACTIVATIONS[name].value(x), expected, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activations_slope_is_its_derivative(name):
    """The slope, written in terms of the output, equals central finite differences."""
    activation = ACTIVATIONS[name]
    x = np.linspace(-5, 5, 100)  # 100 points: none is at relu's kink
    differences = (activation.value(x + 1e-6) - activation.value(x - 1e-6)) / 2e-6
    np.testing.assert_allclose(activation.slope(activation.value(x)), differences, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_keeps_the_precision(name):
    """A float32 network stays float32 through values and slopes."""
    activation = ACTIVATIONS[name]
    value = activation.value(np.array([-1, 0, 1], dtype=np.float32))
    assert (value.dtype, activation.slope(value).dtype) == (np.float32, np.float32)


def test_shortcuts_show_the_output_layer_the_inputs_too():
    """XOR by a single hidden neuron: 2-1-1 with shortcuts has seven weights (Sprinkhuizen-Kuyper & Boers 1996)."""
    network = Network(2, (1,), True, True, shortcuts=True)
    assert [(layer.fan_in, layer.fan_out) for layer in network.layers] == [(2, 1), (3, 1)]
    assert network.parameters == 7
