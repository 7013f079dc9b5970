"""A trial: one complete configuration, without the seed, named by a hash of its content."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import plugins
from bench.errors import RequestError, collecting, raising_all, unknown
from bench.model import initialization
from bench.model.gate import BUILT_IN, Gate, built_in, read_gate
from bench.model.loss import LOSSES, REDUCTIONS
from bench.model.network import ACTIVATIONS, MAX_NEURONS, Network, read_hidden, write_hidden
from bench.model.parameter_fields import Parameter, Role, choice, flag, number, parameter, whole

BACKENDS = ("numba", "numpy", "torch", "torch-batched", "jax")
TASK, INITIALIZATION, TRAINING, BUDGET, PRECISION, COMPUTATION = Role
Scalar = str | int | float | bool


def _read_gate(_what: str, value: object) -> Gate:
    return value if isinstance(value, Gate) else read_gate(str(value))


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


MOST_ITERATIONS = 10**9


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
        choice(*ACTIVATIONS),
        "of the hidden neurons; the output is a sigmoid",
        TRAINING,
        bare=True,
        rank=4,
    )
    hidden_bias: bool = parameter(True, flag, "hidden layers have biases", INITIALIZATION)
    output_bias: bool = parameter(True, flag, "the output layer has a bias", INITIALIZATION)
    init: str = parameter(
        "torch",
        choice(*initialization.SCHEMES),
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
    momentum: float = parameter(0.0, number(0, 1, below=True), "as in torch.optim.SGD", TRAINING)
    update: str = parameter(
        "full",
        choice("full", "online"),
        "full batch, or one step per observation in table order",
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

    def __post_init__(self) -> None:
        """Read every field; raise one RequestError that names all problems."""
        with raising_all() as problems:
            for name, known in PARAMETERS.items():
                with collecting(problems):
                    object.__setattr__(self, name, known.read(getattr(self, name)))
            if not problems and self.init_low >= self.init_high:
                high = f"{self.init_high:g}"
                problems.append(f"init_low is {self.init_low:g}; allowed are numbers below init_high, {high}")

    @classmethod
    def stored(cls, parameters: Mapping[str, Any], gate: Gate) -> "Trial":
        """Return the trial with the parameters that a sweep keeps; what trained it need not be here."""
        return cls(**{**parameters, "gate": gate, "backend": StoredName(parameters["backend"])})

    @staticmethod
    def names(*roles: Role) -> tuple[str, ...]:
        """Return the parameters that have any of these roles, in their order."""
        return tuple(name for name, known in PARAMETERS.items() if known.role in roles)

    @cached_property
    def parameters(self) -> dict[str, Scalar]:
        """Every parameter as the user writes it: the gate by its name, the hidden layers as text."""
        values = {name: getattr(self, name) for name in PARAMETERS}
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

    def shorter(self, iterations: int, curve_points: int) -> "Trial | None":
        """Return the trial with another budget from whose final weights one of this goes on; None where it cannot.

        It must have no memory but its weights, not end early, and be measured wherever this one is until then.
        """
        if self.momentum or self.stop != "never" or self.device != "cpu" or iterations >= self.iterations:
            return None
        before = self.checkpoints[self.checkpoints < iterations]
        if not np.isin(before, recorded_iterations(iterations, curve_points)).all():
            return None
        return replace(self, iterations=iterations, curve_points=curve_points)

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


PARAMETERS: Mapping[str, Parameter] = {
    one.name: Parameter(one.name, one.default, **one.metadata) for one in fields(Trial)
}
PROMINENT = tuple(
    sorted((name for name, one in PARAMETERS.items() if one.rank), key=lambda name: PARAMETERS[name].rank)
)


def recorded_iterations(iterations: int, curve_points: int) -> NDArray[np.int64]:
    """Return the distinct iterations ``k * iterations // curve_points`` for k = 0 ... curve_points - 1."""
    return np.unique(np.arange(curve_points, dtype=np.int64) * iterations // curve_points)
