"""JAX as its users write it: jax.grad of the loss, vmap over the trainings, a loop over the iterations, jit.

Shapes: T trainings, L trainings that a program advances together, N observations, I inputs of the network,
C checkpoints, P parameters of the network.

How XLA rounds depends on how many trainings a program is compiled for. So a trial always runs in programs of L
trainings, the last filled up with idle ones: what a training gives does not depend on those beside it.
The loop is lax.fori_loop: its length is data, so that one compilation serves every stretch between two checkpoints,
and on a CPU it is twice as fast as lax.scan.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import pairwise
from threading import Lock
from time import perf_counter
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from numpy.typing import NDArray

from bench.backends.base import iterations_done, refusal, until, unwritten
from bench.model.loss import HUBER_DELTA, LOG_FLOOR, SLOPE_FLOOR, loss_value
from bench.model.network import Network
from bench.model.outcome import NEVER, Batch, Outcome
from bench.model.trial import Trial

Parameters = list[tuple[Array, Array | None]]  # a layer's weight [fan_in, fan_out] and bias [fan_out]

LANES = 256  # trainings that a program advances together
ROOM = 2**23  # numbers in a layer's outputs at most, else a program advances fewer


class State(NamedTuple):
    """One training between two iterations."""

    parameters: Parameters
    velocity: Parameters
    solved_at: Array
    correct_at: Array
    predictions: Array  # before the first iteration of the last stretch


class Rates(NamedTuple):
    """What may differ from training to training."""

    learning_rate: Array
    momentum: Array


class Task(NamedTuple):
    """What all trainings share, as data: none of it is compiled in."""

    inputs: Array
    targets: Array
    factor: Array  # of the summed losses: 1, or for a mean one over their number
    tolerance: Array
    stops: Array


@dataclass(frozen=True)
class Recipe:
    """What a program is compiled for."""

    network: Network
    activation: str
    loss: str
    online: bool
    lanes: int
    device: str

    @classmethod
    def of(cls, trial: Trial) -> "Recipe":
        """Return the trial's recipe; without hidden neurons there is no activation to tell apart."""
        widest = max(len(trial.gate.targets) * layer.fan_out for layer in trial.network.layers)
        activation = trial.activation if trial.hidden else "sigmoid"
        lanes = max(1, min(LANES, ROOM // widest))
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


def predict(recipe: Recipe, parameters: Parameters, inputs_NI: Array) -> Array:
    """Return the predictions ``[N]``."""
    outputs = inputs_NI
    for place, (weight, bias) in enumerate(parameters):
        linear = outputs @ weight if bias is None else outputs @ weight + bias
        last = place == len(parameters) - 1
        outputs = jax.nn.sigmoid(linear) if last else ACTIVATIONS[recipe.activation](linear)
    return outputs[:, 0]


def loss(parameters: Parameters, recipe: Recipe, inputs_NI: Array, targets_N: Array, factor: Array) -> Any:
    """Return the loss, and the predictions that gave it."""
    predictions = predict(recipe, parameters, inputs_NI)
    return factor * LOSSES[recipe.loss](predictions, targets_N).sum(), predictions


def descend(recipe: Recipe, state: State, rates: Rates, *observations: Array) -> tuple[State, Array]:
    """Do one step of gradient descent with momentum, as torch.optim.SGD does; return the predictions before it."""
    gradient, predictions = jax.grad(loss, has_aux=True)(state.parameters, recipe, *observations)
    velocity = jax.tree.map(lambda v, g: rates.momentum * v + g, state.velocity, gradient)
    parameters = jax.tree.map(lambda w, v: w - rates.learning_rate * v, state.parameters, velocity)
    return state._replace(parameters=parameters, velocity=velocity), predictions


def one_pass(recipe: Recipe, state: State, rates: Rates, task: Task) -> tuple[State, Array]:
    """Do a step per observation in the table's order; return the predictions before the first."""

    def step(state: State, row: tuple[Array, Array]) -> tuple[State, None]:
        return descend(recipe, state, rates, row[0][None], row[1][None], task.factor)[0], None

    predictions = predict(recipe, state.parameters, task.inputs)
    return lax.scan(step, state, (task.inputs, task.targets))[0], predictions


def watch(state: State, predictions_N: Array, task: Task, iteration: Array) -> State:
    """Note the iteration, if it is the first whose predictions are correct, or solve the gate."""
    solved = (jnp.abs(predictions_N - task.targets) <= task.tolerance).all()
    correct = (((predictions_N > 0.5) == (task.targets > 0.5)) & ~jnp.isnan(predictions_N)).all()
    return state._replace(
        solved_at=jnp.where(solved, jnp.minimum(state.solved_at, iteration), state.solved_at),
        correct_at=jnp.where(correct, jnp.minimum(state.correct_at, iteration), state.correct_at),
    )


def advance(recipe: Recipe, state: State, rates: Rates, task: Task, start: Array, end: Array) -> State:
    """Do the iterations from start to end."""

    def iterate(iteration: Array, state: State) -> State:
        if recipe.online:
            after, predictions = one_pass(recipe, state, rates, task)
        else:
            after, predictions = descend(recipe, state, rates, task.inputs, task.targets, task.factor)
        seen = watch(state, predictions, task, iteration)
        done = task.stops & (seen.solved_at <= iteration)
        freeze = partial(jax.tree.map, partial(jnp.where, done))
        parameters, velocity = freeze(state.parameters, after.parameters), freeze(state.velocity, after.velocity)
        first = jnp.where(iteration == start, predictions, state.predictions)
        return State(parameters, velocity, seen.solved_at, seen.correct_at, first)

    done: State = lax.fori_loop(start, end, iterate, state)
    return done


# ------------------------------------------------------------------ jax batched


Floats = NDArray[np.floating[Any]]
Places = NDArray[np.int64]

LATER = 2**31 - 1  # in solved_at and correct_at: not yet
PRODUCT_US = 0.001  # microseconds for one multiply-add of all three passes: only chunk sizes depend on it
STEP_US = 5.0  # and for starting what a step is made of
PROGRAMS: dict[Any, Any] = {}  # compiled in this process, by recipe, dtype and size of the table
COMPILING = Lock()


class JaxBatched:
    """Networks side by side, in JAX."""

    name = "jax"
    releases_gil = True  # XLA runs without it
    least = LANES

    def unsupported(self, trial: Trial) -> str | None:
        """Refuse a GPU that is not there, and fused sums."""
        return refusal(self.name, trial, gpu=trial.device != "cpu" and has(trial.device))

    def cost_us(self, trial: Trial) -> float:
        """Return what an iteration of one training costs in a full program, in microseconds, compilation apart."""
        observations = len(trial.gate.targets)
        steps = observations if trial.update == "online" else 1
        starts = STEP_US * len(trial.network.layers) / Recipe.of(trial).lanes
        return steps * starts + PRODUCT_US * observations * trial.network.parameters

    def train(self, batch: Batch) -> Outcome:
        """Train the batch, a program's trainings at a time."""
        trial, size = batch.trial, len(batch)
        recipe = Recipe.of(trial)
        outcome = unwritten(batch, recipe.lanes)
        compile_seconds = 0.0
        with (
            jax.enable_x64(trial.dtype == "float64"),
            jax.default_device(jax.devices(trial.device)[0]),
            jax.default_matmul_precision("float32"),  # not the shorter numbers of a GPU's tensor cores
        ):
            for start in range(0, size, recipe.lanes):
                places = np.arange(start, min(start + recipe.lanes, size))
                compile_seconds += train_group(recipe, batch, places, outcome)
        return replace(outcome, compile_seconds=compile_seconds)


def train_group(recipe: Recipe, batch: Batch, places: Places, outcome: Outcome) -> float:
    """Train up to L of the batch's trainings into their rows of the outcome; return the seconds of compilation."""
    trial = batch.trial
    task, rates, state = task_of(trial), rates_of(recipe, batch, places), state_of(recipe, batch, places)
    program, compile_seconds = compiled(recipe, task, rates, state)
    targets = trial.gate.targets.astype(trial.dtype)
    for place, (start, end) in enumerate(pairwise([*trial.checkpoints.tolist(), trial.iterations])):
        started = perf_counter()
        state = program(state, rates, task, np.int32(start), np.int32(end))
        state.solved_at.block_until_ready()  # all that a program gives is there at the same time
        with np.errstate(all="ignore"):  # a diverging training is data, not a warning
            found = loss_value(trial.loss, trial.reduction, np.asarray(state.predictions)[: len(places)], targets)
        outcome.loss_TC[places, place] = found
        outcome.seconds_TC[places, place] = (perf_counter() - started) / len(places)
        if trial.stop == "solved" and (state.solved_at[: len(places)] != LATER).all():
            break
    # one iteration more, of which only the look at the predictions before it is kept
    looked = program(state, rates, task, np.int32(trial.iterations), np.int32(trial.iterations + 1))
    write(outcome, trial, places, looked._replace(parameters=state.parameters))
    return compile_seconds


def write(outcome: Outcome, trial: Trial, places: Places, state: State) -> None:
    """Write what became of a program's trainings into their rows of the outcome."""
    size = len(places)
    outcome.predictions_TN[places] = np.asarray(state.predictions)[:size]
    parts = [np.asarray(part)[:size].reshape(size, -1) for part in jax.tree.leaves(state.parameters)]
    outcome.weights_TP[places] = np.concatenate(parts, axis=1)
    for found, into in ((state.solved_at, outcome.solved_at_T), (state.correct_at, outcome.correct_at_T)):
        at = np.asarray(found)[:size]
        into[places] = np.where(at == LATER, NEVER, at)
    done = iterations_done(trial, outcome.solved_at_T[places])
    outcome.iterations_T[places] = done
    outcome.loss_TC[places] = until(trial, done, outcome.loss_TC[places])


@cache
def has(platform: str) -> bool:
    """Whether JAX can use such a device here."""
    try:
        return bool(jax.devices(platform))
    except RuntimeError:
        return False


def task_of(trial: Trial) -> Task:
    """Return what the trial's trainings share, in its dtype."""
    averaged = 1 if trial.reduction == "sum" or trial.update == "online" else len(trial.gate.targets)
    numbers = (trial.gate.inputs, trial.gate.targets, 1 / averaged, trial.tolerance)
    inputs, targets, factor, tolerance = (jnp.asarray(number, dtype=trial.dtype) for number in numbers)
    return Task(inputs, targets, factor, tolerance, jnp.asarray(trial.stop == "solved"))


def padded(recipe: Recipe, values: Floats, dtype: str) -> Floats:
    """Return values ``[T, ...]`` as ``[L, ...]`` in that dtype, zeros filling up."""
    result = np.zeros((recipe.lanes, *values.shape[1:]), dtype=dtype)
    with np.errstate(over="ignore"):  # a rate that the precision cannot hold is infinite there
        result[: len(values)] = values
    return result


def rates_of(recipe: Recipe, batch: Batch, places: Places) -> Rates:
    """Return the learning rates and momenta of L trainings."""
    values = (batch.learning_rate_T[places], batch.momentum_T[places])
    return Rates(*(jnp.asarray(padded(recipe, value, batch.trial.dtype)) for value in values))


def state_of(recipe: Recipe, batch: Batch, places: Places) -> State:
    """Return L trainings at their initial weights."""
    weights_LP = padded(recipe, batch.weights_TP[places], batch.trial.dtype)
    parameters: Parameters = []
    for layer in recipe.network.layers:
        weight = weights_LP[:, layer.weight].reshape(-1, layer.fan_in, layer.fan_out)
        parameters.append((jnp.asarray(weight), None if layer.bias is None else jnp.asarray(weights_LP[:, layer.bias])))
    later = jnp.full(recipe.lanes, LATER, dtype=jnp.int32)
    predictions = jnp.zeros((recipe.lanes, len(batch.trial.gate.targets)), dtype=batch.trial.dtype)
    return State(parameters, jax.tree.map(jnp.zeros_like, parameters), later, later, predictions)


def compiled(recipe: Recipe, task: Task, rates: Rates, state: State) -> tuple[Any, float]:
    """Return the program that advances L trainings, and the seconds that compiling it took just now."""
    key = recipe, task.inputs.dtype, task.inputs.shape
    started = perf_counter()
    with COMPILING:
        if key in PROGRAMS:
            return PROGRAMS[key], 0.0
        options = {"xla_cpu_multi_thread_eigen": False} if recipe.device == "cpu" else None  # a worker has one core
        each = jax.vmap(partial(advance, recipe), in_axes=(0, 0, None, None, None))
        program = jax.jit(each, compiler_options=options)
        # compiled by doing no iteration: what lower().compile() returns costs more to call than a short stretch takes
        program(state, rates, task, np.int32(0), np.int32(0)).solved_at.block_until_ready()
        PROGRAMS[key] = program
        return program, perf_counter() - started
