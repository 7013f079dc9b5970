"""Every training in its own SIMD lane, compiled by Numba: all seeds at the speed of the arithmetic.

Shapes: T trainings, B blocks of L lanes each (B * L >= T; the lanes left over are idle), N observations, C checkpoints,
P weights of the network, F weights of the same network with every bias.
"""

from collections.abc import Callable
from itertools import pairwise
from threading import Lock
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.backends.base import iterations_done, refusal, until
from bench.backends.lanes import arithmetic, rows
from bench.backends.lanes.compiling import forget
from bench.backends.lanes.general_kernel import deep
from bench.backends.lanes.one_hidden_kernel import MOST_INPUTS, MOST_OBSERVATIONS, shallow
from bench.backends.lanes.rows import LANES, Lanes, Rules, Table
from bench.model.loss import loss_value
from bench.model.network import Network
from bench.model.outcome import NEVER, Batch, Outcome
from bench.model.trial import Trial

Array = NDArray[np.floating[Any]]
Advance = Callable[[int, int], None]

TILE_BYTES = 2**18  # of outputs and slopes: they stay in the second cache
READY: set[tuple[Any, ...]] = set()  # kernels that this process has: their constants and their precision
COMPILING = Lock()
ALIGNMENT = 64  # bytes, a cache line and a vector of 512 bits: loads across two lines cost a fifth of the speed
ACTIVATIONS = {"sigmoid": arithmetic.SIGMOID, "tanh": arithmetic.TANH, "relu": arithmetic.RELU}
LOSSES = {"mse": rows.MSE, "l1": rows.L1, "bce": rows.BCE, "huber": rows.HUBER}


def is_shallow(trial: Trial) -> bool:
    """Whether the kernel for one hidden layer and few observations trains this."""
    observations, inputs = trial.gate.inputs.shape
    small = inputs <= MOST_INPUTS and observations <= MOST_OBSERVATIONS
    return small and len(trial.hidden) == 1 and trial.update == "full"


class Group:
    """Trainings that advance together: their lanes, and the kernel bound to them."""

    def __init__(self, batch: Batch, part: slice) -> None:
        """Put each training's weights into its lane."""
        self.trial = trial = batch.trial
        self.dtype = np.dtype(trial.dtype)
        weights_TP = batch.weights_TP[part]
        self.size = len(weights_TP)
        self.blocks = -(-self.size // LANES)
        self.network = Network(trial.network.inputs, trial.hidden, hidden_bias=True, output_bias=True)
        self.places = _places(trial.network, self.network)
        if is_shallow(trial):
            self.places = _neuron_rows(trial.network.inputs, trial.hidden[0])[self.places]
        self.moving = bool(batch.momentum_T[part].any())
        with np.errstate(over="ignore"):  # a number beyond the precision is infinite there
            self.lanes = self._lanes(weights_TP, batch.learning_rate_T[part], batch.momentum_T[part])

    def train(self) -> Outcome:
        """Advance from checkpoint to checkpoint, by the clock."""
        advance = self._shallow() if is_shallow(self.trial) else self._deep()
        compile_seconds = self._prepare(advance)
        ends = [*self.trial.checkpoints.tolist(), self.trial.iterations]
        losses, seconds = np.empty((self.size, len(ends) - 1)), np.empty(len(ends) - 1)
        started = perf_counter()
        advance(-1, 0)
        for place, (start, end) in enumerate(pairwise(ends)):
            losses[:, place] = self._losses()
            advance(start, end)
            seconds[place] = perf_counter() - started
            started = perf_counter()
        return self._outcome(losses, seconds, compile_seconds)

    def _prepare(self, advance: Advance) -> float:
        """Have the kernel compiled, or loaded if it was before; return the seconds that this took, waiting apart."""
        trial = self.trial
        constants = (trial.gate.inputs.shape, trial.activation, self.moving) if is_shallow(trial) else ()
        kernel = (*constants, trial.dtype)
        if kernel in READY:
            return 0.0
        with COMPILING:  # Numba compiles one thing at a time anyway
            started = perf_counter()
            try:
                advance(0, 0)  # no iteration
            except Exception:  # noqa: BLE001 - whatever reading damaged files raises
                forget()
                advance(0, 0)
            READY.add(kernel)
            return perf_counter() - started

    def _lanes(self, weights_TP: Array, rate_T: Array, momentum_T: Array) -> Lanes:
        """Return the lanes before the first iteration; those left over stand still, and count as solved."""
        observations = len(self.trial.gate.targets)
        weights_TF = np.zeros((self.size, self.network.parameters), self.dtype)
        weights_TF[:, self.places] = weights_TP
        weights = self._spread(weights_TF.T)
        return Lanes(
            weights=weights,
            velocities=_aligned((*weights.shape[:1], len(weights[0]) if self.moving else 0, LANES), self.dtype),
            rate=self._spread(rate_T[None])[:, 0],
            momentum=self._spread(momentum_T[None])[:, 0],
            predictions=_aligned((self.blocks, observations, LANES), self.dtype),
            solved_at=self._spread(np.full((1, self.size), NEVER), np.int32)[:, 0],
            correct_at=self._spread(np.full((1, self.size), NEVER), np.int32)[:, 0],
        )

    def _spread(self, values_XT: NDArray[Any], dtype: Any = None) -> NDArray[Any]:
        """Return values ``[X, T]`` as lanes ``[B, X, L]``, zeros in those left over."""
        spread = np.zeros((len(values_XT), self.blocks * LANES), dtype or self.dtype)
        spread[:, : self.size] = values_XT
        lanes = _aligned((self.blocks, len(values_XT), LANES), spread.dtype)
        lanes[...] = spread.reshape(-1, self.blocks, LANES).swapaxes(0, 1)
        return lanes

    def _gathered(self, lanes_BXL: NDArray[Any]) -> NDArray[Any]:
        """Return what lies in lanes as ``[T, X]``: the opposite of spreading."""
        return lanes_BXL.swapaxes(1, 2).reshape(self.blocks * LANES, -1)[: self.size]

    def _shallow(self) -> Advance:
        """Return the kernel for one hidden layer, bound to these lanes."""
        trial = self.trial
        observations, inputs = trial.gate.inputs.shape
        compiled = shallow(inputs, observations, ACTIVATIONS[trial.activation], self.moving)
        outputs = _aligned((self.blocks, trial.hidden[0] * observations, LANES), self.dtype)
        slopes = _aligned((self.blocks, observations, LANES), self.dtype)
        given = (self._rules(), self._table(), self.lanes, outputs, slopes)
        return lambda start, end: compiled(start, end, *given)

    def _deep(self) -> Advance:
        """Return the kernel for any network, bound to these lanes."""
        # neurons: the inputs and each layer's, all but the last followed by one that is always 1
        layers, before = [], 0
        for layer in self.network.layers:
            inputs = layer.fan_in + 1
            layers.append([inputs, layer.fan_out, layer.weight.start, before, before + inputs])
            before += inputs
        neurons = before + 1
        trained = np.zeros(self.network.parameters, np.bool_)
        trained[self.places] = True
        row_bytes = 2 * neurons * LANES * self.dtype.itemsize
        tile = int(np.clip(TILE_BYTES // row_bytes, 1, len(self.trial.gate.targets)))
        outputs, slopes = (_aligned((neurons * tile, LANES), self.dtype) for _ in range(2))
        for _, _, _, _, neuron in layers:
            outputs[(neuron - 1) * tile : neuron * tile] = 1
        flags = (np.empty(LANES, np.bool_) for _ in range(2))
        gradients = np.zeros_like(self.lanes.weights)
        scratch = (outputs, slopes, *flags)
        given = (self._rules(), self._table(), self.lanes, np.array(layers), trained, gradients, *scratch)
        return lambda start, end: deep(start, end, *given)

    def _rules(self) -> Rules:
        trial, real = self.trial, self.dtype.type
        together = 1 if trial.update == "online" else len(trial.gate.targets)
        return Rules(
            activation=ACTIVATIONS[trial.activation],
            loss=LOSSES[trial.loss],
            scale=real(1 / together if trial.reduction == "mean" else 1),
            tolerance=real(trial.tolerance),
            hidden_bias=trial.hidden_bias,
            output_bias=trial.output_bias,
            moving=self.moving,
            online=trial.update == "online",
            stop=trial.stop == "solved",
        )

    def _table(self) -> Table:
        """Return the gate; a prediction is on the side of a 1 above a half, and of a 0 up to a half."""
        gate, half = self.trial.gate, self.dtype.type(0.5)
        targets = gate.targets.astype(self.dtype)
        above = targets > half
        return Table(
            inputs=gate.inputs.astype(self.dtype),
            targets=targets,
            lowest=np.where(above, np.nextafter(half, self.dtype.type(1)), -np.inf).astype(self.dtype),
            highest=np.where(above, np.inf, half).astype(self.dtype),
        )

    def _losses(self) -> Array:
        """Return each training's loss ``[T]`` in the precision of the training."""
        trial = self.trial
        with np.errstate(all="ignore"):  # a diverging training is data, not a warning
            targets_N1 = trial.gate.targets.astype(self.dtype)[:, None]
            losses_BL = loss_value(trial.loss, trial.reduction, self.lanes.predictions, targets_N1, axis=1)
        return losses_BL.ravel()[: self.size]

    def _outcome(
        self, losses_TC: NDArray[np.float64], seconds_C: NDArray[np.float64], compile_seconds: float
    ) -> Outcome:
        """Read the lanes: every training shares its group's time equally."""
        trial = self.trial
        solved_at = self._gathered(self.lanes.solved_at[:, None])[:, 0].astype(np.int64)
        done = iterations_done(trial, solved_at)
        return Outcome(
            loss_TC=until(trial, done, losses_TC),
            predictions_TN=self._gathered(self.lanes.predictions).astype(np.float64),
            weights_TP=self._gathered(self.lanes.weights)[:, self.places].astype(np.float64),
            solved_at_T=solved_at,
            correct_at_T=self._gathered(self.lanes.correct_at[:, None])[:, 0].astype(np.int64),
            iterations_T=done,
            seconds_TC=np.broadcast_to(seconds_C / self.size, losses_TC.shape),
            together=self.size,
            compile_seconds=compile_seconds,
        )


def _places(network: Network, full: Network) -> NDArray[np.int64]:
    """Return where each weight of a network lies in the flat row of the same network with every bias."""
    places = np.arange(full.parameters)
    parts = []
    for layer, whole in zip(network.layers, full.layers, strict=True):
        assert whole.bias is not None
        parts += [places[whole.weight], places[whole.bias] if layer.bias is not None else places[:0]]
    return np.concatenate(parts)


def _neuron_rows(inputs: int, hidden: int) -> NDArray[np.int64]:
    """Return the row of each weight of a network with one hidden layer and every bias, neuron by neuron."""
    first = np.arange(hidden) * (inputs + 2)
    weight = first + np.arange(inputs)[:, None]
    return np.concatenate([weight.ravel(), first + inputs, first + inputs + 1, [hidden * (inputs + 2)]])


def _aligned(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """Return zeros that begin at a cache line."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.zeros(size + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    found: NDArray[Any] = raw[start : start + size].view(dtype).reshape(shape)
    return found


# ------------------------------------------------------------------ numba lanes


GROUP_BYTES = 2**28  # what a group of trainings that advance together may take


class NumbaLanes:
    """All trainings of a batch at once, a lane each, in the calling thread."""

    name = "numba"
    releases_gil = True
    least = LANES

    def unsupported(self, trial: Trial) -> str | None:
        """Refuse a GPU, and sums as another library rounds them."""
        return refusal(self.name, trial)

    def cost_us(self, trial: Trial) -> float:
        """Return what an iteration of one lane takes: its exponentials and its multiply-adds, in microseconds."""
        passes = 2 if trial.update == "online" else 1
        width = 1.0 if trial.dtype == "float32" else 2.5
        neuron_us, weight_us = (2e-4, 2e-5) if is_shallow(trial) else (5e-4, 1.8e-4)
        neurons, weights = sum(trial.hidden) + 1, trial.network.parameters
        return passes * width * len(trial.gate.targets) * (neurons * neuron_us + weights * weight_us)

    def train(self, batch: Batch) -> Outcome:
        """Train the batch in groups that fit the memory; each training comes out the same in any group."""
        blocks = max(GROUP_BYTES // _bytes_per_training(batch.trial) // LANES, 1)
        size = blocks * LANES
        parts = [Group(batch, slice(start, start + size)).train() for start in range(0, len(batch), size)]
        if len(parts) == 1:
            return parts[0]
        joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in Outcome.PER_TRAINING}
        return Outcome(**joined, together=parts[0].together, compile_seconds=sum(p.compile_seconds for p in parts))


def _bytes_per_training(trial: Trial) -> int:
    """Return what a lane needs in memory, about: weights, velocities, gradients, and what it keeps per observation."""
    observations = len(trial.gate.targets)
    kept = trial.hidden[0] if is_shallow(trial) else 0
    numbers = 3 * trial.network.parameters + observations * (kept + 3)
    return numbers * np.dtype(trial.dtype).itemsize
