"""JAX as its users write it: jax.grad of the loss, vmap over the trainings, a loop over the iterations, jit.

Shapes: T trainings, L trainings that a program advances together, N observations, I inputs of the network,
C checkpoints, P parameters of the network.

How XLA rounds depends on how many trainings a program is compiled for. So a trial always runs in programs of L
trainings, the last filled up with idle ones: what a training gives does not depend on those beside it.
The loop is lax.fori_loop: its length is data, so that one compilation serves every stretch between two checkpoints,
and on a CPU it is twice as fast as lax.scan.
"""

from dataclasses import replace
from functools import cache, partial
from itertools import pairwise
from threading import Lock
from time import perf_counter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from bench.backends.base import iterations_done, refusal, until, unwritten
from bench.backends.jax_training import LANES, Parameters, Rates, Recipe, State, Task, advance
from bench.problem.loss import loss_value
from bench.problem.outcome import NEVER, Batch, Outcome
from bench.problem.trial import Trial

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
