"""A trial: one complete configuration, without the seed, named by a hash of its content."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import Field, dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.errors import RequestError
from bench.model import initialization
from bench.model.gate import BUILT_IN, Gate, built_in
from bench.model.loss import LOSSES, REDUCTIONS
from bench.model.network import ACTIVATIONS, MAX_NEURONS, Network, read_hidden, write_hidden
from bench.model.parameters import ParameterError, choice, flag, number, parameter, whole

BACKENDS = ("numba", "numpy", "torch", "torch-batched", "jax")
Scalar = str | int | float | bool


def _read_gate(_what: str, value: object) -> Gate:
    if isinstance(value, Gate):
        return value
    try:
        return built_in(str(value))
    except RequestError as error:
        raise ParameterError(str(error)) from error


def _read_hidden(what: str, value: object) -> tuple[int, ...]:
    if isinstance(value, tuple):
        value = write_hidden(value)
    try:
        return read_hidden(value)
    except ValueError:
        raise ParameterError(
            f'{what} is {value!r}; allowed are 0 to {MAX_NEURONS}, or several layers such as "4-4"'
        ) from None


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One complete configuration; the seed is not part of it. Every field is read and checked at birth."""

    gate: Gate = parameter(built_in("xor"), _read_gate, f"what is learned: {', '.join(BUILT_IN)}, or a .csv file")
    hidden: tuple[int, ...] = parameter((3,), _read_hidden, 'hidden neurons: 0 (single perceptron), 3, "4-4"')
    activation: str = parameter("sigmoid", choice(*ACTIVATIONS), "of the hidden neurons; the output is a sigmoid")
    hidden_bias: bool = parameter(True, flag, "hidden layers have biases")
    output_bias: bool = parameter(True, flag, "the output layer has a bias")
    init: str = parameter("torch", choice(*initialization.SCHEMES), "how weights are drawn; torch is nn.Linear's")
    init_bias: str = parameter("same", choice(*initialization.BIAS_SCHEMES), "biases drawn like weights, or zero")
    init_low: float = parameter(0.0, number(), "init = uniform: lower end")
    init_high: float = parameter(1.0, number(), "init = uniform: upper end")
    init_scale: float = parameter(1.0, number(0), "multiplies every initial weight")
    draws_before: int = parameter(0, whole(0, 1_000_000), "numbers taken from the seed's stream before this network's")
    loss: str = parameter("mse", choice(*LOSSES), "what is minimised")
    reduction: str = parameter("mean", choice(*REDUCTIONS), "of the loss over observations")
    learning_rate: float = parameter(0.05, number(0, above=True), "step size of gradient descent")
    momentum: float = parameter(0.0, number(0, 1, below=True), "as in torch.optim.SGD")
    update: str = parameter("full", choice("full", "online"), "full batch, or one step per observation in table order")
    iterations: int = parameter(10_000, whole(1, 10**9), "full passes over the table")
    stop: str = parameter("never", choice("never", "solved"), "end a training early")
    tolerance: float = parameter(0.1, number(0, 0.5, above=True, below=True), "solved: every prediction this close")
    curve_points: int = parameter(100, whole(1, 1000), "points of the loss curve that are kept")
    dtype: str = parameter("float32", choice("float32", "float64"), "precision of the arithmetic")
    summation: str = parameter(
        "library",
        choice("library", "fma"),
        "dot products: as the library's BLAS does, or in order with fused multiply-add",
    )
    backend: str = parameter("numba", choice(*BACKENDS), "what trains")
    device: str = parameter("cpu", choice("cpu", "cuda"), "where it trains")

    def __post_init__(self) -> None:
        """Read every field; raise one RequestError that names all problems."""
        problems = []
        for declared in fields(self):
            try:
                object.__setattr__(self, declared.name, read(declared, getattr(self, declared.name)))
            except ParameterError as problem:
                problems.append(str(problem))
        if not problems and self.init_low >= self.init_high:
            problems.append(f"init_low is {self.init_low:g}; allowed are numbers below init_high, {self.init_high:g}")
        if problems:
            raise RequestError(*problems)

    @cached_property
    def parameters(self) -> dict[str, Scalar]:
        """Every parameter as the user writes it: the gate by its name, the hidden layers as text."""
        values = {declared.name: getattr(self, declared.name) for declared in fields(self)}
        return values | {"gate": self.gate.name, "hidden": write_hidden(self.hidden)}

    @cached_property
    def trial_id(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 of the trial's content, its gate's table included."""
        content = self.parameters | {"table": self.gate.digest}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]

    @cached_property
    def network(self) -> Network:
        """The network that this trial trains."""
        return Network(self.gate.inputs.shape[1], self.hidden, self.hidden_bias, self.output_bias)

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

    def initial_weights(self, seeds: Sequence[int]) -> NDArray[np.float64]:
        """Return the weights ``[T, P]`` that each seed starts from."""
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


PARAMETERS: Mapping[str, Field[Any]] = {declared.name: declared for declared in fields(Trial)}


def read(declared: "Field[Any]", value: object) -> Any:
    """Read one parameter's value; raise ParameterError with what, got and allowed."""
    return declared.metadata["read"](declared.name, value)


def recorded_iterations(iterations: int, curve_points: int) -> NDArray[np.int64]:
    """Return the distinct iterations ``k * iterations // curve_points`` for k = 0 ... curve_points - 1."""
    return np.unique(np.arange(curve_points, dtype=np.int64) * iterations // curve_points)
