"""Every training in its own SIMD lane, compiled by Numba: all seeds at the speed of the arithmetic."""

import numpy as np

from bench.backends.base import refusal
from bench.backends.lanes.rows import LANES
from bench.backends.numba_group import Group, is_shallow
from bench.problem.outcome import Batch, Outcome
from bench.problem.trial import Trial

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
