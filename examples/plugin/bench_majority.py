"""A plug-in of bench: the majority of three inputs, trainings side by side in NumPy, an objective, and a section.

It is a package's only module, whose entry points are in ``pyproject.toml``, and a file that ``--plugin`` takes as well.

Shapes: T trainings, N observations, O outputs of a layer, P parameters of the network.
"""

import itertools
from typing import Any

import numpy as np
import pandas as pd

from bench import Backend, Batch, Gate, Objective, Section, Trial
from bench.backends.base import Array, Group, Results
from bench.metrics import columns as c
from bench.metrics.measures import time_to_solution
from bench.model.loss import loss_slope, loss_value
from bench.model.network import ACTIVATIONS, sigmoid
from bench.model.outcome import NEVER

# ------------------------------------------------------------------ a gate

ROWS = np.array(list(itertools.product((0.0, 1.0), repeat=3)))
MAJORITY = Gate("majority3", ROWS, (ROWS.sum(axis=1) > 1.5).astype(float))  # 1 where at least two of three inputs are


# ------------------------------------------------------------------ a backend


class StackedTrainings(Group):
    """Trainings whose weights lie one above the other, so that each product is one of stacks of matrices."""

    def __init__(self, batch: Batch) -> None:
        """Take the weights in the trial's dtype; layers are views of them, and of their gradients."""
        self.trial = trial = batch.trial
        dtype = np.dtype(trial.dtype)
        self.inputs_NO = trial.gate.inputs.astype(dtype)
        self.targets_N = trial.gate.targets.astype(dtype)
        self.tolerance = dtype.type(trial.tolerance)
        self.rates_T1 = batch.learning_rate_T.astype(dtype)[:, None]
        self.momenta_T1 = batch.momentum_T.astype(dtype)[:, None]
        self.weights_TP = batch.weights_TP.astype(dtype)
        self.gradients_TP = np.zeros_like(self.weights_TP)
        self.velocities_TP = np.zeros_like(self.weights_TP)
        self.activation = ACTIVATIONS[trial.activation]
        self.solved_at_T = np.full(len(batch), NEVER)
        self.correct_at_T = np.full(len(batch), NEVER)

    def advance(self, start: int, end: int) -> Array:
        """Do the iterations from start to end, unless all are solved and should stop; return the losses before."""
        losses_T = np.full(len(self.weights_TP), np.nan)
        for iteration in range(start, end):
            outputs = self._forward(self.inputs_NO)
            self._look(outputs[-1][..., 0], iteration)
            if iteration == start:
                losses_T = loss_value(self.trial.loss, self.trial.reduction, outputs[-1][..., 0], self.targets_N)
            going_T = (self.solved_at_T == NEVER) | (self.trial.stop != "solved")
            if not going_T.any():
                break
            self._step(outputs, going_T)
        return losses_T

    def all_solved(self) -> bool:
        """Whether every training was solved at some iteration."""
        return bool((self.solved_at_T != NEVER).all())

    def results(self) -> Results:
        """Look at the final predictions too, and return all results."""
        predictions_TN = self._forward(self.inputs_NO)[-1][..., 0]
        self._look(predictions_TN, self.trial.iterations)
        return predictions_TN, self.weights_TP, self.solved_at_T, self.correct_at_T

    def _look(self, predictions_TN: Array, iteration: int) -> None:
        """Keep the iteration of those whose predictions are the first to be correct, or to solve the gate."""
        solved_T = (np.abs(predictions_TN - self.targets_N) <= self.tolerance).all(axis=1)
        right_T = ((predictions_TN > 0.5) == (self.targets_N > 0.5)).all(axis=1)
        right_T &= ~np.isnan(predictions_TN).any(axis=1)
        self.solved_at_T[solved_T & (self.solved_at_T == NEVER)] = iteration
        self.correct_at_T[right_T & (self.correct_at_T == NEVER)] = iteration

    def _layers(self, flat_TP: Array) -> list[tuple[Array, Array | None]]:
        """Return views of each layer's weights ``[T, O, O]`` and biases ``[T, 1, O]``."""
        return [
            (
                flat_TP[:, one.weight].reshape(-1, one.fan_in, one.fan_out),
                None if one.bias is None else flat_TP[:, None, one.bias],
            )
            for one in self.trial.network.layers
        ]

    def _forward(self, inputs_NO: Array) -> list[Array]:
        """Return the inputs and every layer's output, ``[T, N, O]`` each."""
        layers = self._layers(self.weights_TP)
        outputs = [np.broadcast_to(inputs_NO, (len(self.weights_TP), *inputs_NO.shape))]
        for place, (weight, bias) in enumerate(layers, 1):
            linear = outputs[-1] @ weight
            linear = linear if bias is None else linear + bias
            outputs.append(sigmoid(linear) if place == len(layers) else self.activation.value(linear))
        return outputs

    def _step(self, outputs: list[Array], going_T: Any) -> None:
        """Update the weights of some trainings: by all observations at once, or by one after the other."""
        if self.trial.update == "full":
            self._descend(outputs, self.targets_N, going_T)
            return
        for row in range(len(self.inputs_NO)):
            one = slice(row, row + 1)
            self._descend(self._forward(self.inputs_NO[one]), self.targets_N[one], going_T)

    def _descend(self, outputs: list[Array], targets_N: Array, going_T: Any) -> None:
        """Do one step of gradient descent with momentum, as torch.optim.SGD does."""
        predictions = outputs[-1]
        slopes_TN = loss_slope(self.trial.loss, self.trial.reduction, predictions[..., 0], targets_N)
        delta = slopes_TN[..., None] * (predictions * (1 - predictions))
        layers, gradients = self._layers(self.weights_TP), self._layers(self.gradients_TP)
        for place in range(len(layers) - 1, -1, -1):
            by_weight, by_bias = gradients[place]
            by_weight[...] = outputs[place].swapaxes(1, 2) @ delta
            if by_bias is not None:
                by_bias[...] = delta.sum(axis=1, keepdims=True)
            if place:
                delta = (delta @ layers[place][0].swapaxes(1, 2)) * self.activation.slope(outputs[place])
        self.velocities_TP[:] = self.momenta_T1 * self.velocities_TP + self.gradients_TP
        self.weights_TP[going_T] -= (self.rates_T1 * self.velocities_TP)[going_T]


class NumpyBatched(Backend):
    """All trainings side by side in NumPy: as few calls for a hundred of them as for one."""

    name = "numpy-batched"
    group = StackedTrainings
    releases_gil = False
    least = 64

    def group_size(self, trial: Trial) -> int:  # noqa: ARG002 - of any trial
        """Return how many trainings advance together: as many as a processor's cache holds."""
        return 256

    def cost_us(self, trial: Trial) -> float:
        """Return about how many microseconds an iteration of one training takes, among 64."""
        observations = len(trial.gate.targets)
        steps = observations if trial.update == "online" else 1
        return steps * len(trial.network.layers) * 0.4 + observations * trial.network.parameters * 0.004


# ------------------------------------------------------------------ an objective


def _times(trainings: pd.DataFrame) -> Any:
    """Return when each was solved ``[T]``, in iterations; what never was counts at its budget."""
    return np.minimum(time_to_solution(trainings), trainings[c.ITERATIONS].to_numpy(dtype=float))


def _upper_quartile(trainings: pd.DataFrame) -> float:
    times_T = np.sort(_times(trainings))
    return float(times_T[-(-3 * len(times_T) // 4) - 1])


UPPER_QUARTILE = Objective(
    name="upper_quartile",
    measures="upper quartile of the time to solution",
    heading="upper quartile",
    unit="iterations",
    of_solving=True,
    censored=True,
    value=_upper_quartile,
    per_training=_times,
)


# ------------------------------------------------------------------ a section


MOST = 10
SHARE = "share"


def _hardest(data: Any) -> dict[str, Any] | None:
    """Return the seeds that the fewest trials were solved from; None where nothing was trained from several."""
    from bench.report.charts import numbers, tabulate, text  # Matplotlib, of which a worker needs nothing
    from bench.report.number_format import percent, plural

    begun = data.trainings[~data.trainings[c.OUTCOME].isin(["failed", "unsupported"])]
    if begun.empty:
        return None
    by_seed = begun.groupby(c.SEED)[c.SOLVED].agg(["sum", "count"])
    rows = by_seed.assign(**{SHARE: by_seed["sum"] / by_seed["count"]}).reset_index()
    rows = rows.sort_values([SHARE, c.SEED]).head(MOST)
    seed, share = rows[c.SEED].iloc[0], rows[SHARE].iloc[0]
    columns = [
        text("seed", lambda row: str(row[c.SEED])),
        numbers("solved", SHARE, lambda value: percent(value, 0)),
        numbers("trials", "count"),
    ]
    return {
        "text": [f"From seed {seed}, {percent(share, 0)} of {plural(int(rows['count'].iloc[0]), 'trial')} are solved."],
        "tables": [tabulate("hardest", "Seeds from which the fewest trials are solved", rows, columns)],
        "how": "A seed is a start only among networks of one size: others draw other weights from it.",
    }


HARDEST = Section("hardest", "Hardest starts", "Which starts are hard?", "Seeds that few settings solve", _hardest)

PLUGINS = [MAJORITY, NumpyBatched, UPPER_QUARTILE, HARDEST]
