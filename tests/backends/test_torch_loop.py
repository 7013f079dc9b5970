from fractions import Fraction
from itertools import product

import numpy as np
import pytest
import torch
from torch import nn

from bench.backends.numpy_loop import NumpyLoop
from bench.backends.torch_loop import OPTIMIZERS, FusedLinear, TorchLoop, fused_product
from bench.model.outcome import Batch, Result, read_outcome
from bench.model.trial import Trial
from bench.testing.backend_contract import BINARY, MIXTURES, NETWORKS

WALKTHROUGH = Trial(
    gate="or",
    hidden=3,
    hidden_bias=False,
    output_bias=False,
    init="uniform",
    iterations=10_000,
    curve_points=10,
    summation="fma",
    backend="torch",
)
NEURON_BY_NEURON = [0, 3, 1, 4, 2, 5, 6, 7, 8]  # PyTorch prints a layer's weight as [out, in]
TORCH_LOSSES = {"mse": nn.MSELoss, "l1": nn.L1Loss, "bce": nn.BCELoss, "huber": nn.HuberLoss}
TORCH_ACTIVATIONS = {"sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "relu": nn.ReLU}
TORCH_OPTIMIZERS = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "rmsprop": torch.optim.RMSprop,
    "adagrad": torch.optim.Adagrad,
    "rprop": torch.optim.Rprop,
}


@pytest.fixture(scope="module")
def walkthrough():
    """Train the walkthrough's OR network, seed 1, as it is trained there."""
    return TorchLoop().train(Batch.of(WALKTHROUGH, [1]))


def to_float32(exact):
    """Round a Fraction to the nearest float32, ties to even (above the subnormal numbers)."""
    if not exact:
        return exact
    spacing = Fraction(2) ** (int(np.floor(np.log2(float(abs(exact))))) - 23)
    while abs(exact) / spacing >= 2**24:
        spacing *= 2
    while abs(exact) / spacing < 2**23:
        spacing /= 2
    return round(exact / spacing) * spacing


def exact_product(left, right):
    """Return ``left @ right`` in order, every step rounded once: fused multiply-adds in exact arithmetic."""
    result = np.empty((left.shape[0], right.shape[1]), dtype=np.float32)
    for m, n in product(*map(range, result.shape)):
        total = Fraction(0)
        for a, b in zip(left[m].tolist(), right[:, n].tolist(), strict=True):
            total = to_float32(Fraction(a) * Fraction(b) + total)
        result[m, n] = float(total)
    return result


def matrix(rng, rows, columns):
    """Return float32 numbers of very different magnitudes."""
    return torch.from_numpy((rng.standard_normal((rows, columns)) * 10.0 ** rng.integers(-3, 3)).astype(np.float32))


def as_users_write_it(trial, seed):
    """Return the predictions of a plain PyTorch script: seed, nn.Sequential, SGD, backward, step."""
    modules = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for layer in trial.network.layers:
            linear = nn.Linear(layer.fan_in, layer.fan_out, bias=layer.bias is not None)
            modules += [linear, TORCH_ACTIVATIONS[trial.activation]()]
    model = nn.Sequential(*modules[:-1], nn.Sigmoid())
    if trial.optimizer == "sgd":
        optimiser = torch.optim.SGD(model.parameters(), lr=trial.learning_rate, momentum=trial.momentum)
    else:
        optimiser = TORCH_OPTIMIZERS[trial.optimizer](model.parameters(), lr=trial.learning_rate)
    inputs, targets = (torch.tensor(a, dtype=torch.float32) for a in (trial.gate.inputs, trial.gate.targets[:, None]))
    for _ in range(trial.iterations):
        loss = TORCH_LOSSES[trial.loss](reduction=trial.reduction)(model(inputs), targets)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return model(inputs).detach().numpy()[:, 0]


@pytest.mark.untraced
def test_the_walkthroughs_errors_are_reached_to_the_last_printed_digit(walkthrough):
    """OR with PyTorch: the errors printed at steps 0, 1000, ..., 9000."""
    assert WALKTHROUGH.checkpoints.tolist() == list(range(0, 10_000, 1000))
    assert [f"{loss:.6e}" for loss in walkthrough.loss_TC[0]] == [
        "1.960156e-01",
        "1.651661e-01",
        "1.593565e-01",
        "1.550351e-01",
        "1.511067e-01",
        "1.465351e-01",
        "1.392272e-01",
        "1.234844e-01",
        "9.350532e-02",
        "6.205267e-02",
    ]


@pytest.mark.untraced
def test_the_walkthroughs_weights_are_reached_to_the_last_printed_digit(walkthrough):
    """OR with PyTorch: the nine final weights, as float32 prints itself."""
    assert [str(np.float32(walkthrough.weights_TP[0, place])) for place in NEURON_BY_NEURON] == [
        "1.6670684",
        "1.6665915",
        "2.4345472",
        "2.2916615",
        "-1.5066769",
        "-1.5068121",
        "0.70570666",
        "2.0473638",
        "-4.128679",
    ]


@pytest.mark.untraced
def test_the_walkthroughs_predictions_are_reached_to_the_last_printed_digit(walkthrough):
    """OR with PyTorch: the four final predictions."""
    found = [f"{prediction:.6f}" for prediction in walkthrough.predictions_TN[0]]
    assert found == ["0.334522", "0.846053", "0.849022", "0.925358"]


@pytest.mark.untraced
@pytest.mark.parametrize(
    "values",
    [
        {"hidden": 3},
        {"hidden": 0, "loss": "l1", "reduction": "sum"},
        {"hidden": "4-4", "activation": "relu", "loss": "bce", "momentum": 0.9},
        {"hidden": "5-3", "activation": "tanh", "loss": "huber", "output_bias": False},
        *({"hidden": 3, "optimizer": name} for name in TORCH_OPTIMIZERS),
    ],
    ids=["sigmoid", "perceptron", "relu", "tanh", *TORCH_OPTIMIZERS],
)
def test_a_training_is_the_script_that_users_write(values):
    """Seeded, built and trained by PyTorch alone, the network predicts the same to the bit."""
    trial = Trial(gate="xor", learning_rate=0.5, iterations=100, backend="torch", **values)
    found = TorchLoop().train(Batch.of(trial, [0, 7])).predictions_TN
    np.testing.assert_array_equal(found, [as_users_write_it(trial, seed) for seed in (0, 7)])


@pytest.mark.parametrize("shape", [(1, 1, 1), (4, 2, 3), (4, 3, 1), (3, 17, 5), (2, 64, 2)])
def test_a_fused_product_is_exact_but_for_one_rounding_per_step(shape):
    """It equals fractions that are rounded to float32 after every multiply-add."""
    rows, inner, columns = shape
    rng = np.random.default_rng(11)
    left, right = matrix(rng, rows, inner), matrix(rng, inner, columns)
    np.testing.assert_array_equal(fused_product(left, right), exact_product(left.numpy(), right.numpy()))


def test_a_fused_product_keeps_what_two_roundings_lose():
    """(1 + 2^-12)^2 - 1 is 2^-11 + 2^-24; rounding the square first loses the last term."""
    near_one = 1 + 2**-12
    found = fused_product(torch.tensor([[-1.0, near_one]]), torch.tensor([[1.0], [near_one]]))
    assert found.item() == 2**-11 + 2**-24


def test_a_fused_product_is_summed_in_order():
    """1 + 2^-24 + 2^-24 is 1 from left to right in float32, and more than 1 from right to left."""
    ones = torch.ones(3, 1)
    small = 2.0**-24
    assert fused_product(torch.tensor([[1.0, small, small]]), ones).item() == 1
    assert fused_product(torch.tensor([[small, small, 1.0]]), ones).item() == 1 + 2**-23


def test_a_fused_layer_predicts_by_the_fused_product():
    """The product is rounded step by step, and the bias is added after it."""
    rng = np.random.default_rng(3)
    layer, inputs = FusedLinear(5, 3), matrix(rng, 4, 5)
    weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    np.testing.assert_array_equal(layer(inputs).detach(), exact_product(inputs.numpy(), weight.T) + bias)


@pytest.mark.untraced
def test_a_fused_layer_propagates_slopes_by_the_fused_product():
    """Slopes by weight and inputs are exact but for one rounding per step; by bias they are summed."""
    rng = np.random.default_rng(4)
    layer, inputs, slopes = FusedLinear(5, 3), matrix(rng, 4, 5).requires_grad_(), matrix(rng, 4, 3)
    layer(inputs).backward(slopes)
    weight = layer.weight.detach().numpy()
    np.testing.assert_array_equal(layer.weight.grad, exact_product(slopes.numpy().T, inputs.detach().numpy()))
    np.testing.assert_array_equal(inputs.grad, exact_product(slopes.numpy(), weight))
    np.testing.assert_allclose(layer.bias.grad, slopes.numpy().sum(axis=0), rtol=1e-6)


@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
def test_a_fused_layer_is_nn_linear_but_for_rounding(bias):
    """Values and slopes agree with PyTorch's own layer: what is rounded is as small as the largest term lets it be."""
    torch.manual_seed(5)
    rng = np.random.default_rng(5)
    layer, usual, inputs = FusedLinear(6, 4, bias=bias), nn.Linear(6, 4, bias=bias), matrix(rng, 8, 6)
    usual.load_state_dict(layer.state_dict())
    for model in (layer, usual):
        model(inputs).square().sum().backward()
    np.testing.assert_allclose(layer(inputs).detach(), usual(inputs).detach(), rtol=1e-5, atol=1e-6)
    for own, expected in zip(layer.parameters(), usual.parameters(), strict=True):
        largest = expected.grad.abs().max().item()
        np.testing.assert_allclose(own.grad, expected.grad, rtol=0, atol=1e-6 * largest)


@pytest.mark.parametrize("update", ["full", "online"])
def test_fused_sums_train_as_the_librarys_but_for_rounding(update):
    """Another order of rounding is no other training."""
    trial = Trial(hidden="4-3", learning_rate=0.5, momentum=0.5, iterations=60, update=update, backend="torch")
    fused = Trial(**trial.parameters | {"summation": "fma"})
    found = TorchLoop().train(Batch.of(fused, [0, 1]))
    np.testing.assert_allclose(found.weights_TP, TorchLoop().train(Batch.of(trial, [0, 1])).weights_TP, atol=1e-4)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("summation", ["library", "fma"])
@pytest.mark.parametrize("rate", [1e39, 1e300])
def test_a_learning_rate_that_float32_cannot_hold_raises_nothing(rate, summation, momentum):
    """torch.optim raises on such a number; here the training has diverged, like any other that blew up."""
    trial = Trial(learning_rate=rate, momentum=momentum, summation=summation, iterations=3, backend="torch")
    assert read_outcome(trial, TorchLoop().train(Batch.of(trial, [0]))).result_T.tolist() == [Result.DIVERGED]


@pytest.mark.parametrize("values", [*MIXTURES.items(), *NETWORKS.items()], ids=lambda values: values[0])
def test_a_few_iterations_are_those_of_the_plain_loop(values):
    """Of whatever torch has, in a batch of one."""
    name, given = values
    optimizer = {"optimizer": name} if name in MIXTURES else {}
    trial = Trial(**{"gate": BINARY, "iterations": 4, "dtype": "float64", **optimizer, **given})
    if reason := TorchLoop().unsupported(trial):
        assert reason == f"backend torch has no optimizer {trial.optimizer!r}"
        assert trial.optimizer not in OPTIMIZERS
        return
    found, plain = (backend.train(Batch.of(trial, [1])) for backend in (TorchLoop(), NumpyLoop()))
    np.testing.assert_allclose(found.weights_TP, plain.weights_TP, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_constants_that_float32_cannot_hold_raise_nothing(optimizer):
    """PyTorch raises on such a number; here it is infinite, as it is in NumPy."""
    huge = 1e39
    values = {"learning_rate": huge, "weight_decay": huge, "clip": huge, "learning_rate_output": 3e38}
    own = {
        "adagrad": {"epsilon": huge},
        "adam": {"epsilon": huge},
        "adamw": {"epsilon": huge},
        "rmsprop": {"epsilon": huge},
        "rprop": {"eta_plus": huge, "step_max": huge},
    }
    trial = Trial(optimizer=optimizer, hidden=3, iterations=3, slope_offset=huge, **values, **own.get(optimizer, {}))
    assert TorchLoop().train(Batch.of(trial, [0])).iterations_T.tolist() == [3]


@pytest.mark.parametrize("loss", ["bce", "mse"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_what_is_no_number_raises_nothing_whatever_the_optimizer(optimizer, loss):
    """A training that diverged stays so: in torch, the sign of no number is 0."""
    trial = Trial(optimizer=optimizer, loss=loss, hidden=2, iterations=2, clip=1, noise=0.1)
    found = TorchLoop().train(Batch(trial, np.full(trial.network.parameters, np.nan)))
    assert read_outcome(trial, found).result_T.tolist() == [Result.DIVERGED]
    assert np.isnan(found.weights_TP).all()
    assert np.isnan(found.loss_TC).all()


@pytest.mark.untraced
def test_fused_sums_go_with_whatever_else_there_is():
    """Shortcuts, several outputs, dropout and an optimizer: another order of rounding is no other training."""
    values = MIXTURES["adagrad"] | {"gate": NETWORKS["two outputs"]["gate"], "shortcuts": True, "optimizer": "adagrad"}
    found = [
        TorchLoop().train(Batch.of(Trial(**values, iterations=30, summation=summation), [0])).weights_TP
        for summation in ("library", "fma")
    ]
    np.testing.assert_allclose(*found, atol=1e-4)


def test_fused_sums_are_refused_but_for_float32():
    """float64 products are not exact in any wider type at hand."""
    reason = TorchLoop().unsupported(Trial(backend="torch", summation="fma", dtype="float64"))
    assert reason == "backend torch has summation 'fma' for float32 on the cpu only"


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there_is_refused_by_its_name():
    """What, got, allowed."""
    reason = TorchLoop().unsupported(Trial(backend="torch", device="cuda"))
    assert reason == "backend torch has no device 'cuda' on this machine; it has cpu"
