"""Every training in its own SIMD lane, compiled by Numba: all seeds at the speed of the arithmetic.

Shapes: T trainings, B blocks of L lanes each (B * L >= T; the lanes left over are idle), N observations, F weights of
the network with every bias.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from threading import Lock
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.backends.base import EVERYTHING, Array, Backend, Group, Ints, Results, compiles, loss_factor, padded
from bench.backends.numba_kernels import arithmetic
from bench.backends.numba_kernels import row_operations as rows
from bench.backends.numba_kernels.compiling import clear_cache
from bench.backends.numba_kernels.general_kernel import ALWAYS as ALWAYS_SHUFFLED
from bench.backends.numba_kernels.general_kernel import NEVER as NEVER_SHUFFLED
from bench.backends.numba_kernels.general_kernel import ONCE as SHUFFLED_ONCE
from bench.backends.numba_kernels.general_kernel import general_kernel
from bench.backends.numba_kernels.one_hidden_kernel import MAX_INPUTS, MAX_OBSERVATIONS, one_hidden_kernel
from bench.backends.numba_kernels.row_operations import ROW_BYTES, Lanes, Task
from bench.backends.numba_kernels.steps import DIRECT, KINDS, SUMS, Rule, is_direct
from bench.model.loss import loss_value
from bench.model.network import Network
from bench.model.optimizer import OPTIMIZERS
from bench.model.outcome import NEVER, Batch
from bench.model.trial import Trial

GROUP_BYTES = 2**28  # of a group's lanes
TILE_BYTES = 2**18  # of outputs and slopes: they stay in the second cache
LANES = ROW_BYTES // 4  # in a block of float32; of float64 half as many
TILE_STEP = 4  # observations are summed so many at a time
PIECES, SHORTEST = 16, 256  # between two checkpoints, and iterations of one: then those that are done give place
WORTH = 4  # at least one lane in so many is given back
ALIGNMENT = 64  # bytes, a cache line and a vector of 512 bits: loads across two lines cost a fifth of the speed
COMPILED: set[tuple[Any, ...]] = set()  # kernels that this process has: their constants and their precision
COMPILING = Lock()
ACTIVATIONS = {
    "sigmoid": arithmetic.SIGMOID,
    "tanh": arithmetic.TANH,
    "relu": arithmetic.RELU,
    "symmetric": arithmetic.SYMMETRIC,
    "linear": arithmetic.LINEAR,
}
LOSSES = {"mse": rows.MSE, "l1": rows.L1, "bce": rows.BCE, "huber": rows.HUBER, "arctanh": rows.ARCTANH}
SUCCESSES = {"tolerance": rows.BY_TOLERANCE, "correct": rows.BY_SIDE, "loss": rows.BY_LOSS}
SHUFFLES = {"never": NEVER_SHUFFLED, "once": SHUFFLED_ONCE, "always": ALWAYS_SHUFFLED}


def has_one_hidden_kernel(trial: Trial) -> bool:
    """Whether the kernel for one hidden layer and few observations trains this."""
    observations, inputs = trial.inputs.shape
    small = inputs <= MAX_INPUTS and observations <= MAX_OBSERVATIONS
    plain = trial.output == "sigmoid" and trial.loss != "arctanh" and trial.gate.outputs == 1
    plain = plain and trial.success == "tolerance" and trial.success_for == 1
    plain = plain and not (trial.slope_offset or trial.shortcuts or takes_batches(trial))
    return plain and small and len(trial.hidden) == 1


def takes_batches(trial: Trial) -> bool:
    """Whether a step looks at something else than what is looked at for convergence."""
    return trial.update != "full" or trial.label_flips > 0 or trial.dropout > 0


def is_drawn(trial: Trial) -> bool:
    """Whether what a step looks at is partly random."""
    return trial.shuffle != "never" or trial.label_flips > 0 or trial.dropout > 0


def kernel_of(trial: Trial, *, moving: bool, direct: bool) -> tuple[Any, ...]:
    """Return the constants and the precision that a kernel is compiled for; ``moving`` is one with momentum.

    ``direct``: gradient descent alone.
    """
    kind = DIRECT if direct else KINDS[trial.optimizer]
    if not has_one_hidden_kernel(trial):
        return kind, takes_batches(trial), is_drawn(trial), trial.dtype
    return (*trial.inputs.shape, trial.activation, moving, kind, trial.dtype)


class LaneGroup(Group):
    """Trainings in lanes, and the kernel that advances them."""

    def __init__(self, batch: Batch) -> None:
        """Put each training's weights into its lane, and have the kernel compiled."""
        self.trial = trial = batch.trial
        self.dtype = np.dtype(trial.dtype)
        self.width = ROW_BYTES // self.dtype.itemsize  # lanes of a block
        self.size = len(batch)
        self.blocks = -(-self.size // self.width)
        self.network = replace(trial.network, hidden_bias=True, output_bias=True)
        trained_F = np.ones(self.network.parameters, np.bool_)  # which are no missing bias
        for own, full in zip(trial.network.layers, self.network.layers, strict=True):
            if own.bias is None:
                trained_F[full.bias] = False
        order = _rows_of_one_hidden if has_one_hidden_kernel(trial) else _rows_by_neuron
        self.rows = order(self.network)[trained_F]  # of a lane's weights, in the order of the trial's network
        self.moving = bool(batch.momentum_T.any())
        self.direct = is_direct(trial) and batch.learning_rate_output_T is None
        self.kind = DIRECT if self.direct else KINDS[trial.optimizer]
        self.rule = Rule.of(trial, self.rows)
        self.iteration = 0
        self.which = np.arange(self.size)  # training is in each lane, those left over apart
        self.lanes = self._lanes(batch)
        self.passed: Sequence[NDArray[Any]] = ()
        self.kernel = self._kernel()
        self.ends = (
            np.empty((self.size, len(trial.targets)), self.dtype),
            np.empty((self.size, len(self.rows)), self.dtype),
            np.empty(self.size, np.int64),
            np.empty(self.size, np.int64),
        )
        self.compile_seconds = self._compile()

    def advance(self, start: int, end: int) -> Array:
        """Do the iterations from start to end, unless all stop; return the losses ``[T]`` before the first."""
        if start == 0:
            self.kernel(-1, 0)
        predictions_TN = self.ends[0]
        predictions_TN[self.which] = self._gather(self.lanes.predictions)
        targets_N1 = self.trial.targets.astype(self.dtype)[:, None]
        by_row_NT = np.ascontiguousarray(predictions_TN.T)  # observation after observation, whatever their number
        losses_T: Array = loss_value(self.trial.loss, self.trial.reduction, by_row_NT, targets_N1, axis=0)
        if self.trial.stop != "solved":
            self.kernel(start, end)
            return losses_T
        self.iteration = end
        for first in range(start, end, step := max((end - start) // PIECES, SHORTEST)):
            self.kernel(first, min(first + step, end))
            self._give_place()
        return losses_T

    def all_solved(self) -> bool:
        """Whether every lane was given back, and none by the very last iteration, whose loss is yet to be asked for."""
        return not len(self.which) and bool((self.ends[2] < self.iteration).all())

    def results(self) -> Results:
        """Return all results; the kernel has checked the final predictions."""
        self._keep(np.arange(len(self.which)))
        return self.ends

    def _give_place(self) -> None:
        """Give back the lanes of trainings that are solved, or of which no weight is a number any more.

        Both stay as they are for good. Where it is worth it, the others go on nearer together: what a lane's numbers
        are does not depend on where it lies.
        """
        done_L = self._gather(self.lanes.solved_at) >= 0
        lost_L = np.isnan(self.lanes.predictions[:, 0]).ravel()[: len(self.which)]
        if lost_L.any():
            done_L |= lost_L & np.isnan(self._gather(self.lanes.weights)[:, self.rows]).all(axis=1)
        if done_L.sum() < max(len(self.which) // WORTH, self.width):
            return
        self._keep(np.flatnonzero(done_L))
        left = [self._gather(values)[~done_L] for values in (*self.lanes, *self.passed)]
        self.which = self.which[~done_L]
        self.blocks = -(-len(self.which) // self.width)
        moved = [self._spread(values.T, values.dtype.str) for values in left]
        self.lanes, passed = Lanes(*moved[: len(self.lanes)]), moved[len(self.lanes) :]
        self.kernel = self._kernel(passed)

    def _keep(self, own_L: Ints) -> None:
        """Keep the results of some lanes."""
        lanes = self.lanes
        found = (lanes.predictions, lanes.weights, lanes.solved_at, lanes.correct_at)
        for place, (ends_T, values) in enumerate(zip(self.ends, found, strict=True)):
            some = self._gather(values)[own_L]
            ends_T[self.which[own_L]] = some[:, self.rows] if place == 1 else some

    def _compile(self) -> float:
        """Have the kernel compiled, or loaded if it was before; return the seconds that this took, waiting apart."""
        kernel = kernel_of(self.trial, moving=self.moving, direct=self.direct)
        if kernel in COMPILED:
            return 0.0
        with COMPILING, compiles():  # Numba compiles one thing at a time anyway
            started = perf_counter()
            try:
                self.kernel(0, 0)  # no iteration
            except Exception:  # noqa: BLE001 - whatever reading damaged files raises
                clear_cache()
                self.kernel(0, 0)
            COMPILED.add(kernel)
            return perf_counter() - started

    def _lanes(self, batch: Batch) -> Lanes:
        """Return the lanes before the first iteration; those left over stand still, and count as solved."""
        weights_FT = np.zeros((self.network.parameters, self.size))
        weights_FT[self.rows] = batch.weights_TP.T
        weights = self._spread(weights_FT)
        never_T = np.full(self.size, NEVER)
        kept = OPTIMIZERS[self.trial.optimizer].memory
        kept = kept if kept > 1 or self.trial.optimizer == "adagrad" or self.moving else 0
        return Lanes(
            weights=weights,
            memory=_aligned((self.blocks, kept * len(weights_FT), self.width), self.dtype),
            rate=self._spread(batch.learning_rate_T),
            rate_output=self._spread(batch.output_rates),
            seed=self._spread(batch.seed_T, "uint32"),
            in_a_row=self._spread(np.zeros(self.size), "int32"),
            momentum=self._spread(batch.momentum_T),
            predictions=_aligned((self.blocks, len(self.trial.targets), self.width), self.dtype),
            solved_at=self._spread(never_T, "int32"),
            correct_at=self._spread(never_T, "int32"),
        )

    def _spread(self, values_XT: NDArray[Any], dtype: str | None = None) -> NDArray[Any]:
        """Return values ``[X, T]`` as lanes ``[B, X, L]``, or ``[T]`` as ``[B, L]``: zeros in those left over."""
        values_XBL = padded(values_XT, self.blocks * self.width, dtype or self.trial.dtype, axis=-1)
        values_BXL = np.moveaxis(values_XBL.reshape(*values_XT.shape[:-1], self.blocks, self.width), -2, 0)
        lanes = _aligned(values_BXL.shape, values_BXL.dtype)
        lanes[...] = values_BXL
        return lanes

    def _gather(self, lanes: NDArray[Any]) -> NDArray[Any]:
        """Return what lies in lanes, ``[B, X, L]`` or ``[B, L]``, as ``[T, X]`` or ``[T]``: spreading's opposite."""
        if lanes.ndim == 2:
            return lanes.ravel()[: len(self.which)]
        flat = lanes.swapaxes(1, 2).reshape(self.blocks * self.width, lanes.shape[1])
        return np.asarray(flat[: len(self.which)])

    def _kernel(self, passed: Sequence[NDArray[Any]] = ()) -> Callable[[int, int], None]:
        """Return the kernel, bound to these lanes, and to what it keeps of each from one call to the next."""
        return self._one_hidden(passed) if has_one_hidden_kernel(self.trial) else self._general(passed)

    def _one_hidden(self, passed: Sequence[NDArray[Any]]) -> Callable[[int, int], None]:
        """Return the kernel for one hidden layer."""
        trial = self.trial
        observations, inputs = trial.inputs.shape
        kernel = one_hidden_kernel(inputs, observations, ACTIVATIONS[trial.activation], self.moving, self.kind)
        rows = (trial.hidden[0] * observations, observations)
        self.passed = passed or [_aligned((self.blocks, size, self.width), self.dtype) for size in rows]
        gradients = _aligned((0 if self.direct else self.network.parameters + SUMS, self.width), self.dtype)
        bound = (self._task(), self.rule, self.lanes, *self.passed, gradients, np.empty(2))
        return lambda start, end: kernel(start, end, *bound)

    def _general(self, passed: Sequence[NDArray[Any]]) -> Callable[[int, int], None]:
        """Return the kernel for any network: the gradients of its last iteration are for the next call."""
        trial, observations = self.trial, len(self.trial.inputs)
        self.passed = passed or [_aligned((self.blocks, self.network.parameters + SUMS, self.width), self.dtype)]
        # neurons: the inputs and each layer's, all but the last followed by one that is always 1
        layers, before = [], 0
        for layer in self.network.layers:
            inputs = layer.fan_in + 1
            layers.append([inputs, layer.fan_out, layer.weight.start, before, before + inputs])
            before += inputs
        neurons = before + trial.gate.outputs
        row_bytes = 2 * neurons * ROW_BYTES
        tile = min(max(TILE_BYTES // row_bytes // TILE_STEP, 1) * TILE_STEP, observations)
        outputs, slopes = (_aligned((neurons * tile, self.width), self.dtype) for _ in range(2))
        for *_, neuron in layers:
            outputs[(neuron - 1) * tile : neuron * tile] = 1
        targets = _aligned((trial.gate.outputs * tile, self.width), self.dtype)
        kept = _aligned((neurons * tile if trial.dropout else 0, self.width), self.dtype)
        order = np.tile(np.arange(observations + 1, dtype=np.int32)[:, None], (1, self.width))
        flags = (np.empty(self.width, np.bool_) for _ in range(2))
        scratch = (outputs, slopes, targets, kept, order, np.empty(2), *flags, np.empty(self.width, self.dtype))
        kernel = general_kernel(self.kind, takes_batches(trial), is_drawn(trial))
        bound = (self._task(), self.rule, self.lanes, np.array(layers), *self.passed, *scratch)
        return lambda start, end: kernel(start, end, *bound)

    def _task(self) -> Task:
        """Return what all trainings share, in the trial's dtype; the middle is on the side of the lower target."""
        trial, real = self.trial, self.dtype.type
        middle = real(trial.middle)
        above = trial.targets > trial.middle
        return Task(
            inputs=trial.inputs.astype(self.dtype),
            targets=trial.targets.astype(self.dtype),
            lowest=np.where(above, np.nextafter(middle, real(np.inf)), -np.inf).astype(self.dtype),
            highest=np.where(above, np.inf, middle).astype(self.dtype),
            activation=ACTIVATIONS[trial.activation],
            output=ACTIVATIONS[trial.output],
            offset=real(trial.slope_offset),
            loss=LOSSES[trial.loss],
            scale=real(loss_factor(trial)),
            summed=trial.reduction == "sum",
            success=SUCCESSES[trial.success],
            tolerance=real(trial.tolerance),
            loss_bound=real(trial.success_loss),
            success_for=trial.success_for,
            hidden_bias=trial.hidden_bias,
            output_bias=trial.output_bias,
            shortcuts=trial.shortcuts,
            moving=self.moving,
            batch=trial.step_size,
            shuffle=SHUFFLES[trial.shuffle],
            flips=real(trial.label_flips),
            both=real(trial.target_low + trial.target_high),
            dropout=real(trial.dropout),
            enlarged=real(1) / real(1 - trial.dropout),
            stop=trial.stop == "solved",
        )


def _rows_by_neuron(network: Network) -> Ints:
    """Return the row of each weight of a network with every bias: those of each neuron in turn, its bias last."""
    places, start = [], 0
    for layer in network.layers:
        row_KJ = start + np.arange((layer.fan_in + 1) * layer.fan_out).reshape(layer.fan_out, -1).T
        places.append(row_KJ.ravel())
        start += row_KJ.size
    return np.concatenate(places)


def _rows_of_one_hidden(network: Network) -> Ints:
    """Return likewise the rows where a hidden neuron's weight in the output follows its bias."""
    (hidden,), inputs = network.hidden, network.inputs
    first = np.arange(hidden) * (inputs + 2)
    weight = first + np.arange(inputs)[:, None]
    return np.concatenate([weight.ravel(), first + inputs, first + inputs + 1, [hidden * (inputs + 2)]])


def _aligned(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """Return zeros that begin at a cache line."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.zeros(size + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    zeros: NDArray[Any] = raw[start : start + size].view(dtype).reshape(shape)
    return zeros


class NumbaLanes(Backend):
    """All trainings of a batch at once, a lane each, in the calling thread; each comes out the same in any group."""

    name = "numba"
    group = LaneGroup
    least = LANES
    takes = EVERYTHING

    def cost_us(self, trial: Trial) -> float:
        """Return what an iteration of one lane takes: its exponentials and its multiply-adds, in microseconds."""
        passes = 2 if takes_batches(trial) else 1
        width = 1.0 if trial.dtype == "float32" else 2.5
        neuron_us, weight_us = (2e-4, 2e-5) if has_one_hidden_kernel(trial) else (2.5e-4, 4e-5)
        neurons, weights = sum(trial.hidden) + 1, trial.network.parameters
        return passes * width * len(trial.inputs) * (neurons * neuron_us + weights * weight_us)

    def kernel(self, trial: Trial) -> Hashable | None:
        """Return the constants and the precision of the trial's kernel, unless this process has it."""
        found = kernel_of(trial, moving=trial.momentum > 0, direct=is_direct(trial))
        return None if found in COMPILED else found

    def group_size(self, trial: Trial) -> int:
        """Return how many trainings' weights, velocities, gradients and outputs per observation fit the memory."""
        outputs = 3 + (trial.hidden[0] if has_one_hidden_kernel(trial) else 0)
        kept = OPTIMIZERS[trial.optimizer].memory
        numbers = (2 + kept) * trial.network.parameters + len(trial.targets) * outputs
        training_bytes = numbers * np.dtype(trial.dtype).itemsize
        return max(GROUP_BYTES // training_bytes // LANES, 1) * LANES
