"""JAX as its users write it: jax.grad of the loss, vmap over the trainings, a loop over the iterations, jit.

Shapes: T trainings, L trainings that a program advances together, N observations, I inputs of the network,
P parameters of the network.

How XLA rounds depends on how many trainings a program is compiled for. So a trial always runs in programs of L
trainings, the last filled up with idle ones: what a training gives does not depend on those beside it.
The loop is lax.fori_loop: its length is data, so that one compilation serves every stretch between two checkpoints,
and on a CPU it is twice as fast as lax.scan.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from threading import Lock
from time import perf_counter
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from bench.backends.base import Array as HostArray
from bench.backends.base import Backend, Group, Results, loss_factor, padded
from bench.model.loss import HUBER_DELTA, LOG_FLOOR, SLOPE_FLOOR, loss_value
from bench.model.network import Network
from bench.model.outcome import Batch, Outcome
from bench.model.trial import Trial

Parameters = list[tuple[Array, Array | None]]  # a layer's weight [fan_in, fan_out] and bias [fan_out]

LANES = 256  # trainings that a program advances together
MAX_OUTPUTS = 2**23  # numbers in a layer's outputs at most, else a program advances fewer
NEVER = 2**31 - 1  # in solved_at and correct_at: not yet
PRODUCT_US = 0.001  # microseconds for one multiply-add of all three passes: only chunk sizes depend on it
STEP_US = 5.0  # and for starting what a step is made of
PROGRAMS: dict[Any, Any] = {}  # compiled in this process, by settings, dtype and size of the table
COMPILING = Lock()


class State(NamedTuple):
    """One training between two iterations."""

    parameters: Parameters
    velocity: Parameters
    solved_at: Array
    correct_at: Array
    predictions: Array  # before the first iteration of the last stretch


class Rates(NamedTuple):
    """Learning rate and momentum, which may differ from training to training."""

    learning_rate: Array
    momentum: Array


class Task(NamedTuple):
    """Table and settings that all trainings share, as data: none of it is compiled in."""

    inputs: Array
    targets: Array
    factor: Array  # of the summed losses: 1, or for a mean one over their number
    tolerance: Array
    stops: Array


@dataclass(frozen=True)
class StaticSettings:
    """Settings that a program is compiled for, and the number of trainings that it advances."""

    network: Network
    activation: str
    loss: str
    online: bool
    lanes: int
    device: str

    @classmethod
    def of(cls, trial: Trial) -> "StaticSettings":
        """Return the trial's settings; without hidden neurons there is no activation to tell apart."""
        widest = max(len(trial.inputs) * layer.fan_out for layer in trial.network.layers)
        activation = trial.activation if trial.hidden else "sigmoid"
        lanes = max(1, min(LANES, MAX_OUTPUTS // widest))
        return cls(trial.network, activation, trial.loss, trial.update == "online", lanes, trial.device)


@jax.custom_jvp
def bce(p: Array, t: Array) -> Array:
    """Return the cross-entropy, its logarithms clamped as torch.nn.BCELoss does."""
    return (t - 1) * jnp.maximum(jnp.log1p(-p), LOG_FLOOR) - t * jnp.maximum(jnp.log(p), LOG_FLOOR)


@bce.defjvp
def _bce_slope(at: tuple[Array, Array], by: tuple[Array, Array]) -> tuple[Array, Array]:
    (p, t), (by_p, _) = at, by
    return bce(p, t), by_p * (p - t) / jnp.maximum((1 - p) * p, SLOPE_FLOOR)


def huber(p: Array, t: Array) -> Array:
    """Return the square near the target, and the distance far from it."""
    distance = jnp.abs(p - t)
    return jnp.where(distance < HUBER_DELTA, distance**2 / 2, HUBER_DELTA * (distance - HUBER_DELTA / 2))


LOSSES: dict[str, Callable[[Array, Array], Array]] = {
    "mse": lambda p, t: (p - t) ** 2,
    "l1": lambda p, t: jnp.abs(p - t),
    "bce": bce,
    "huber": huber,
}
ACTIVATIONS: dict[str, Callable[[Array], Array]] = {"sigmoid": jax.nn.sigmoid, "tanh": jnp.tanh, "relu": jax.nn.relu}


def predict(static: StaticSettings, parameters: Parameters, inputs_NI: Array) -> Array:
    """Return the predictions ``[N]``."""
    outputs = inputs_NI
    for k, (weight, bias) in enumerate(parameters):
        linear = outputs @ weight if bias is None else outputs @ weight + bias
        last = k == len(parameters) - 1
        outputs = jax.nn.sigmoid(linear) if last else ACTIVATIONS[static.activation](linear)
    return outputs[:, 0]


def loss(parameters: Parameters, static: StaticSettings, inputs_NI: Array, targets_N: Array, factor: Array) -> Any:
    """Return the loss, and the predictions that gave it."""
    predictions = predict(static, parameters, inputs_NI)
    return factor * LOSSES[static.loss](predictions, targets_N).sum(), predictions


def descend(static: StaticSettings, state: State, rates: Rates, *observations: Array) -> tuple[State, Array]:
    """Do one step of gradient descent with momentum, as torch.optim.SGD does; return the predictions before it."""
    gradient, predictions = jax.grad(loss, has_aux=True)(state.parameters, static, *observations)
    velocity = jax.tree.map(lambda v, g: rates.momentum * v + g, state.velocity, gradient)
    parameters = jax.tree.map(lambda w, v: w - rates.learning_rate * v, state.parameters, velocity)
    return state._replace(parameters=parameters, velocity=velocity), predictions


def one_pass(static: StaticSettings, state: State, rates: Rates, task: Task) -> tuple[State, Array]:
    """Do a step per observation in the table's order; return the predictions before the first."""

    def step(state: State, row: tuple[Array, Array]) -> tuple[State, None]:
        return descend(static, state, rates, row[0][None], row[1][None], task.factor)[0], None

    predictions = predict(static, state.parameters, task.inputs)
    return lax.scan(step, state, (task.inputs, task.targets))[0], predictions


def check(state: State, predictions_N: Array, task: Task, iteration: Array) -> State:
    """Keep the iteration if its predictions are the first to be correct, or to solve the gate."""
    solved = (jnp.abs(predictions_N - task.targets) <= task.tolerance).all()
    correct = (((predictions_N > 0.5) == (task.targets > 0.5)) & ~jnp.isnan(predictions_N)).all()
    return state._replace(
        solved_at=jnp.where(solved, jnp.minimum(state.solved_at, iteration), state.solved_at),
        correct_at=jnp.where(correct, jnp.minimum(state.correct_at, iteration), state.correct_at),
    )


def advance(static: StaticSettings, state: State, rates: Rates, task: Task, start: Array, end: Array) -> State:
    """Do the iterations from start to end."""

    def iterate(iteration: Array, state: State) -> State:
        if static.online:
            after, predictions = one_pass(static, state, rates, task)
        else:
            after, predictions = descend(static, state, rates, task.inputs, task.targets, task.factor)
        checked = check(state, predictions, task, iteration)
        done = task.stops & (checked.solved_at <= iteration)
        freeze = partial(jax.tree.map, partial(jnp.where, done))
        parameters, velocity = freeze(state.parameters, after.parameters), freeze(state.velocity, after.velocity)
        first = jnp.where(iteration == start, predictions, state.predictions)
        return State(parameters, velocity, checked.solved_at, checked.correct_at, first)

    done: State = lax.fori_loop(start, end, iterate, state)
    return done


class ProgramGroup(Group):
    """Trainings that one program advances, the last of them idle if there are fewer than it takes."""

    def __init__(self, batch: Batch) -> None:
        """Put the trainings at their initial weights, and have the program compiled."""
        self.trial = trial = batch.trial
        self.static, self.size = StaticSettings.of(trial), len(batch)
        numbers = (trial.inputs, trial.targets, loss_factor(trial), trial.tolerance)
        inputs, targets, factor, tolerance = (jnp.asarray(number, dtype=trial.dtype) for number in numbers)
        self.task = Task(inputs, targets, factor, tolerance, jnp.asarray(trial.stop == "solved"))
        self.rates = Rates(self._padded(batch.learning_rate_T), self._padded(batch.momentum_T))
        parameters: Parameters = []
        for layer in trial.network.layers:
            weight = self._padded(batch.weights_TP[:, layer.weight].reshape(-1, layer.fan_in, layer.fan_out))
            parameters.append((weight, None if layer.bias is None else self._padded(batch.weights_TP[:, layer.bias])))
        never = jnp.full(self.static.lanes, NEVER, dtype=jnp.int32)
        predictions = jnp.zeros((self.static.lanes, len(trial.inputs)), dtype=trial.dtype)
        self.state = State(parameters, jax.tree.map(jnp.zeros_like, parameters), never, never, predictions)
        self.program, self.compile_seconds = self._compile()

    def advance(self, start: int, end: int) -> HostArray:
        """Do the iterations from start to end; return the losses ``[T]`` before the first."""
        self.state = self._run(start, end)
        targets = self.trial.targets.astype(self.trial.dtype)
        return loss_value(self.trial.loss, self.trial.reduction, self._take(self.state.predictions), targets)

    def all_solved(self) -> bool:
        """Whether every training has been solved."""
        return bool((self._take(self.state.solved_at) != NEVER).all())

    def results(self) -> Results:
        """Check the final predictions too, and return all results."""
        # by one iteration more, of which only the check before its update is kept
        end = self.trial.iterations
        checked = self._run(end, end + 1)
        weights = [self._take(part).reshape(self.size, -1) for part in jax.tree.leaves(self.state.parameters)]
        solved_at_T, correct_at_T = self._take(checked.solved_at), self._take(checked.correct_at)
        return self._take(checked.predictions), np.concatenate(weights, axis=1), solved_at_T, correct_at_T

    def _padded(self, values: HostArray) -> Array:
        """Return values ``[T, ...]`` as ``[L, ...]`` in the trial's dtype, zeros filling up."""
        return jnp.asarray(padded(values, self.static.lanes, self.trial.dtype))

    def _take(self, values: Array) -> Any:
        """Return the values of the trainings that are not idle, as an array of NumPy's."""
        return np.asarray(values)[: self.size]

    def _run(self, start: int, end: int) -> State:
        """Return the state after the iterations from start to end, all of which is there at the same time."""
        state: State = self.program(self.state, self.rates, self.task, np.int32(start), np.int32(end))
        state.solved_at.block_until_ready()
        return state

    def _compile(self) -> tuple[Any, float]:
        """Return the program that advances L trainings, and the seconds that compiling it took just now."""
        key = self.static, self.task.inputs.dtype, self.task.inputs.shape
        started = perf_counter()
        with COMPILING:
            if key in PROGRAMS:
                return PROGRAMS[key], 0.0
            # a worker has one core
            options = {"xla_cpu_multi_thread_eigen": False} if self.static.device == "cpu" else None
            each = jax.vmap(partial(advance, self.static), in_axes=(0, 0, None, None, None))
            self.program = jax.jit(each, compiler_options=options)
            self._run(0, 0)  # compiles; what lower().compile() returns costs more to call than a short stretch takes
            PROGRAMS[key] = self.program
            return self.program, perf_counter() - started


class JaxBatched(Backend):
    """Networks side by side, in JAX."""

    name = "jax"
    group = ProgramGroup
    least = LANES

    def has_gpu(self) -> bool:
        """Whether JAX can use a GPU here."""
        try:
            return bool(jax.devices("cuda"))
        except RuntimeError:
            return False

    def cost_us(self, trial: Trial) -> float:
        """Return what an iteration of one training costs in a full program, in microseconds, compilation apart."""
        observations = len(trial.inputs)
        steps = observations if trial.update == "online" else 1
        starts = STEP_US * len(trial.network.layers) / StaticSettings.of(trial).lanes
        return steps * starts + PRODUCT_US * observations * trial.network.parameters

    def group_size(self, trial: Trial) -> int:
        """Return how many trainings a program advances."""
        return StaticSettings.of(trial).lanes

    def train(self, batch: Batch) -> Outcome:
        """Train every training of the batch from its weights."""
        with (
            jax.enable_x64(batch.trial.dtype == "float64"),
            jax.default_device(jax.devices(batch.trial.device)[0]),
            jax.default_matmul_precision("float32"),  # not the shorter numbers of a GPU's tensor cores
        ):
            return super().train(batch)
