"""One training in JAX: its loss, whose gradient jax.grad finds, its step, its watch, and the loop over iterations.

Shapes: N observations, I inputs of the network. `jax_batched` maps all this over many trainings.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from bench.problem.loss import HUBER_DELTA, LOG_FLOOR, SLOPE_FLOOR
from bench.problem.network import Network
from bench.problem.trial import Trial

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
