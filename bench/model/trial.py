"""A trial: one complete configuration, without the seed, named by a hash of its content."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import InitVar, dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import plugins
from bench.errors import RequestError, collecting, raising_all, unknown
from bench.model import initialization
from bench.model.consistency import problems_of
from bench.model.gate import BUILT_IN, MAX_OBSERVATIONS, Gate, built_in, read_gate
from bench.model.initial_table import InitialTable, read_initial_table
from bench.model.loss import LOSSES, REDUCTIONS
from bench.model.network import (
    HIDDEN_ACTIVATIONS,
    MAX_NEURONS,
    OUTPUT_RANGES,
    Network,
    read_hidden,
    weight_names,
    write_hidden,
)
from bench.model.optimizer import OPTIMIZERS, SCHEDULES, schedule_factors
from bench.model.parameter_fields import Parameter, Role, choice, extra, flag, number, parameter, whole

MOST_ITERATIONS = 10**9
BACKENDS = ("numba", "numpy", "torch", "torch-batched", "jax")
TASK, INITIALIZATION, TRAINING, BUDGET, PRECISION, COMPUTATION = Role
Scalar = str | int | float | bool


def _read_gate(_what: str, value: object) -> Gate:
    return value if isinstance(value, Gate) else read_gate(str(value))


def _read_initial_table(what: str, value: object) -> InitialTable | str:
    if isinstance(value, InitialTable) or value == "":
        return value
    if not isinstance(value, str):
        raise RequestError(f"{what} is {value!r}; allowed are paths of .csv files")
    return read_initial_table(value)


def _read_hidden(what: str, value: object) -> tuple[int, ...]:
    try:
        return read_hidden(write_hidden(value) if isinstance(value, tuple) else value)
    except ValueError:
        allowed = f'0 to {MAX_NEURONS}, or several layers such as "4-4"'
        raise RequestError(f"{what} is {value!r}; allowed are {allowed}") from None


class StoredName(str):
    """A backend's name as a stored sweep has it: it may be of a plug-in that is not here."""

    __slots__ = ()


def _read_backend(what: str, value: object) -> str:
    if isinstance(value, StoredName) or (isinstance(value, str) and value in BACKENDS):
        return value
    if isinstance(value, str) and plugins.find(plugins.BACKEND, value) is not None:
        return value
    raise RequestError(unknown(what, value, backend_names()) + ", or a plug-in's")


def backend_names() -> tuple[str, ...]:
    """Return the names of all backends, those of plug-ins after those that are built in."""
    return (*BACKENDS, *plugins.names(plugins.BACKEND, BACKENDS))


def backend_place(name: str) -> int:
    """Return a backend's place among those that are built in; others come after them."""
    return BACKENDS.index(name) if name in BACKENDS else len(BACKENDS)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One complete configuration; the seed is not part of it. Every field is read and checked at birth."""

    gate: Gate = parameter(
        built_in("xor"), _read_gate, f"what is learned: {', '.join(BUILT_IN)}, or a .csv file", TASK, bare=True, rank=1
    )
    hidden: tuple[int, ...] = parameter(
        (3,),
        _read_hidden,
        'hidden neurons: 0 (single perceptron), 3, "4-4"',
        INITIALIZATION,
        number=whole(0, MAX_NEURONS),
        rank=2,
    )
    activation: str = parameter(
        "sigmoid",
        choice(*HIDDEN_ACTIVATIONS),
        "of the hidden neurons",
        TRAINING,
        bare=True,
        rank=4,
    )
    hidden_bias: bool = parameter(True, flag, "hidden layers have biases", INITIALIZATION)
    output_bias: bool = parameter(True, flag, "the output layer has a bias", INITIALIZATION)
    init: str = parameter(
        "torch",
        choice(*initialization.SCHEMES, "table"),
        "how weights are drawn; torch is nn.Linear's",
        INITIALIZATION,
        bare=True,
    )
    init_bias: str = parameter(
        "same", choice(*initialization.BIAS_SCHEMES), "biases drawn like weights, or zero", INITIALIZATION
    )
    init_low: float = parameter(0.0, number(), "init = uniform: lower end", INITIALIZATION)
    init_high: float = parameter(1.0, number(), "init = uniform: upper end", INITIALIZATION)
    init_scale: float = parameter(1.0, number(0), "multiplies every initial weight", INITIALIZATION)
    draws_before: int = parameter(
        0, whole(0, 1_000_000), "numbers taken from the seed's stream before this network's", INITIALIZATION
    )
    loss: str = parameter("mse", choice(*LOSSES), "what is minimised", TRAINING, bare=True, rank=3)
    reduction: str = parameter("mean", choice(*REDUCTIONS), "of the loss over observations", TRAINING, bare=True)
    learning_rate: float = parameter(0.05, number(0, above=True), "step size of gradient descent", TRAINING)
    momentum: float = parameter(0.0, number(0, 1, below=True), "as in torch.optim.SGD", TRAINING, own=True)
    update: str = parameter(
        "full",
        choice("full", "online", "minibatch"),
        "full batch, or a step per observation, or per batch_size of them",
        TRAINING,
        bare=True,
    )
    iterations: int = parameter(10_000, whole(1, MOST_ITERATIONS), "full passes over the table", BUDGET)
    stop: str = parameter("never", choice("never", "solved"), "end a training early", BUDGET)
    tolerance: float = parameter(
        0.1, number(0, 0.5, above=True, below=True), "solved: every prediction this close", BUDGET
    )
    curve_points: int = parameter(100, whole(1, 1000), "points of the loss curve that are kept", BUDGET)
    dtype: str = parameter("float32", choice("float32", "float64"), "precision of the arithmetic", PRECISION, bare=True)
    summation: str = parameter(
        "library",
        choice("library", "fma"),
        "dot products: as the library's BLAS does, or in order with fused multiply-add",
        COMPUTATION,
    )
    backend: str = parameter("numba", _read_backend, "what trains", COMPUTATION, bare=True)
    device: str = parameter("cpu", choice("cpu", "cuda"), "where it trains", COMPUTATION)

    # what is learned, and by what network
    encoding: str = extra("binary", choice("binary", "bipolar"), "inputs 0 and 1, or -1 and 1", TRAINING, bare=True)
    target_low: float = extra(0.0, number(), "what a target of 0 becomes", TRAINING)
    target_high: float = extra(1.0, number(), "what a target of 1 becomes", TRAINING)
    output: str = extra("sigmoid", choice(*OUTPUT_RANGES), "activation of the output neurons", TRAINING)
    shortcuts: bool = extra(False, flag, "the output layer sees the inputs too", INITIALIZATION)
    init_table: InitialTable | str = parameter(
        "", _read_initial_table, "init = table: .csv of weights", INITIALIZATION, extra=True
    )

    # how weights change
    optimizer: str = extra("sgd", choice(*OPTIMIZERS), "how a gradient becomes a step", TRAINING, bare=True)
    beta1: float = extra(0.9, number(0, 1, below=True), "adam, adamw: of the mean gradient", TRAINING)
    beta2: float = extra(0.999, number(0, 1, below=True), "adam, adamw: of its mean square", TRAINING)
    alpha: float = extra(0.99, number(0, 1, below=True), "rmsprop: of the mean square", TRAINING)
    epsilon: float = extra(1e-8, number(0), "added to a root before it divides; adagrad 1e-10", TRAINING, own=True)
    eta_minus: float = extra(0.5, number(0, 1, above=True, below=True), "rprop: a step's factor", TRAINING)
    eta_plus: float = extra(1.2, number(1, above=True), "rprop: likewise", TRAINING)
    step_min: float = extra(1e-6, number(0), "rprop: the smallest step", TRAINING)
    step_max: float = extra(50.0, number(0, above=True), "rprop: the largest step", TRAINING)
    growth: float = extra(1.75, number(0, above=True), "quickprop: a step's most, in steps before it", TRAINING)
    kappa: float = extra(0.035, number(0), "delta-bar-delta: what a rate gains", TRAINING)
    phi: float = extra(0.333, number(0, 1), "delta-bar-delta: the share of a rate that is lost", TRAINING)
    theta: float = extra(0.7, number(0, 1, below=True), "delta-bar-delta: of the mean gradient", TRAINING)
    learning_rate_output: float = extra(0.0, number(0), "of the output layer; 0: as learning_rate", TRAINING)
    weight_decay: float = extra(0.0, number(0), "of weights, as in torch.optim; adamw 0.01", TRAINING, own=True)
    clip: float = extra(0.0, number(0), "the longest gradient; 0: none is too long", TRAINING)
    noise: float = extra(0.0, number(0), "deviation of normal noise on every gradient", TRAINING)
    label_flips: float = extra(0.0, number(0, 1), "share of targets that a step takes for the other", TRAINING)
    dropout: float = extra(0.0, number(0, 1, below=True), "share of hidden outputs that a step does without", TRAINING)
    slope_offset: float = extra(0.0, number(0), "added to every activation's slope (Fahlman 1988)", TRAINING)
    frozen: str = extra("nothing", choice("nothing", "biases", "hidden", "output"), "what is not trained", TRAINING)
    schedule: str = extra("constant", choice(*SCHEDULES), "of the learning rate", TRAINING)
    schedule_length: int = extra(0, whole(0, MOST_ITERATIONS), "iterations of a schedule", TRAINING)
    schedule_factor: float = extra(0.1, number(0, above=True), "schedule = step: of each", TRAINING)
    batch_size: int = extra(0, whole(0, MAX_OBSERVATIONS), "update = minibatch: observations of a step", TRAINING)
    shuffle: str = extra("never", choice("never", "once", "always"), "observations, each iteration or once", TRAINING)

    # what counts as solved, and what is measured at the end
    success: str = extra(
        "tolerance",
        choice("tolerance", "correct", "loss"),
        "what solves: each prediction close, or right, or the loss",
        BUDGET,
    )
    success_loss: float = extra(0.0, number(0), "success = loss: at most this", BUDGET)
    success_for: int = extra(1, whole(1, 1_000_000), "iterations in a row that it takes", BUDGET)
    diagnostics: bool = extra(False, flag, "gradient, curvature and largest weight in the end", BUDGET)

    is_stored: InitVar[bool] = False  # what was trained is read, whatever goes together by now

    def __post_init__(self, is_stored: bool) -> None:  # as dataclasses call it
        """Read every field; raise one RequestError that names all problems."""
        own = OPTIMIZERS[self.optimizer].own if self.optimizer in OPTIMIZERS else {}
        with raising_all() as problems:
            for name, known in PARAMETERS.items():
                given = getattr(self, name)
                with collecting(problems):
                    left = given is None and name in OF_OPTIMIZERS
                    value = own.get(name, known.default) if left else known.read(given)
                    object.__setattr__(self, name, value)
            if not problems and not is_stored:
                problems.extend(problems_of(self, PARAMETERS))
        if self.optimizer == "none":  # nothing changes after the first look
            object.__setattr__(self, "iterations", 1)

    @classmethod
    def stored(cls, parameters: Mapping[str, Any], gate: Gate, table: InitialTable | None = None) -> "Trial":
        """Return the trial with the parameters that a sweep keeps; what trained it, and files, need not be here."""
        kept = {"gate": gate, "backend": StoredName(parameters["backend"])} | ({"init_table": table} if table else {})
        return cls(**{**parameters, **kept}, is_stored=True)

    @property
    def kept_table(self) -> dict[str, str]:
        """The digest of its table of initial weights, as documents have it; nothing where there is no table."""
        return {"init_table": self.init_table.digest} if isinstance(self.init_table, InitialTable) else {}

    @staticmethod
    def names(*roles: Role) -> tuple[str, ...]:
        """Return the parameters that have any of these roles, in their order."""
        return tuple(name for name, known in PARAMETERS.items() if known.role in roles)

    @cached_property
    def parameters(self) -> dict[str, Scalar]:
        """Every parameter as the user writes it: the gate by its name, the hidden layers as text."""
        values = {name: getattr(self, name) for name in PARAMETERS}
        words = {"gate": self.gate.name, "hidden": write_hidden(self.hidden), "init_table": str(self.init_table)}
        return values | words

    @cached_property
    def content(self) -> dict[str, Scalar]:
        """The parameters that it is known by: of the extra ones, those that are not what they are if nobody says so."""
        own = OPTIMIZERS[self.optimizer].own
        left_out = {name: own.get(name, one.default) for name, one in PARAMETERS.items() if one.extra}
        return {name: value for name, value in self.parameters.items() if value != left_out.get(name)}

    @cached_property
    def trial_id(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 of the trial's content, its gate's table included."""
        content = self.content | {"table": self.gate.digest}
        if isinstance(self.init_table, InitialTable):
            content["weights"] = self.init_table.digest
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]

    def encoded(self, inputs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return a gate's inputs as the network is given them."""
        return 2 * inputs - 1 if self.encoding == "bipolar" else inputs

    @cached_property
    def inputs(self) -> NDArray[np.float64]:
        """What the network is given ``[N, I]``."""
        return self.encoded(self.gate.inputs)

    @cached_property
    def targets(self) -> NDArray[np.float64]:
        """What it is to say ``[N * O]``, all outputs of an observation side by side."""
        low, high = self.target_low, self.target_high
        found = self.gate.targets.ravel()
        return found if (low, high) == (0, 1) else low + (high - low) * found

    def as_gate_has_it(self, said: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return predictions or targets in the gate's own terms: 0 where a target of 0 is, and 1 where one of 1 is."""
        return as_gates_have_it(said, self.target_low, self.target_high)

    @property
    def middle(self) -> float:
        """Between what targets of 0 and of 1 become: a prediction is right on its target's side."""
        return (self.target_low + self.target_high) / 2

    @property
    def step_size(self) -> int:
        """How many observations a step looks at; the last of an iteration at what is left."""
        return {"full": len(self.inputs), "online": 1}.get(self.update, self.batch_size)

    @property
    def steps(self) -> int:
        """How many steps an iteration takes."""
        return -(-len(self.inputs) // self.step_size)

    def rate_factors(self, start: int, end: int) -> NDArray[np.float64]:
        """Return what its schedule multiplies the learning rate by, in the iterations from start to end."""
        return schedule_factors(self.schedule, self.schedule_length, self.schedule_factor, start, end)

    @cached_property
    def network(self) -> Network:
        """The network that this trial trains."""
        inputs, outputs = self.gate.inputs.shape[1], self.gate.outputs
        return Network(inputs, self.hidden, self.hidden_bias, self.output_bias, outputs, self.shortcuts)

    @cached_property
    def trained(self) -> NDArray[np.bool_]:
        """Which of its weights are trained ``[P]``."""
        trained_P = np.ones(self.network.parameters, np.bool_)
        *hidden, output = self.network.layers
        for layer in {"hidden": hidden, "output": [output]}.get(self.frozen, ()):
            trained_P[layer.weight.start : (layer.bias or layer.weight).stop] = False
        for layer in self.network.layers if self.frozen == "biases" else ():
            trained_P[layer.bias or slice(0)] = False
        return trained_P

    @cached_property
    def recorded_iterations(self) -> NDArray[np.int64]:
        """The iterations ``[K]`` before whose update the loss is kept: ``k * iterations // curve_points``."""
        return recorded_iterations(self.iterations, self.curve_points)

    @property
    def late_iteration(self) -> int:
        """Where the last tenth of the budget begins: from here on, a slow training still gets better."""
        return 9 * self.iterations // 10

    @cached_property
    def checkpoints(self) -> NDArray[np.int64]:
        """Where a backend must measure the loss ``[C]``: the recorded iterations and the late one, in order."""
        return np.union1d(self.recorded_iterations, [self.late_iteration])

    def shorter(self, iterations: int, curve_points: int) -> "Trial | None":
        """Return the trial with another budget from whose final weights one of this goes on; None where it cannot.

        It must have no memory but its weights, not end early, and be measured wherever this one is until then.
        """
        if self.momentum or self.stop != "never" or self.device != "cpu" or iterations >= self.iterations:
            return None
        if any(PARAMETERS[name].extra and PARAMETERS[name].role in (TRAINING, BUDGET) for name in self.content):
            return None
        before = self.checkpoints[self.checkpoints < iterations]
        if not np.isin(before, recorded_iterations(iterations, curve_points)).all():
            return None
        return replace(self, iterations=iterations, curve_points=curve_points)

    def initial_weights(self, seeds: Sequence[int]) -> NDArray[np.float64]:
        """Return the weights ``[T, P]`` that each seed starts from; raise RequestError where its table has none."""
        if isinstance(self.init_table, InitialTable):
            return self.init_table.weights(seeds, weight_names(self.network)) * self.init_scale
        return initialization.initial_weights(
            self.network,
            seeds,
            init=self.init,
            init_bias=self.init_bias,
            init_low=self.init_low,
            init_high=self.init_high,
            init_scale=self.init_scale,
            draws_before=self.draws_before,
        )


PARAMETERS: Mapping[str, Parameter] = {one.name: Parameter(one.name, **one.metadata) for one in fields(Trial)}
BASIC = tuple(name for name, one in PARAMETERS.items() if not one.extra)  # a column of every table
PROMINENT = tuple(
    sorted((name for name, one in PARAMETERS.items() if one.rank), key=lambda name: PARAMETERS[name].rank)
)


OF_OPTIMIZERS = tuple(dict.fromkeys(name for one in OPTIMIZERS.values() for name in one.own))


def parts_of_optimizers(trials: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return the parameters that are parts of these trials' optimizers: to compare two of these is to let them differ.

    They are the constants that every trial leaves to its optimizer, each to its own default, and the iterations, where
    all that are trained have the same and others are not trained at all.
    """
    found = {name for name in OF_OPTIMIZERS if all(is_left_to_optimizer(name, one) for one in trials)}
    trained = [one.get("iterations") for one in trials if one.get("optimizer") != "none"]
    return found | ({"iterations"} if len(set(trained)) <= 1 and len(trained) < len(trials) else set())


def is_left_to_optimizer(name: str, trial: Mapping[str, Any]) -> bool:
    """Whether a trial has what its optimizer has of a constant where nobody says so."""
    default = PARAMETERS[name].default
    return bool(trial.get(name, default) == OPTIMIZERS[trial.get("optimizer", "sgd")].own.get(name, default))


def shown_parameters(trials: Iterable[Trial]) -> tuple[str, ...]:
    """Return the parameters that tables of these trials have: the basic ones, and those that some trial sets."""
    given = {name for one in trials for name, value in one.parameters.items() if value != PARAMETERS[name].default}
    return tuple(name for name in PARAMETERS if name in given or name in BASIC)


def as_gates_have_it(said: NDArray[np.float64], low: Any, high: Any) -> NDArray[np.float64]:
    """Return predictions or targets in gates' own terms, given what targets of 0 and of 1 became."""
    return np.asarray((said - low) / (np.asarray(high) - low))


def recorded_iterations(iterations: int, curve_points: int) -> NDArray[np.int64]:
    """Return the distinct iterations ``k * iterations // curve_points`` for k = 0 ... curve_points - 1."""
    return np.unique(np.arange(curve_points, dtype=np.int64) * iterations // curve_points)
