"""What every backend must do.

Shapes: T trainings, N observations, C checkpoints, P parameters of the network.
"""

import itertools
import re
from dataclasses import replace
from functools import cache
from threading import Event, Timer

import numpy as np
import pytest

from bench.backends import load
from bench.backends.base import Backend
from bench.backends.pieces import StoppedError, heeding
from bench.model.gate import Gate
from bench.model.initial_table import InitialTable
from bench.model.loss import LOSSES, REDUCTIONS, loss_value
from bench.model.network import HIDDEN_ACTIVATIONS, OUTPUT_RANGES, weight_names
from bench.model.optimizer import OPTIMIZERS
from bench.model.outcome import NEVER, Batch, Result, read_outcome
from bench.model.trial import Trial
from bench.plugins import NAME

TABLE = Gate(
    "table",
    np.array([[0.3, -1.2, 0.8], [1.1, 0.4, -0.5], [-0.7, 0.9, 0.2], [0.6, 0.1, 1.4], [-1.3, -0.6, -0.9]]),
    np.array([0.0, 0.2, 0.5, 0.9, 1.0]),
)
QUARTERS = Gate("quarters", np.array([[0.0], [1.0]]), np.array([0.25, 0.75]))
BETWEEN = Gate("between", np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0.45, 0.55, 0.6, 0.9]))
ZEROS = Gate("zeros", np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), np.zeros(4))
HALF_ADDER = Gate("half adder", BETWEEN.inputs, np.array([[0.0, 0], [1, 0], [1, 0], [0, 1]]))
BINARY = Gate("binary", TABLE.inputs, np.array([0.0, 1, 1, 0, 1]))
CLASSES = Gate("classes", TABLE.inputs, np.eye(3)[[0, 2, 1, 1, 2]])
FUNCTIONS = {"sigmoid": lambda x: 1 / (1 + np.exp(-x)), "tanh": np.tanh, "relu": lambda x: x * (x > 0)}
FUNCTIONS |= {"symmetric": lambda x: 1 / (1 + np.exp(-x)) - 0.5, "linear": lambda x: x}
STARTS = InitialTable(
    "starts", tuple(weight_names(Trial().network)), np.arange(10), np.random.RandomState(0).standard_normal((10, 13))
)
EXTRAS = {  # for every extra parameter, a trial's parameters with a value that is not its default, and what it needs
    "encoding": {"encoding": "bipolar"},
    "target_low": {"target_low": 0.1},
    "target_high": {"target_high": 0.9},
    "output": {"output": "tanh"},
    "shortcuts": {"shortcuts": True},
    "init_table": {"init": "table", "init_table": STARTS},
    "optimizer": {"optimizer": "nesterov"},
    "beta1": {"optimizer": "adam", "beta1": 0.7},
    "beta2": {"optimizer": "adamw", "beta2": 0.9},
    "alpha": {"optimizer": "rmsprop", "alpha": 0.8},
    "epsilon": {"optimizer": "adagrad", "epsilon": 1e-3},
    "eta_minus": {"optimizer": "rprop", "eta_minus": 0.3},
    "eta_plus": {"optimizer": "rprop", "eta_plus": 1.5},
    "step_min": {"optimizer": "rprop", "step_min": 1e-2},
    "step_max": {"optimizer": "rprop", "step_max": 0.1},
    "growth": {"optimizer": "quickprop", "growth": 1.2},
    "kappa": {"optimizer": "delta-bar-delta", "kappa": 0.1},
    "phi": {"optimizer": "delta-bar-delta", "phi": 0.1},
    "theta": {"optimizer": "delta-bar-delta", "theta": 0.5},
    "learning_rate_output": {"learning_rate_output": 0.4},
    "weight_decay": {"weight_decay": 0.01},
    "clip": {"clip": 0.02},
    "noise": {"noise": 0.05},
    "label_flips": {"label_flips": 0.2},
    "dropout": {"dropout": 0.3},
    "slope_offset": {"slope_offset": 0.1},
    "frozen": {"frozen": "hidden"},
    "schedule": {"schedule": "cosine", "schedule_length": 20},
    "schedule_length": {"schedule": "warmup", "schedule_length": 9},
    "schedule_factor": {"schedule": "step", "schedule_length": 7, "schedule_factor": 0.5},
    "batch_size": {"update": "minibatch", "batch_size": 3},
    "shuffle": {"update": "online", "shuffle": "always"},
    "success": {"success": "correct"},
    "success_loss": {"success": "loss", "success_loss": 0.3},
    "success_for": {"success_for": 3},
    "diagnostics": {"diagnostics": True},
}
CONSTANTS = {  # for every optimizer, constants that are not its defaults
    "sgd": {"momentum": 0.9},
    "nesterov": {"momentum": 0.5},
    "adam": {"beta1": 0.7, "beta2": 0.9, "epsilon": 1e-3},
    "adamw": {"beta1": 0.5, "beta2": 0.99, "epsilon": 1e-4, "weight_decay": 0.1},
    "rmsprop": {"alpha": 0.8, "epsilon": 1e-3, "momentum": 0.5},
    "adagrad": {"epsilon": 1e-2},
    "rprop": {"eta_minus": 0.3, "eta_plus": 1.5, "step_min": 1e-2, "step_max": 0.15},
    "signsgd": {"momentum": 0.5},
    "normalized": {"momentum": 0.5},
    "quickprop": {"growth": 1.2},
    "delta-bar-delta": {"kappa": 0.01, "phi": 0.1, "theta": 0.5},
    "none": {},
}
BESIDE = [  # what goes with every optimizer
    {},
    {"weight_decay": 0.02},
    {"clip": 0.03},
    {"noise": 0.02},
    {"label_flips": 0.2},
    {"dropout": 0.3, "hidden": "3-2"},
    {"learning_rate_output": 0.4},
    {"frozen": "biases", "weight_decay": 0.02, "noise": 0.02},
    {"frozen": "hidden", "clip": 0.03},
    {"frozen": "output"},
    {"update": "online", "shuffle": "never", "noise": 0.02},
    {"update": "online", "shuffle": "once"},
    {"update": "online", "shuffle": "always"},
    {"update": "minibatch", "batch_size": 3, "shuffle": "never"},
    {"update": "minibatch", "batch_size": 2, "shuffle": "once", "label_flips": 0.2},
    {"update": "minibatch", "batch_size": 3, "shuffle": "always", "dropout": 0.3, "noise": 0.02},
]
SCHEDULES = [
    {"schedule": "cosine", "schedule_length": 15},
    {"schedule": "step", "schedule_length": 7, "schedule_factor": 0.5},
    {"schedule": "warmup", "schedule_length": 9},
]
MIXTURES = {  # every optimizer once, and all else with some of them
    "sgd": {**CONSTANTS["sgd"], "weight_decay": 0.01, "clip": 0.05, "frozen": "biases", **SCHEDULES[0]},
    "nesterov": {
        "gate": HALF_ADDER,
        "hidden": "4-3",
        "shortcuts": True,
        "noise": 0.02,
        "learning_rate_output": 0.4,
        "frozen": "biases",
    },
    "adam": {
        **CONSTANTS["adam"],
        "encoding": "bipolar",
        "output": "tanh",
        "target_low": -0.8,
        "target_high": 0.6,
        "weight_decay": 0.02,
        "clip": 0.03,
        "frozen": "hidden",
        **SCHEDULES[2],
    },
    "adamw": {
        "gate": CLASSES,
        "activation": "symmetric",
        "output": "linear",
        "loss": "arctanh",
        "update": "online",
        "noise": 0.02,
        **SCHEDULES[1],
    },
    "rmsprop": {**CONSTANTS["rmsprop"], "output": "symmetric", "target_low": -0.5, "target_high": 0.5},
    "adagrad": {"update": "minibatch", "batch_size": 3, "shuffle": "always", "dropout": 0.3, "hidden": "4-3"},
    "rprop": {"label_flips": 0.2, "weight_decay": 0.02, "frozen": "output"},
    "signsgd": {**CONSTANTS["signsgd"], "update": "online", "shuffle": "once", "noise": 0.02},
    "normalized": {"gate": CLASSES, "loss": "bce", "shortcuts": True, "update": "minibatch", "batch_size": 2},
    "quickprop": {  # as Fahlman (1988) had it
        "activation": "symmetric",
        "output": "symmetric",
        "target_low": -0.5,
        "target_high": 0.5,
        "loss": "arctanh",
        "reduction": "sum",
        "slope_offset": 0.1,
        "weight_decay": 1e-4,
        "learning_rate": 0.05,
    },
    "delta-bar-delta": {"dropout": 0.3, "label_flips": 0.2, "clip": 0.1, "learning_rate_output": 0.4},
    "none": {"gate": HALF_ADDER},
}
NETWORKS = {  # without an optimizer that not all have
    "inputs and targets": {"encoding": "bipolar", "target_low": 0.2, "target_high": 0.6},
    "slope offset": {"gate": CLASSES, "slope_offset": 0.1, "loss": "arctanh", "update": "online", "activation": "relu"},
    "nothing is trained": {"hidden": 0, "frozen": "output", "weight_decay": 0.1},
    "two outputs": {"gate": HALF_ADDER, "update": "online", "loss": "huber", "output": "linear", "hidden": 0},
}
SUCCESSES = {
    "the right side": {"success": "correct"},
    "the right side for a while": {"success": "correct", "success_for": 4, "target_low": 0.2},
    "a loss": {"success": "loss", "success_loss": 0.1},
    "a loss, several outputs": {"success": "loss", "success_loss": 0.08, "success_for": 3, "gate": HALF_ADDER},
    "a tolerance for a while": {"success_for": 5, "stop": "solved"},
    "several outputs": {"gate": HALF_ADDER, "tolerance": 0.2, "stop": "solved"},
}
RANDOM = {  # on the way: by a training's seed, and nothing else
    "noise": {"noise": 0.05},
    "all": {
        "noise": 0.05,
        "dropout": 0.3,
        "label_flips": 0.2,
        "update": "minibatch",
        "batch_size": 3,
        "shuffle": "always",
    },
}
STEP = 1e-5  # of the finite differences: truncation and rounding are both near 1e-10
QUICK = {"gate": "xor", "hidden": 4, "activation": "tanh", "loss": "bce", "learning_rate": 2.0, "momentum": 0.9}
FAST = {"full": QUICK, "online": QUICK | {"learning_rate": 0.5, "update": "online"}}  # XOR within tens of iterations
SOME = {"full": ([4, 1, 6], 40), "online": ([0, 3, 1], 20)}  # seeds and a budget that all but the last keep
DIVERGING = {"hidden": "8-8-8", "activation": "relu", "iterations": 12, "curve_points": 12}
HUGE = {"float32": 1e38, "float64": 1e300}  # a learning rate that takes deep relu networks to infinity


def trial_for(backend, **values):
    """Return a trial for this backend, or skip where it says that it cannot train it."""
    trial = Trial(**values)
    if reason := backend.unsupported(trial):
        pytest.skip(reason)
    return trial


def train(backend, trial, seeds, **varied):
    """Train a batch of these seeds; ``varied`` replaces what varies along T."""
    return backend.train(replace(Batch.of(trial, seeds), **varied))


def forward(trial, weights_P, rows=slice(None)):
    """Return the predictions ``[N * O]`` in float64, read off the flat row independently of the package."""
    inputs, start = trial.gate.inputs[rows], 0
    if trial.encoding == "bipolar":
        inputs = np.where(inputs == 0, -1.0, np.where(inputs == 1, 1.0, 2 * inputs - 1))
    outputs = inputs
    sizes = [outputs.shape[1], *trial.hidden, np.atleast_2d(trial.gate.targets.T).shape[0]]
    for place, fan_out in enumerate(sizes[1:]):
        last = place == len(sizes) - 2
        if last and trial.shortcuts:
            outputs = np.hstack([outputs, inputs])
        fan_in = outputs.shape[1]
        stop = start + fan_in * fan_out
        outputs = outputs @ weights_P[start:stop].reshape(fan_in, fan_out)
        if trial.output_bias if last else trial.hidden_bias:
            outputs = outputs + weights_P[stop : stop + fan_out]
            stop += fan_out
        outputs = FUNCTIONS[trial.output if last else trial.activation](outputs)
        start = stop
    assert start == len(weights_P)
    return outputs.ravel()


def wanted(trial, rows=slice(None)):
    """Return what the network is to say ``[N * O]``: a 0 becomes one number, and a 1 another."""
    targets = trial.gate.targets[rows].ravel()
    return targets * trial.target_high + (1 - targets) * trial.target_low


def slopes(trial, weights_P, rows=slice(None)):
    """Return the loss's central finite differences by every weight ``[P]``."""

    def loss(weights):
        return loss_value(trial.loss, trial.reduction, forward(trial, weights, rows), wanted(trial, rows))

    steps = np.eye(len(weights_P)) * STEP
    return np.array([(loss(weights_P + step) - loss(weights_P - step)) / (2 * STEP) for step in steps])


def descend(trial, weights_P):
    """Return the weights after all iterations of torch.optim.SGD's rule, its gradients being finite differences."""
    weights, velocity = weights_P.copy(), np.zeros_like(weights_P)
    rows = [slice(None)] if trial.update == "full" else [slice(n, n + 1) for n in range(len(trial.gate.targets))]
    for observations in rows * trial.iterations:
        velocity = trial.momentum * velocity + slopes(trial, weights, observations)
        weights -= trial.learning_rate * velocity
    return weights


def predictions_by_budget(backend, trial, seeds, budgets):
    """Return the predictions before update k, for k in ``budgets``: those that a budget of k ends with."""
    start = np.array([forward(trial, weights) for weights in trial.initial_weights(seeds)])
    return [train(backend, replace(trial, iterations=k), seeds).predictions_TN if k else start for k in budgets]


@cache
def by_hand(trial):
    """Return what becomes of seeds 0 to 2 in the plain loop, which every backend is compared with."""
    return train(load("numpy"), trial, range(3))


def agrees(backend, **values):
    """Assert that a backend trains a table in float64 as the plain loop does, where it trains it.

    As many iterations as are enough for every rule to show. Rprop, Quickprop and signs decide by thresholds, where a
    rounding may flip a decision once slopes are near 0: until here, none is.
    """
    usual = {"gate": BINARY, "hidden": 3, "learning_rate": 0.1, "iterations": 30, "dtype": "float64"}
    trial = trial_for(backend, **usual | values)
    plain, found = by_hand(trial), train(backend, trial, range(3))
    for name in ("loss_TC", "predictions_TN", "weights_TP"):
        what = f"{name} with {values}"
        np.testing.assert_allclose(getattr(found, name), getattr(plain, name), rtol=1e-9, atol=1e-10, err_msg=what)
    for name in ("solved_at_T", "correct_at_T", "iterations_T"):
        assert getattr(found, name).tolist() == getattr(plain, name).tolist()


def takes(backend, values):
    """Return whether a backend trains a trial with these parameters."""
    return backend.unsupported(Trial(**{"gate": BINARY} | values)) is None


def differentiable(output, loss):
    """Yield trials' parameters: one step of gradient descent, towards what the output can say."""
    low, high = np.clip(OUTPUT_RANGES[output], -1, 1)
    usual = {"output": output, "loss": loss, "target_low": 0.2 * low, "target_high": 0.2 * high, "tolerance": 0.05}
    usual["encoding"] = "bipolar"
    usual |= {"init": "normal", "init_scale": 0.1, "learning_rate": 0.5, "iterations": 1, "dtype": "float64"}
    for gate, hidden in itertools.product((TABLE, HALF_ADDER, CLASSES), ("0", "3", "3-2")):
        for activation in HIDDEN_ACTIVATIONS if hidden != "0" else ("sigmoid",):
            yield usual | {"gate": gate, "hidden": hidden, "activation": activation, "shortcuts": hidden != "0"}


def first(hits_KT):
    """Return for every training the first place that is true, or NEVER."""
    hits = np.array(hits_KT)
    return np.where(hits.any(axis=0), hits.argmax(axis=0), NEVER)


def same(one, other):
    """Assert that two outcomes hold the same numbers to the bit, times apart."""
    for name in ("loss_TC", "predictions_TN", "weights_TP", "solved_at_T", "correct_at_T", "iterations_T"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


def only(outcome, places):
    """Return the outcome of some of the trainings."""
    names = ("loss_TC", "predictions_TN", "weights_TP", "solved_at_T", "correct_at_T", "iterations_T", "seconds_TC")
    return replace(outcome, **{name: getattr(outcome, name)[places] for name in names})


class BackendContract:
    """Tests of a backend. A subclass whose name begins with ``Test`` says which: ``backend = MyBackend()``.

    What a backend refuses, with its reason, is skipped. Where it trains, it must train as the plain loop does.
    """

    backend: Backend

    @pytest.fixture(params=["float32", "float64"])
    def dtype(self, request):
        """Both precisions."""
        return request.param

    # ------------------------------------------------------------ what it is

    def test_a_backend_is_made_without_arguments_and_knows_its_name(self):
        """One word for the command line; and it trains the default trial."""
        assert NAME.fullmatch(self.backend.name)
        assert type(self.backend)().name == self.backend.name
        assert self.backend.unsupported(Trial()) is None

    def test_more_work_costs_more(self):
        """The estimate that cuts work into chunks is positive, and grows with layers, observations and steps."""
        small = Trial(gate="xor", hidden=3)
        cost = self.backend.cost_us(small)
        assert cost > 0
        for larger in ({"hidden": "64-64"}, {"gate": "parity8"}, {"update": "online"}):
            assert self.backend.cost_us(replace(small, **larger)) > cost

    @pytest.mark.parametrize(
        "wanted", [*itertools.product(("cpu", "cuda"), ("library", "fma"), ("float32", "float64"))]
    )
    def test_a_trial_is_trained_or_refused_with_a_sentence(self, wanted):
        """Nothing fails half-way: either the trial trains, or one line says which backend refuses what."""
        device, summation, precision = wanted
        trial = Trial(device=device, summation=summation, dtype=precision, iterations=2)
        reason = self.backend.unsupported(trial)
        if reason is None:
            assert train(self.backend, trial, [0]).iterations_T.tolist() == [2]
        else:
            assert re.fullmatch(rf"backend {self.backend.name} has \S.*", reason)
            assert any(repr(value) in reason for value in wanted)

    def test_a_gpu_that_is_not_there_is_refused(self):
        """Without a GPU, the device that was asked for is named."""
        if self.backend.has_gpu and self.backend.has_gpu():
            pytest.skip("this machine has a GPU")
        reason = self.backend.unsupported(Trial(device="cuda"))
        assert reason is not None
        assert "has no device 'cuda'" in reason
        assert reason.endswith("it has cpu")

    # ------------------------------------------------------------ gradients and updates

    @pytest.mark.parametrize(
        "layout",
        [
            ("0", True, True),
            ("0", True, False),
            ("3", True, True),
            ("3", True, False),
            ("3", False, False),
            ("3-2", True, True),
            ("3-2", False, True),
        ],
        ids=lambda layout: "-".join(map(str, layout)),
    )
    @pytest.mark.parametrize("reduction", REDUCTIONS)
    @pytest.mark.parametrize("loss", LOSSES)
    @pytest.mark.parametrize("activation", HIDDEN_ACTIVATIONS)
    def test_one_update_goes_down_the_finite_differences(self, activation, loss, reduction, layout):
        """One iteration moves weights by the learning rate times the loss's slope; a layout is layers and biases."""
        hidden, hidden_bias, output_bias = layout
        trial = trial_for(
            self.backend,
            gate=TABLE,
            activation=activation,
            loss=loss,
            reduction=reduction,
            hidden=hidden,
            hidden_bias=hidden_bias,
            output_bias=output_bias,
            init="normal",
            learning_rate=0.5,
            iterations=1,
            dtype="float64",
        )
        before = trial.initial_weights([0, 1])
        moved = (before - train(self.backend, trial, [0, 1]).weights_TP) / trial.learning_rate
        expected = [slopes(trial, weights) for weights in before]
        np.testing.assert_allclose(moved, expected, rtol=1e-6, atol=1e-8)

    @pytest.mark.parametrize("momentum", [0.0, 0.9])
    @pytest.mark.parametrize("update", ["full", "online"])
    @pytest.mark.parametrize("loss", LOSSES)
    def test_several_updates_follow_the_rule_of_gradient_descent_with_momentum(self, loss, update, momentum):
        """Velocities gather slopes and weights follow: per pass over the table, or per observation in its order."""
        trial = trial_for(
            self.backend,
            gate=TABLE,
            hidden=3,
            loss=loss,
            update=update,
            momentum=momentum,
            learning_rate=0.2,
            init="normal",
            iterations=3,
            dtype="float64",
        )
        (before,) = trial.initial_weights([2])
        found = train(self.backend, trial, [2])
        np.testing.assert_allclose(found.weights_TP, [descend(trial, before)], atol=1e-7)

    def test_predictions_are_those_of_the_returned_weights(self):
        """Both are taken after the last update."""
        trial = trial_for(self.backend, hidden="4-3", iterations=20, dtype="float64", learning_rate=0.5)
        found = train(self.backend, trial, [0, 1])
        expected = [forward(trial, weights) for weights in found.weights_TP]
        np.testing.assert_allclose(found.predictions_TN, expected, rtol=1e-12)

    # ------------------------------------------------------------ agreement

    @pytest.mark.parametrize(
        "values",
        [
            {"gate": "or", "hidden": 0},
            {"gate": "xor", "hidden": 3},
            {"gate": "xor", "hidden": 3, "hidden_bias": False, "output_bias": False, "init": "uniform"},
            {"gate": "parity3", "hidden": "5-4-3", "activation": "tanh"},
            {"gate": "xor", "hidden": 8, "activation": "relu"},
            {"gate": "and", "hidden": 3, "loss": "bce", "reduction": "sum"},
            {"gate": "xor", "hidden": 3, "loss": "l1", "momentum": 0.5},
            {"gate": TABLE, "hidden": 4, "loss": "huber", "momentum": 0.9},
            {"gate": "xor", "hidden": 3, "update": "online", "momentum": 0.5},
        ],
        ids=lambda values: " ".join(f"{value}" for value in values.values() if value is not TABLE),
    )
    def test_a_training_agrees_with_the_plain_loop(self, dtype, values):
        """After hundreds of updates, losses, predictions and weights are those of NumPy by hand."""
        trial = trial_for(self.backend, **values, dtype=dtype, learning_rate=0.3, iterations=250)
        plain = by_hand(trial)
        found = train(self.backend, trial, range(3))
        closeness = {"rtol": 1e-9, "atol": 1e-11} if dtype == "float64" else {"rtol": 1e-3, "atol": 1e-4}
        for name in ("loss_TC", "predictions_TN", "weights_TP"):
            np.testing.assert_allclose(getattr(found, name), getattr(plain, name), **closeness, err_msg=name)

    def test_convergence_is_noticed_where_the_plain_loop_notices_it(self):
        """In float64, trainings solve the gate at the same iterations as in NumPy by hand."""
        trial = trial_for(self.backend, **FAST["full"], iterations=60, dtype="float64")
        plain = train(load("numpy"), trial, range(6))
        found = train(self.backend, trial, range(6))
        assert NEVER not in plain.solved_at_T
        assert found.solved_at_T.tolist() == plain.solved_at_T.tolist()
        assert found.correct_at_T.tolist() == plain.correct_at_T.tolist()

    # ------------------------------------------------------------ extra parameters

    @pytest.mark.parametrize("mixture", MIXTURES)
    def test_every_optimizer_agrees_with_the_plain_loop(self, mixture):
        """Its steps, and what is done to gradients, weights, observations and rates beside it."""
        agrees(self.backend, optimizer=mixture, **MIXTURES[mixture])

    @pytest.mark.parametrize("mixture", NETWORKS)
    def test_every_network_agrees_with_the_plain_loop(self, mixture):
        """Whatever it is given, is to say, and is made of."""
        agrees(self.backend, **NETWORKS[mixture])

    @pytest.mark.slow
    @pytest.mark.parametrize("optimizer", OPTIMIZERS)
    def test_whatever_goes_with_an_optimizer_agrees_with_the_plain_loop(self, optimizer):
        """Each by itself, with the optimizer's own constants and with others."""
        taken = {*OPTIMIZERS[optimizer].takes, "update", "batch_size", "shuffle", "hidden"}
        for constants, beside in itertools.product(({}, CONSTANTS[optimizer]), BESIDE + SCHEDULES):
            values = {"optimizer": optimizer, **constants, **beside}
            if taken.issuperset(beside) and takes(self.backend, values):
                agrees(self.backend, **values)

    @pytest.mark.slow
    def test_every_extra_parameter_agrees_with_the_plain_loop(self):
        """Each by itself."""
        for values in EXTRAS.values():
            if takes(self.backend, values):
                agrees(self.backend, **values)

    @pytest.mark.slow
    @pytest.mark.parametrize("loss", LOSSES)
    @pytest.mark.parametrize("output", OUTPUT_RANGES)
    def test_one_update_of_any_network_goes_down_the_finite_differences(self, output, loss):
        """Of each activation of the output, with shortcuts around hidden layers, and several outputs."""
        if loss == "bce" and output != "sigmoid":
            pytest.skip("the cross-entropy is of a sigmoid's predictions")
        for values in differentiable(output, loss):
            if takes(self.backend, values):
                trial = Trial(**values)
                (before,) = trial.initial_weights([1])
                moved = before - train(self.backend, trial, [1]).weights_TP[0]
                expected = slopes(trial, before)
                np.testing.assert_allclose(
                    moved / trial.learning_rate, expected, rtol=1e-6, atol=1e-8, err_msg=str(values)
                )

    @pytest.mark.parametrize("mixture", SUCCESSES)
    def test_success_is_noticed_where_the_plain_loop_notices_it(self, mixture):
        """Of every kind, at once or for some iterations in a row, to the iteration."""
        trial = trial_for(self.backend, **{**FAST["full"], "iterations": 60, "dtype": "float64", **SUCCESSES[mixture]})
        plain, found = by_hand(trial), train(self.backend, trial, range(3))
        assert (plain.solved_at_T != NEVER).any()
        for name in ("solved_at_T", "correct_at_T", "iterations_T"):
            assert getattr(found, name).tolist() == getattr(plain, name).tolist()
        assert read_outcome(trial, found).result_T.tolist() == read_outcome(trial, plain).result_T.tolist()

    @pytest.mark.parametrize("mixture", RANDOM)
    def test_what_is_random_depends_on_a_trainings_seed_alone(self, mixture):
        """Not on those beside it, nor on its place: the same numbers to the bit, and others for another seed."""
        trial = trial_for(self.backend, **RANDOM[mixture], hidden=3, iterations=12, learning_rate=0.5)
        together = train(self.backend, trial, [0, 1, 2, 3])
        same(train(self.backend, trial, [3, 1]), only(together, [3, 1]))
        start = {"weights_TP": trial.initial_weights([0, 0])}
        one, other = train(self.backend, trial, [5, 6], **start).weights_TP
        assert (one != other).any()

    @pytest.mark.parametrize("mixture", ["adam"])
    def test_a_training_that_diverges_with_adam_keeps_its_row(self, mixture):
        """A step as long as the learning rate may be too long too."""
        trial = trial_for(self.backend, **DIVERGING, optimizer=mixture, dtype="float32")
        found = train(self.backend, trial, [0, 1], learning_rate_T=np.array([0.05, HUGE["float32"]]))
        results = read_outcome(trial, found).result_T.tolist()
        assert [result == Result.DIVERGED for result in results] == [False, True]
        assert found.iterations_T.tolist() == [12, 12]
        assert np.isfinite(found.loss_TC[:, 0]).all()
        assert np.isnan(found.loss_TC[1, -1])

    def test_each_training_has_its_own_learning_rate_of_the_output(self):
        """What varies along T acts as a trial of that value does."""
        trial = trial_for(self.backend, hidden=3, iterations=20, learning_rate_output=0.5)
        together = train(self.backend, trial, [5, 6], learning_rate_output_T=np.array([0.1, 2.0]))
        for place, rate in enumerate([0.1, 2.0]):
            alone = train(self.backend, replace(trial, learning_rate_output=rate), [5 + place])
            same(only(together, [place]), alone)

    # ------------------------------------------------------------ batches

    def test_each_training_has_its_own_learning_rate_and_momentum(self, dtype):
        """What varies along T acts as a trial of those values does."""
        rates, momenta = [0.05, 0.5, 2.0], [0.0, 0.9, 0.5]
        trial = trial_for(self.backend, hidden=3, iterations=40, dtype=dtype)
        together = train(self.backend, trial, [5, 6, 7], learning_rate_T=np.array(rates), momentum_T=np.array(momenta))
        for place, (seed, rate, momentum) in enumerate(zip([5, 6, 7], rates, momenta, strict=True)):
            alone = train(self.backend, replace(trial, learning_rate=rate, momentum=momentum), [seed])
            same(only(together, [place]), alone)

    @pytest.mark.parametrize("update", ["full", "online"])
    def test_a_training_does_not_depend_on_the_trainings_beside_it(self, dtype, update):
        """Alone, in company, or in another order: the same numbers to the bit."""
        trial = trial_for(self.backend, hidden="4-4", iterations=30, dtype=dtype, update=update, momentum=0.9)
        together = train(self.backend, trial, [0, 1, 2, 3, 4])
        same(train(self.backend, trial, [4, 2]), only(together, [4, 2]))
        same(train(self.backend, trial, [3]), only(together, [3]))

    def test_training_changes_nothing_of_its_batch(self):
        """The initial weights are still there to be stored afterwards."""
        trial = trial_for(self.backend, iterations=5, dtype="float64")
        batch = Batch.of(trial, [0, 1])
        self.backend.train(batch)
        np.testing.assert_array_equal(batch.weights_TP, trial.initial_weights([0, 1]))

    @pytest.mark.parametrize("update", ["full", "online"])
    @pytest.mark.parametrize("loss", LOSSES)
    def test_a_diverging_training_leaves_its_neighbours_alone(self, dtype, loss, update):
        """It is reported as diverged, and the others have the very numbers they have without it."""
        trial = trial_for(self.backend, **DIVERGING, loss=loss, update=update, dtype=dtype)
        found = train(self.backend, trial, [0, 1, 2], learning_rate_T=np.array([0.05, HUGE[dtype], 0.05]))
        results = read_outcome(trial, found).result_T.tolist()
        assert [result == Result.DIVERGED for result in results] == [False, True, False]
        same(only(found, [0, 2]), train(self.backend, trial, [0, 2]))

    @pytest.mark.parametrize("update", ["full", "online"])
    @pytest.mark.parametrize("momentum", [0.0, 0.9])
    @pytest.mark.parametrize("loss", LOSSES)
    def test_a_diverging_training_keeps_its_row(self, loss, momentum, update):
        """Its whole budget is used, its loss is a number before the divergence and NaN after it."""
        trial = trial_for(self.backend, **DIVERGING, loss=loss, momentum=momentum, update=update, stop="solved")
        found = train(self.backend, trial, [1], learning_rate_T=np.array([HUGE["float32"]]))
        assert (found.iterations_T.tolist(), found.solved_at_T.tolist()) == ([trial.iterations], [NEVER])
        assert np.isfinite(found.loss_TC[0, 0])
        assert np.isnan(found.loss_TC[0, -1])
        assert np.isnan(found.predictions_TN).any()

    @pytest.mark.parametrize("momentum", [0.0, 0.9])
    @pytest.mark.parametrize("update", ["full", "online"])
    @pytest.mark.parametrize("loss", LOSSES)
    def test_a_learning_rate_beyond_the_precision_is_diverged(self, loss, update, momentum):
        """A rate that float32 cannot hold is infinite there: the training is data, not an exception."""
        rate = {"learning_rate": 1e39, "momentum": momentum}
        trial = trial_for(self.backend, **rate, loss=loss, update=update, iterations=3, dtype="float32")
        found = train(self.backend, trial, [0, 1])
        assert read_outcome(trial, found).result_T.tolist() == [Result.DIVERGED] * 2
        assert found.iterations_T.tolist() == [3, 3]

    @pytest.mark.parametrize("loss", LOSSES)
    def test_predictions_that_are_no_numbers_are_never_correct(self, dtype, loss):
        """Not even where every target is 0 and nothing is above a half."""
        trial = trial_for(self.backend, gate=ZEROS, hidden=0, loss=loss, iterations=3, dtype=dtype)
        found = train(self.backend, trial, [0, 1], weights_TP=np.array([[np.nan] * 3, [-9.0] * 3]))
        assert (found.correct_at_T.tolist(), found.solved_at_T.tolist()) == ([NEVER, 0], [NEVER, 0])
        assert read_outcome(trial, found).correct_T.tolist() == [False, True]

    @pytest.mark.parametrize("loss", LOSSES)
    def test_one_prediction_that_is_no_number_spoils_the_weights(self, loss):
        """Infinity minus infinity, for the inputs (1, 1) alone, ends the whole network: it cannot come back."""
        biases = {"hidden_bias": False, "output_bias": False}
        trial = trial_for(self.backend, hidden=2, activation="relu", loss=loss, **biases, iterations=1)
        found = train(self.backend, trial, [0], weights_TP=np.array([[3e38, 3e38, 3e38, 3e38, 1.0, -1.0]]))
        assert np.isnan(found.weights_TP).any()
        assert read_outcome(trial, found).result_T.tolist() == [Result.DIVERGED]

    # ------------------------------------------------------------ what is measured

    @pytest.mark.parametrize(
        ("values", "seeds"),
        [
            ({**FAST["full"], "iterations": 15}, [29, 16, 6]),
            ({**FAST["online"], "iterations": 12}, [19, 4, 1]),
            ({"gate": BETWEEN, "hidden": 0, "learning_rate": 4.0, "tolerance": 0.15, "iterations": 15}, [0, 1, 2, 3]),
        ],
        ids=["full batch", "online", "targets between 0 and 1"],
    )
    def test_convergence_is_the_first_iteration_whose_predictions_satisfy_it(self, dtype, values, seeds):
        """solved_at and correct_at equal what stopping at every budget shows, to the iteration."""
        trial = trial_for(self.backend, **values, dtype=dtype)
        found = train(self.backend, trial, seeds)
        precise = np.dtype(dtype).type
        targets = trial.gate.targets.astype(dtype)
        budgets = range(trial.iterations + 1)
        predictions_KTN = [some.astype(dtype) for some in predictions_by_budget(self.backend, trial, seeds, budgets)]
        solved = [(abs(p - targets) <= precise(trial.tolerance)).all(axis=1) for p in predictions_KTN]
        correct = [((p > 0.5) == (targets > 0.5)).all(axis=1) for p in predictions_KTN]
        assert found.solved_at_T.tolist() == first(solved).tolist()
        assert found.correct_at_T.tolist() == first(correct).tolist()
        assert len({*found.solved_at_T.tolist(), *found.correct_at_T.tolist(), NEVER}) > 2

    def test_convergence_by_the_last_update_is_noticed(self):
        """A budget that ends where the gate is solved reports it as solved at its end."""
        trial = trial_for(self.backend, **FAST["full"], iterations=60, dtype="float64")
        (solved_at,) = train(self.backend, trial, [0]).solved_at_T.tolist()
        just_enough = train(self.backend, replace(trial, iterations=solved_at), [0])
        one_less = train(self.backend, replace(trial, iterations=solved_at - 1), [0])
        assert just_enough.solved_at_T.tolist() == [solved_at]
        assert one_less.solved_at_T.tolist() == [NEVER]

    def test_a_training_that_starts_solved_is_solved_at_zero(self, dtype):
        """Weights that solve OR need no update to be noticed."""
        trial = trial_for(self.backend, gate="or", hidden=0, iterations=3, dtype=dtype)
        found = train(self.backend, trial, [0], weights_TP=np.array([[20.0, 20.0, -10.0]]))
        assert (found.solved_at_T.tolist(), found.correct_at_T.tolist()) == ([0], [0])

    @pytest.mark.parametrize("stop", ["never", "solved"])
    def test_a_tolerance_that_rounds_to_a_half_has_its_iteration(self, stop):
        """Predictions of a half are within it, though on the right side of no 1: solved at 0, and never correct."""
        trial = trial_for(self.backend, hidden=0, tolerance=0.499999999, iterations=3, dtype="float32", stop=stop)
        found = train(self.backend, trial, [0], weights_TP=np.zeros((1, 3)))
        assert (found.solved_at_T.tolist(), found.correct_at_T.tolist()) == ([0], [NEVER])
        assert read_outcome(trial, found).result_T.tolist() == [Result.SOLVED]

    def test_the_right_side_is_that_of_the_middle_between_the_targets(self):
        """A half is above 0.4, between 0.2 and 0.6, and so on the side of the 1; it is on the side of no 0."""
        between = {"hidden": 0, "target_low": 0.2, "target_high": 0.6, "iterations": 1}
        for gate, expected in ((ZEROS, NEVER), (replace(ZEROS, targets=np.ones(4)), 0)):
            trial = trial_for(self.backend, gate=gate, **between)
            found = train(self.backend, trial, [0], weights_TP=np.zeros((1, 3)))
            assert found.correct_at_T.tolist() == [expected]

    def test_a_prediction_exactly_at_the_tolerance_is_solved(self, dtype):
        """Weights of zero predict a half, a quarter away from both targets."""
        trial = trial_for(self.backend, gate=QUARTERS, hidden=0, tolerance=0.25, iterations=1, dtype=dtype)
        found = train(self.backend, trial, [0], weights_TP=np.zeros((1, 2)))
        assert found.solved_at_T.tolist() == [0]

    @pytest.mark.parametrize("update", ["full", "online"])
    @pytest.mark.parametrize("loss", LOSSES)
    def test_a_recorded_loss_is_that_of_a_training_that_ends_there(self, loss, update):
        """The loss at checkpoint c is measured after c updates, before the next."""
        trial = trial_for(
            self.backend,
            gate=TABLE,
            hidden=3,
            loss=loss,
            update=update,
            learning_rate=0.5,
            iterations=23,
            curve_points=5,
            dtype="float64",
        )
        predictions = predictions_by_budget(self.backend, trial, [0, 1], trial.checkpoints.tolist())
        expected = [loss_value(loss, trial.reduction, found, trial.gate.targets) for found in predictions]
        np.testing.assert_allclose(train(self.backend, trial, [0, 1]).loss_TC, np.transpose(expected), rtol=1e-12)

    @pytest.mark.parametrize(("iterations", "points"), [(1, 1), (1, 100), (7, 100), (100, 1), (37, 10)])
    def test_every_checkpoint_has_a_loss_and_a_time(self, iterations, points):
        """Budgets shorter than the curve, of a single iteration, and that its points do not divide."""
        trial = trial_for(self.backend, iterations=iterations, curve_points=points)
        found = train(self.backend, trial, [0, 1, 2])
        shape = (3, len(trial.checkpoints))
        assert found.loss_TC.shape == found.seconds_TC.shape == shape
        assert np.isfinite(found.loss_TC).all()
        assert found.iterations_T.tolist() == [iterations] * 3

    def test_how_many_points_are_recorded_changes_no_training(self):
        """Measuring is not meddling."""
        trial = trial_for(self.backend, iterations=30, curve_points=1)
        sparse, dense = (train(self.backend, replace(trial, curve_points=points), [0, 1]) for points in (1, 100))
        np.testing.assert_array_equal(sparse.weights_TP, dense.weights_TP)
        np.testing.assert_array_equal(sparse.loss_TC, dense.loss_TC[:, np.isin(np.arange(30), trial.checkpoints)])

    @pytest.mark.parametrize("stop", ["never", "solved"])
    def test_a_training_does_not_depend_on_the_pieces_it_is_trained_in(self, monkeypatch, stop):
        """Between two of them it looks whether it is wanted: the numbers are those of one piece, to the bit."""
        seeds, budget = SOME["full"]
        trial = trial_for(self.backend, **FAST["full"], iterations=budget, stop=stop, curve_points=3)
        whole = train(self.backend, trial, seeds)
        monkeypatch.setattr("bench.backends.pieces.PIECE_S", 1e-9)
        same(train(self.backend, trial, seeds), whole)

    def test_a_training_that_nobody_wants_any_more_is_left(self):
        """Soon after the event that says so."""
        trial, stop = trial_for(self.backend, iterations=10**9, curve_points=1), Event()
        Timer(0.3, stop.set).start()
        with heeding(stop), pytest.raises(StoppedError):
            train(self.backend, trial, [0])

    def test_a_single_iteration_is_one_update(self):
        """The shortest budget moves the weights once and records the loss of the initial ones."""
        trial = trial_for(self.backend, hidden=3, iterations=1, dtype="float64")
        found = train(self.backend, trial, [0])
        (before,) = trial.initial_weights([0])
        np.testing.assert_allclose(
            found.loss_TC, [[loss_value("mse", "mean", forward(trial, before), trial.gate.targets)]]
        )
        assert (found.weights_TP != before).all()

    def test_numbers_come_back_in_the_promised_shapes(self, dtype):
        """Plain float64 and int64 arrays, whatever the precision of the training."""
        trial = trial_for(self.backend, gate="parity3", hidden="3-2", iterations=10, dtype=dtype)
        found = train(self.backend, trial, [0, 1])
        checkpoints = len(trial.checkpoints)
        shapes = {
            "loss_TC": (2, checkpoints),
            "predictions_TN": (2, 8),
            "weights_TP": (2, 23),
            "seconds_TC": (2, checkpoints),
        }
        for name, shape in shapes.items():
            array = getattr(found, name)
            assert (name, array.shape, array.dtype) == (name, shape, np.float64)
        for array in (found.solved_at_T, found.correct_at_T, found.iterations_T):
            assert (array.shape, array.dtype) == ((2,), np.int64)

    def test_seconds_are_spent_and_never_negative(self):
        """Every stretch between checkpoints has its share of time; compilation comes on top."""
        trial = trial_for(self.backend, iterations=50, curve_points=5)
        found = train(self.backend, trial, [0, 1])
        assert (found.seconds_TC >= 0).all()
        assert (found.seconds_TC.sum(axis=1) > 0).all()
        assert found.compile_seconds >= 0
        assert found.together >= 1

    # ------------------------------------------------------------ stopping early

    @pytest.mark.parametrize("update", ["full", "online"])
    def test_a_training_stops_where_it_is_solved(self, dtype, update):
        """With stop = solved it has done as many iterations as it needed; one that never gets there has done all."""
        seeds, budget = SOME[update]
        trial = trial_for(self.backend, **FAST[update], dtype=dtype, iterations=budget, stop="solved")
        solved_at = train(self.backend, replace(trial, stop="never"), seeds).solved_at_T
        found = train(self.backend, trial, seeds)
        assert [solved == NEVER for solved in solved_at.tolist()] == [False, False, True]
        assert found.solved_at_T.tolist() == solved_at.tolist()
        assert found.iterations_T.tolist() == np.where(solved_at == NEVER, budget, solved_at).tolist()

    def test_a_stopped_training_has_the_weights_and_predictions_that_solved(self, dtype):
        """They are those of a training whose budget ends there."""
        trial = trial_for(self.backend, **FAST["full"], dtype=dtype, iterations=60, stop="solved")
        stopped = train(self.backend, trial, [0])
        (done,) = stopped.iterations_T.tolist()
        ended = train(self.backend, replace(trial, iterations=done, stop="never"), [0])
        np.testing.assert_array_equal(stopped.weights_TP, ended.weights_TP)
        np.testing.assert_array_equal(stopped.predictions_TN, ended.predictions_TN)
        assert read_outcome(trial, stopped).result_T.tolist() == [Result.SOLVED]

    @pytest.mark.parametrize("points", [3, 20, 60])
    def test_checkpoints_after_a_stop_hold_no_loss(self, points):
        """Until it stops, the curve is that of a training which goes on; from then on it is NaN."""
        trial = trial_for(self.backend, **FAST["full"], iterations=60, curve_points=points, stop="solved")
        patient, stopped = (train(self.backend, replace(trial, stop=stop), [0, 1, 4]) for stop in ("never", "solved"))
        after = trial.checkpoints > stopped.iterations_T[:, None]
        assert after.any(axis=1).all()
        np.testing.assert_array_equal(stopped.loss_TC, np.where(after, np.nan, patient.loss_TC))

    def test_a_training_that_starts_solved_is_stopped_at_once(self):
        """No update is done, and the weights are those it was given."""
        trial = trial_for(self.backend, gate="or", hidden=0, iterations=10, stop="solved")
        weights = np.array([[20.0, 20.0, -10.0]])
        found = train(self.backend, trial, [0], weights_TP=weights)
        assert (found.iterations_T.tolist(), found.solved_at_T.tolist()) == ([0], [0])
        np.testing.assert_array_equal(found.weights_TP, weights)
        assert np.isfinite(found.loss_TC[0, 0])
        assert np.isnan(found.loss_TC[0, 1:]).all()
