"""PyTorch with all trainings of a batch in one set of tensors, on the CPU or a GPU.

Shapes: T trainings (padded to a multiple of LANES with idle ones), N observations, P parameters of the network,
S slots: iterations in a row whose predictions are kept until they are checked together.

The operations of S iterations are written down once, on fixed buffers, and done again and again; on a GPU they are
captured in a CUDA graph and replayed. All that changes is in tensors, so that both are the same function.
torch.compile is not used: it needs a C++ compiler on the user's machine, and seconds for every shape.
"""

from collections.abc import Iterator
from functools import partial
from time import perf_counter

import numpy as np
import torch
from torch import Tensor

from bench.backends.base import Array, Backend, Group, Ints, Results, padded
from bench.backends.torch_iteration import (
    LANES,
    Lanes,
    Operation,
    Operations,
    TruthTable,
    numbers_per_training,
    slope_factor,
)
from bench.model.loss import loss_value
from bench.model.outcome import Batch, Outcome
from bench.model.trial import Trial

NEVER = torch.iinfo(torch.int64).max  # in solved_at and correct_at: not yet
SLOTS = 8  # iterations between two checks
MAX_OPERATIONS = 20_000  # that are written down, but for a single iteration's
LARGE_TRAINING = 2**15  # from so many numbers on, a training has tensors of its own: they are large enough to multiply
GROUP_NUMBERS = {"cpu": 2**19, "cuda": 2**28}  # numbers in a group's tensors: the second-level cache; 2 GB in float64
NUMBER_US = 0.001  # microseconds per number of a training's tensors: only chunk sizes depend on it
LAYER_US = 15.0  # and for launching a layer's operations


class TensorGroup(Group):
    """Trainings in one set of tensors, and the operations that advance them."""

    def __init__(self, batch: Batch) -> None:
        """Put weights and rates on the device, with idle trainings up to a multiple of LANES."""
        self.trial = trial = batch.trial
        self.size, self.stops = len(batch), trial.stop == "solved"
        self.lanes = 1 if numbers_per_training(trial) >= LARGE_TRAINING else -(-self.size // LANES) * LANES
        self.weights = self._put(batch.weights_TP.T)
        self.gradient, self.velocity = torch.zeros_like(self.weights), torch.zeros_like(self.weights)
        rates = batch.learning_rate_T.astype(trial.dtype)  # one that the precision cannot hold is infinite there
        self.downhill = self._put(-rates * np.dtype(trial.dtype).type(slope_factor(trial)))
        self.momentum = self._put(batch.momentum_T) if batch.momentum_T.any() else None
        self.table = TruthTable.of(trial)
        self._write_down()
        self.convergence = Convergence(trial, self.table, self.lanes, slots=len(self.iterations))
        self.graphs: dict[tuple[int, bool], torch.cuda.CUDAGraph | None] = {}

    def _put(self, values: Array) -> Tensor:
        """Return values ``[..., T]`` in the trial's dtype on its device, idle trainings being zeros."""
        return torch.from_numpy(padded(values, self.lanes, self.trial.dtype, axis=-1)).to(self.trial.device)

    def _write_down(self) -> None:
        """Write down the forward pass and, for every slot, the iteration."""
        lanes = Lanes(self.trial, self.table, self.weights, self.gradient)
        slots = self._slots()
        self.past = self.weights.new_empty(slots, len(self.table), self.lanes)  # predictions before every update
        self.past_weights = self.weights.new_empty(slots if self.stops else 0, *self.weights.shape)
        online = self._online() if self.trial.update == "online" else None
        self.iterations: list[Operations] = []
        self.forward_operations: Operations = []
        for slot in range(slots):
            prediction = self.past[slot : slot + 1]
            forward = list(lanes.forward(prediction))
            if self.stops:
                forward.append(partial(self.past_weights[slot].copy_, self.weights))
            update = [*lanes.backward(prediction), *self._descend()] if online is None else online
            self.iterations.append([*forward, *update])
            self.forward_operations = self.forward_operations or forward

    def _slots(self) -> int:
        """Return how many iterations are checked together: few where they are large, or of many operations."""
        trial = self.trial
        room = GROUP_NUMBERS[trial.device] // (len(self.table) + self.stops * trial.network.parameters) // self.lanes
        steps = len(self.table) if trial.update == "online" else 1
        return max(1, min(SLOTS, trial.iterations, room, MAX_OPERATIONS // (steps * 10 * len(trial.network.layers))))

    def _online(self) -> Operations:
        """Return one pass over the table, a step per observation."""
        row = TruthTable(torch.empty_like(self.table.numbers[:, :1]))
        lanes = Lanes(self.trial, row, self.weights, self.gradient)
        prediction = self.weights.new_empty(1, 1, self.lanes)
        step = [*lanes.forward(prediction), *lanes.backward(prediction), *self._descend()]
        copies: Operations = [partial(row.numbers.copy_, numbers) for numbers in self.table.rows()]
        return [operation for copy in copies for operation in (copy, *step)]

    def _descend(self) -> Iterator[Operation]:
        """Yield a step of gradient descent with momentum, as torch.optim.SGD does."""
        step = self.gradient
        if self.momentum is not None:
            step = self.velocity
            yield partial(torch.addcmul, self.gradient, step, self.momentum, out=step)
        yield partial(self.weights.addcmul_, step, self.downhill)

    def advance(self, start: int, end: int) -> Array:
        """Do the iterations from start to end, unless all stop; return the losses ``[T]`` before the first."""
        before_NT = self.past[0]
        for first in range(start, end, len(self.iterations)):
            self._stride(min(end - first, len(self.iterations)))
            if first == start:
                before_NT = before_NT.clone()
            if self.stops and self.all_solved():
                break
        first_at = torch.maximum(self.convergence.solved_at, self.convergence.correct_at)
        self.convergence.is_open = self.stops or bool((first_at[: self.size] == NEVER).any())
        targets = self.trial.targets.astype(self.trial.dtype)
        return loss_value(self.trial.loss, self.trial.reduction, self._take(before_NT), targets)

    def all_solved(self) -> bool:
        """Whether every training has been solved; waits for the device."""
        return bool((self.convergence.solved_at[: self.size] != NEVER).all())

    def results(self) -> Results:
        """Check the final predictions too, and return all results: of those that stopped, what they stopped with."""
        for operation in self.forward_operations:
            operation()
        convergence = self.convergence
        convergence.check(self.past[:1], self.past_weights[:1])
        predictions, weights = self.past[0], self.weights
        if self.stops:
            stopped = convergence.solved_at != NEVER
            weights = torch.where(stopped, convergence.kept[: len(weights)], weights)
            predictions = torch.where(stopped, convergence.kept[-len(predictions) :], predictions)
        first_at_T = [at[: self.size].cpu().numpy() for at in (convergence.solved_at, convergence.correct_at)]
        return self._take(predictions), self._take(weights), *first_at_T

    def _take(self, tensor_NT: Tensor) -> Array:
        """Return numbers ``[N, T]`` as an array ``[T, N]`` without the idle trainings; waits for the device."""
        return np.ascontiguousarray(tensor_NT[:, : self.size].cpu().numpy().T)

    def _stride(self, count: int) -> None:
        """Do some iterations and check what they predicted: on a GPU, by replaying what was captured."""
        key = count, self.convergence.is_open
        if self.trial.device != "cuda" or key not in self.graphs:
            self.graphs[key] = None  # the first time warms up: libraries load their kernels
            self._do(count)
            return
        graph = self.graphs[key] = self.graphs[key] or self._capture(count)
        graph.replay()

    def _do(self, count: int) -> None:
        """Launch the operations of some iterations, and of the check: fixed buffers, nothing that waits."""
        for operations in self.iterations[:count]:
            for operation in operations:
                operation()
        self.convergence.check(self.past[:count], self.past_weights[:count])

    def _capture(self, count: int) -> torch.cuda.CUDAGraph:
        """Return the iterations as a graph; capturing does not do them."""
        started = perf_counter()
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):  # other threads may use the device
            self._do(count)
        self.compile_seconds += perf_counter() - started
        return graph


class Convergence:
    """First iterations at which all predictions were correct, and at which they solved the gate."""

    def __init__(self, trial: Trial, table: TruthTable, lanes: int, slots: int) -> None:
        """Prepare targets and tolerance in the trial's dtype, as `succeeds` and `right_side` have them."""
        self.stops, self.is_open = trial.stop == "solved", True
        self.targets = table.targets[0]
        self.tolerance = self.targets.new_tensor(trial.tolerance)
        middle = self.targets.new_tensor(trial.middle)
        above = torch.from_numpy(trial.targets > trial.middle).to(trial.device)[:, None]
        # right: p > middle, which is p >= the next number, or p <= middle; either is a number that is not below 0
        self.sign = torch.where(above, 1.0, -1.0).to(middle.dtype)
        self.edge = self.sign * torch.where(above, middle.nextafter(middle + 1), middle)
        self.now = torch.zeros((), dtype=torch.int64, device=trial.device)
        self.steps = torch.arange(slots, dtype=torch.int32, device=trial.device)[:, None]  # int64 has no fast minimum
        self.solved_at, self.correct_at = torch.full((2, lanes), NEVER, device=trial.device)
        self.kept = self.targets.new_zeros(trial.network.parameters + len(table), lanes)  # where a training stopped

    def check(self, past_SNT: Tensor, past_weights_SPT: Tensor) -> None:
        """Check the predictions before some updates; keep the weights and predictions of those that just stopped."""
        if self.is_open:
            solved = (past_SNT - self.targets).abs_().amax(1) <= self.tolerance
            correct = (past_SNT * self.sign - self.edge).amin(1) >= 0
            self._keep_first(solved, self.solved_at)
            self._keep_first(correct, self.correct_at)
        if self.stops:
            slot = self.solved_at - self.now
            stopped = (slot >= 0) & (slot < len(past_SNT))
            slot.clamp_(0, len(past_SNT) - 1)
            past = torch.cat([past_weights_SPT, past_SNT], dim=1)
            found = past.gather(0, slot.expand(1, *past.shape[1:]))[0]
            torch.where(stopped, found, self.kept, out=self.kept)
        self.now += len(past_SNT)

    def _keep_first(self, hit_ST: Tensor, first_T: Tensor) -> None:
        """Keep the first iteration that was hit, unless an earlier one is known."""
        slots = len(hit_ST)
        slot_T = self.steps[:slots].expand_as(hit_ST).masked_fill(~hit_ST, slots).amin(0).long()
        torch.minimum(first_T, (self.now + slot_T).masked_fill_(slot_T == slots, NEVER), out=first_T)


class TorchBatched(Backend):
    """Networks side by side, in PyTorch."""

    name = "torch-batched"
    group = TensorGroup
    least = 256
    takes = dict.fromkeys(["encoding", "target_low", "target_high"])  # they are in the table
    has_gpu = staticmethod(torch.cuda.is_available)

    def cost_us(self, trial: Trial) -> float:
        """Return what an iteration of one training costs in a full group, in microseconds."""
        steps = len(trial.inputs) if trial.update == "online" else 1
        launches = LAYER_US * len(trial.network.layers) / self.group_size(trial)
        return steps * (launches + NUMBER_US * numbers_per_training(trial))

    def group_size(self, trial: Trial) -> int:
        """Return how many trainings advance together at most, so that memory stays within GROUP_NUMBERS."""
        numbers = numbers_per_training(trial)
        return 1 if numbers >= LARGE_TRAINING else max(LANES, GROUP_NUMBERS[trial.device] // numbers // LANES * LANES)

    def groups(self, batch: Batch) -> Iterator[Ints]:
        """Yield the places of trainings that advance together, those without momentum apart from the others.

        They advance without it, as in `numpy_loop`: 0 times infinity would be no number.
        """
        for indices in (np.flatnonzero(batch.momentum_T == 0), np.flatnonzero(batch.momentum_T)):
            yield from (indices[part] for part in super().groups(batch.take(indices)))

    def train(self, batch: Batch) -> Outcome:
        """Train every training of the batch from its weights, in one thread.

        Where torch would cut a tensor between threads depends on how many trainings there are. Sweeps run one worker
        per core anyway.
        """
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            with torch.inference_mode():
                return super().train(batch)
        finally:
            torch.set_num_threads(threads)
