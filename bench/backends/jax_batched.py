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

from bench.backends.base import EVERYTHING, Backend, Group, Results, loss_factor, padded
from bench.backends.base import Array as HostArray
from bench.backends.jax_steps import Rule, Tree, factor, length, normals, rule, step_number, unavailable
from bench.model.loss import ARCTANH_CEILING, HUBER_DELTA, LOG_FLOOR, SLOPE_FLOOR, loss_value
from bench.model.network import Network
from bench.model.optimizer import CLIP_GUARD, OPTIMIZERS
from bench.model.outcome import Batch, Outcome
from bench.model.trial import Trial

Parameters = list[tuple[Any, Any]]  # a layer's weight [fan_in, fan_out] and bias [fan_out]; None where there is none

LANES = 256  # trainings that a program advances together
MAX_OUTPUTS = 2**23  # numbers in a layer's outputs at most, else a program advances fewer
NEVER = 2**31 - 1  # in solved_at and correct_at: not yet
PRODUCT_US = 0.001  # microseconds for one multiply-add of all three passes: only chunk sizes depend on it
STEP_US = 5.0  # and for starting what a step is made of
PROGRAMS: dict[
    Any, Any
] = {}  # compiled in this process, by settings, what is asked beside them, dtype and size of the table
COMPILING = Lock()


class State(NamedTuple):
    """One training between two iterations."""

    parameters: Parameters
    memory: Tree  # what its optimizer keeps of the parameters that are trained
    solved_at: Array
    correct_at: Array
    in_a_row: Array | None  # iterations that met what solves, where one is not enough
    predictions: Array  # before the first iteration of the last stretch


class Rates(NamedTuple):
    """Learning rates and momentum, which may differ from training to training, and the seed of its noise."""

    learning_rate: Array
    momentum: Array
    output: Array | None  # the output layer's, where it has one of its own
    seed: Array | None


class Task(NamedTuple):
    """Table and settings that all trainings share, as data: none of it is compiled in, but for what is None."""

    inputs: Array
    targets: Array
    factor: Array  # of the summed losses: 1, or for a mean one over their number
    middle: Array
    tolerance: Array  # or, with success = loss, the loss
    stops: Array
    constants: dict[str, Array]  # of the optimizer
    whole: Array | None  # with success = loss: as ``factor``, of the whole table
    needed: Array | None  # iterations in a row that must meet what solves
    clip: Array | None
    decay: Array | None
    noise: Array | None
    schedule: tuple[Array, Array] | None  # its length and factor

    @classmethod
    def of(cls, trial: Trial) -> "Task":
        """Return a trial's; what it does not ask for is None."""

        def number(value: Any) -> Array:
            return jnp.asarray(value, dtype=trial.dtype)

        def asked(value: float) -> Array | None:
            return number(value) if value else None

        by_loss, observations = trial.success == "loss", 1 if trial.reduction == "sum" else trial.targets.size
        constants = [
            name for name in OPTIMIZERS[trial.optimizer].takes if name in {"beta1", "beta2", "alpha", "epsilon"}
        ]
        spans = (number(trial.schedule_length), number(trial.schedule_factor))
        return cls(
            number(trial.inputs),
            number(trial.targets),
            number(loss_factor(trial)),
            number(trial.middle),
            number(trial.success_loss if by_loss else trial.tolerance),
            jnp.asarray(trial.stop == "solved"),
            {name: number(getattr(trial, name)) for name in constants},
            whole=number(1 / observations) if by_loss else None,
            needed=jnp.asarray(trial.success_for, jnp.int32) if trial.success_for > 1 else None,
            clip=asked(trial.clip),
            decay=asked(trial.weight_decay),
            noise=asked(trial.noise),
            schedule=None if trial.schedule == "constant" else spans,
        )


@dataclass(frozen=True)
class StaticSettings:
    """Settings that a program is compiled for, and the number of trainings that it advances."""

    network: Network
    activation: str
    output: str
    loss: str
    online: bool
    optimizer: str
    frozen: str
    schedule: str
    success: str
    lanes: int
    device: str

    @classmethod
    def of(cls, trial: Trial) -> "StaticSettings":
        """Return the trial's settings; without hidden neurons there is no activation to tell apart."""
        widest = max(len(trial.inputs) * layer.fan_out for layer in trial.network.layers)
        activation = trial.activation if trial.hidden else "sigmoid"
        lanes = max(1, min(LANES, MAX_OUTPUTS // widest))
        return cls(
            trial.network,
            activation,
            trial.output,
            trial.loss,
            trial.update == "online",
            trial.optimizer,
            trial.frozen,
            trial.schedule,
            trial.success,
            lanes,
            trial.device,
        )


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


@jax.custom_jvp
def arctanh(p: Array, t: Array) -> Array:
    """Return the integral of the inverse hyperbolic tangent of the difference (Fahlman 1988)."""
    distance = jnp.minimum(jnp.abs(p - t), ARCTANH_CEILING)
    return distance * jnp.arctanh(distance) + jnp.log1p(-distance * distance) / 2


@arctanh.defjvp
def _arctanh_slope(at: tuple[Array, Array], by: tuple[Array, Array]) -> tuple[Array, Array]:
    (p, t), (by_p, _) = at, by
    return arctanh(p, t), by_p * jnp.arctanh(jnp.clip(p - t, -ARCTANH_CEILING, ARCTANH_CEILING))


LOSSES: dict[str, Callable[[Array, Array], Array]] = {
    "mse": lambda p, t: (p - t) ** 2,
    "l1": lambda p, t: jnp.abs(p - t),
    "bce": bce,
    "huber": huber,
    "arctanh": arctanh,
}
ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "sigmoid": jax.nn.sigmoid,
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,
    "symmetric": lambda x: jax.nn.sigmoid(x) - 0.5,
    "linear": lambda x: x,
}


def predict(static: StaticSettings, parameters: Parameters, inputs_NI: Array) -> Array:
    """Return the predictions ``[N]``, or of several outputs ``[N * O]``."""
    outputs = inputs_NI
    for k, (weight, bias) in enumerate(parameters):
        last = k == len(parameters) - 1
        if last and static.network.shortcuts:
            outputs = jnp.concatenate([outputs, inputs_NI], axis=1)
        linear = outputs @ weight if bias is None else outputs @ weight + bias
        outputs = ACTIVATIONS[static.output if last else static.activation](linear)
    return outputs.ravel()


def split(static: StaticSettings, parameters: Parameters) -> tuple[Parameters, Parameters]:
    """Return what is trained, and the rest: each has None in place of the other."""
    output = len(parameters) - 1
    trained: Parameters = []
    rest: Parameters = []
    for k, (weight, bias) in enumerate(parameters):
        layer_is = static.frozen != ("output" if k == output else "hidden")
        bias_is = layer_is and static.frozen != "biases"
        trained.append((weight if layer_is else None, bias if bias_is else None))
        rest.append((None if layer_is else weight, None if bias_is else bias))
    return trained, rest


def join(trained: Parameters, rest: Parameters) -> Parameters:
    """Return all parameters again."""
    pairs = zip(trained, rest, strict=True)
    return [(v if w is None else w, c if b is None else b) for (w, b), (v, c) in pairs]


def loss(
    trained: Parameters,
    rest: Parameters,
    static: StaticSettings,
    inputs_NI: Array,
    targets_N: Array,
    factor: Array,
) -> Any:
    """Return the loss, and the predictions that gave it."""
    predictions = predict(static, join(trained, rest), inputs_NI)
    return factor * LOSSES[static.loss](predictions, targets_N).sum(), predictions


def rule_of(static: StaticSettings, rates: Rates, task: Task) -> Rule:
    """Return the optimizer's rule."""
    return rule(static.optimizer, task.constants, rates.momentum)


class Step(NamedTuple):
    """What a step is given: observations, and when it is."""

    inputs: Array
    targets: Array
    iteration: Array
    number: tuple[Array, Array]  # of all steps, in two words


def descend(static: StaticSettings, state: State, rates: Rates, task: Task, step: Step) -> tuple[State, Array]:
    """Do one step of the optimizer down the gradient; return the predictions before it."""
    trained, rest = split(static, state.parameters)
    if static.optimizer == "none" or not jax.tree.leaves(trained):
        return state, predict(static, state.parameters, step.inputs)
    slope = jax.grad(loss, has_aux=True)
    gradient, predictions = slope(trained, rest, static, step.inputs, step.targets, task.factor)
    if task.clip is not None:
        shorter = jnp.minimum(task.clip / (length(gradient) + CLIP_GUARD), 1)
        gradient = jax.tree.map(lambda g: g * shorter, gradient)
    if task.noise is not None and rates.seed is not None:
        drawn = standard_noise(static, rates.seed, step)
        gradient = jax.tree.map(lambda g, n: g + task.noise * n, gradient, drawn)
    decoupled = static.optimizer == "adamw"
    if task.decay is not None and not decoupled:
        gradient = jax.tree.map(lambda g, w: g + task.decay * w, gradient, trained)
    direction, memory = rule_of(static, rates, task).update(gradient, state.memory, trained)
    if task.decay is not None and decoupled:
        direction = jax.tree.map(lambda d, w: d + task.decay * w, direction, trained)
    scale = jnp.ones_like(task.factor)
    if task.schedule is not None:
        scale = factor(static.schedule, *task.schedule, step.iteration)
    by_layer = [rates.learning_rate] * len(trained)
    if rates.output is not None:
        by_layer[-1] = rates.output
    after = [
        jax.tree.map(lambda w, d, rate=scale * rate: w - rate * d, *layer)
        for *layer, rate in zip(trained, direction, by_layer, strict=True)
    ]
    return state._replace(parameters=join(after, rest), memory=memory), predictions


def standard_noise(static: StaticSettings, seed: Array, step: Step) -> Parameters:
    """Return standard normal numbers for what is trained, those of the plain loop."""
    network = static.network
    numbers_P = normals(seed, step.number, network.parameters, step.inputs.dtype)
    drawn: Parameters = [
        (
            numbers_P[layer.weight].reshape(layer.fan_in, layer.fan_out),
            None if layer.bias is None else numbers_P[layer.bias],
        )
        for layer in network.layers
    ]
    return split(static, drawn)[0]


def one_pass(static: StaticSettings, state: State, rates: Rates, task: Task, iteration: Array) -> tuple[State, Array]:
    """Do a step per observation in the table's order; return the predictions before the first."""
    size = len(task.inputs)

    def step(state: State, row: tuple[Array, Array, Array]) -> tuple[State, None]:
        inputs, targets, place = row
        now = Step(inputs[None], targets, iteration, step_number(iteration, size, place))
        return descend(static, state, rates, task, now)[0], None

    predictions = predict(static, state.parameters, task.inputs)
    rows = task.inputs, task.targets.reshape(size, -1), jnp.arange(size, dtype=jnp.int32)
    return lax.scan(step, state, rows)[0], predictions


def succeeds(static: StaticSettings, predictions_N: Array, correct: Array, task: Task) -> Array:
    """Return whether predictions meet the trial's ``success``."""
    if static.success == "correct":
        return correct
    if task.whole is not None:
        return task.whole * LOSSES[static.loss](predictions_N, task.targets).sum() <= task.tolerance
    return (jnp.abs(predictions_N - task.targets) <= task.tolerance).all()


def check(static: StaticSettings, state: State, predictions_N: Array, task: Task, iteration: Array) -> State:
    """Keep the iteration if its predictions are the first to be correct, or to solve the gate."""
    same_side = (predictions_N > task.middle) == (task.targets > task.middle)
    correct = (same_side & ~jnp.isnan(predictions_N)).all()
    solved = succeeds(static, predictions_N, correct, task)
    in_a_row = state.in_a_row
    if in_a_row is not None and task.needed is not None:
        in_a_row = jnp.where(solved, in_a_row + 1, 0)
        solved = in_a_row >= task.needed
    return state._replace(
        solved_at=jnp.where(solved, jnp.minimum(state.solved_at, iteration), state.solved_at),
        correct_at=jnp.where(correct, jnp.minimum(state.correct_at, iteration), state.correct_at),
        in_a_row=in_a_row,
    )


def advance(static: StaticSettings, state: State, rates: Rates, task: Task, start: Array, end: Array) -> State:
    """Do the iterations from start to end."""

    def iterate(iteration: Array, state: State) -> State:
        if static.online:
            after, predictions = one_pass(static, state, rates, task, iteration)
        else:
            number = iteration.astype(jnp.uint32), jnp.zeros((), jnp.uint32)
            after, predictions = descend(static, state, rates, task, Step(task.inputs, task.targets, iteration, number))
        checked = check(static, state, predictions, task, iteration)
        done = task.stops & (checked.solved_at <= iteration)
        freeze = partial(jax.tree.map, partial(jnp.where, done))
        parameters, memory = freeze(state.parameters, after.parameters), freeze(state.memory, after.memory)
        first = jnp.where(iteration == start, predictions, state.predictions)
        return checked._replace(parameters=parameters, memory=memory, predictions=first)

    done: State = lax.fori_loop(start, end, iterate, state)
    return done


class ProgramGroup(Group):
    """Trainings that one program advances, the last of them idle if there are fewer than it takes."""

    def __init__(self, batch: Batch) -> None:
        """Put the trainings at their initial weights, and have the program compiled."""
        self.trial = trial = batch.trial
        self.static, self.size = StaticSettings.of(trial), len(batch)
        self.task = Task.of(trial)
        output = None if batch.learning_rate_output_T is None else self._padded(batch.learning_rate_output_T)
        seed = jnp.asarray(padded(batch.seed_T, self.static.lanes, "uint32")) if trial.noise else None
        self.rates = Rates(self._padded(batch.learning_rate_T), self._padded(batch.momentum_T), output, seed)
        parameters: Parameters = []
        for layer in trial.network.layers:
            weight = self._padded(batch.weights_TP[:, layer.weight].reshape(-1, layer.fan_in, layer.fan_out))
            parameters.append((weight, None if layer.bias is None else self._padded(batch.weights_TP[:, layer.bias])))
        never = jnp.full(self.static.lanes, NEVER, dtype=jnp.int32)
        in_a_row = jnp.zeros(self.static.lanes, dtype=jnp.int32) if trial.success_for > 1 else None
        predictions = jnp.zeros((self.static.lanes, len(trial.targets)), dtype=trial.dtype)
        trained, _ = split(self.static, parameters)
        memory = jax.vmap(rule_of(self.static, self.rates, self.task).init, axis_size=self.static.lanes)(trained)
        self.state = State(parameters, memory, never, never, in_a_row, predictions)
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
        asked = jax.tree.structure((self.state, self.rates, self.task))
        key = self.static, asked, self.task.inputs.dtype, self.task.inputs.shape
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
    takes = EVERYTHING | {
        "optimizer": ("sgd", "nesterov", "adam", "adamw", "rmsprop", "signsgd", "normalized", "none"),
        "update": (),
        **dict.fromkeys(("batch_size", "shuffle", "label_flips", "dropout", "slope_offset"), ()),
    }

    def unsupported(self, trial: Trial) -> str | None:
        """Return why this trial cannot be trained here, or None if it can: for some optimizers it takes Optax."""
        return unavailable(trial) or super().unsupported(trial)

    def has_gpu(self) -> bool:
        """Whether JAX can use a GPU here."""
        try:
            return bool(jax.devices("cuda"))
        except RuntimeError:
            return False

    def cost_us(self, trial: Trial) -> float:
        """Return what an iteration of one training costs in a full program, in microseconds, compilation apart."""
        observations = len(trial.inputs)
        starts = STEP_US * len(trial.network.layers) / StaticSettings.of(trial).lanes
        return trial.steps * starts + PRODUCT_US * observations * trial.network.parameters

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
