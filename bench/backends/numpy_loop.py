"""A plain NumPy loop with gradients by hand: slow, readable, and the oracle for every other backend.

Shapes: N observations, I inputs of a layer, O outputs of a layer, P parameters of the network. The order of the
operations is that of the usual textbook loop, so that its float64 digits are the textbook's.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.backends.base import LoopBackend, Training
from bench.problem.loss import loss_slope, loss_value
from bench.problem.network import ACTIVATIONS, sigmoid
from bench.problem.outcome import Batch
from bench.problem.trial import Trial

Array = NDArray[np.floating[Any]]


class NumpyLoop(LoopBackend):
    """One network at a time, in NumPy."""

    name = "numpy"
    overhead_us = 12.0

    def unsupported(self, trial: Trial) -> str | None:
        """Refuse a GPU, and fused sums: NumPy's BLAS decides how dot products are rounded."""
        if trial.device != "cpu":
            return f"backend numpy has no device {trial.device!r}; it has cpu"
        if trial.summation != "library":
            return f"backend numpy has no summation {trial.summation!r}; it has library"
        return None

    def start(self, batch: Batch, index: int) -> "NumpyTraining":
        """Return one training at its initial weights."""
        return NumpyTraining(batch, index)


class NumpyTraining(Training):
    """The forward pass, the backward pass and the update of one network."""

    def __init__(self, batch: Batch, index: int) -> None:
        """Copy the initial weights in the trial's dtype; the layers are views of them."""
        trial = batch.trial
        self.trial = trial
        dtype = np.dtype(trial.dtype)
        self.inputs = trial.gate.inputs.astype(dtype)
        self.targets = trial.gate.targets.astype(dtype)[:, None]
        self.learning_rate = dtype.type(batch.learning_rate_T[index])
        self.momentum = dtype.type(batch.momentum_T[index])
        self.activation = ACTIVATIONS[trial.activation]
        self.flat_P = batch.weights_TP[index].astype(dtype)
        self.velocity_P = np.zeros_like(self.flat_P)
        self.layers = trial.network.unflatten(self.flat_P)
        self.velocities = trial.network.unflatten(self.velocity_P)
        self.outputs: list[Array] = []

    def predict(self) -> Array:
        """Run the forward pass over the whole table, keeping every layer's output for the update."""
        self.outputs = self._forward(self.inputs)
        predictions: Array = self.outputs[-1][:, 0]
        return predictions

    def loss(self) -> float:
        """Return the loss of the last forward pass."""
        return float(loss_value(self.trial.loss, self.trial.reduction, self.outputs[-1][:, 0], self.targets[:, 0]))

    def step(self) -> None:
        """Update the weights from the last forward pass, or observation by observation in the table's order."""
        if self.trial.update == "full":
            self._descend(self.outputs, self.targets)
            return
        for row in range(len(self.inputs)):
            observation = slice(row, row + 1)
            self._descend(self._forward(self.inputs[observation]), self.targets[observation])

    def weights(self) -> Array:
        """Return a copy of the weights."""
        weights: Array = self.flat_P.copy()
        return weights

    def gradients(self) -> list[tuple[Array, Array | None]]:
        """Return each layer's gradient ``(weight [I, O], bias [O] or None)`` at the last forward pass."""
        return self._gradients(self.outputs, self.targets)

    def _forward(self, inputs_NI: Array) -> list[Array]:
        """Return the inputs and every layer's output, ``[N, O]`` each."""
        outputs = [inputs_NI]
        last = len(self.layers) - 1
        for place, (weight, bias) in enumerate(self.layers):
            linear = np.dot(outputs[-1], weight)
            if bias is not None:
                linear = linear + bias
            outputs.append(sigmoid(linear) if place == last else self.activation.value(linear))
        return outputs

    def _gradients(self, outputs: list[Array], targets_N1: Array) -> list[tuple[Array, Array | None]]:
        """Propagate the loss's slope from the output layer back to the first."""
        prediction = outputs[-1]
        slope = loss_slope(self.trial.loss, self.trial.reduction, prediction[:, 0], targets_N1[:, 0])[:, None]
        delta = slope * (prediction * (1 - prediction))
        gradients: list[tuple[Array, Array | None]] = []
        for place in range(len(self.layers) - 1, -1, -1):
            weight, bias = self.layers[place]
            gradients.append((np.dot(outputs[place].T, delta), None if bias is None else delta.sum(axis=0)))
            if place:
                delta = np.dot(delta, weight.T) * self.activation.slope(outputs[place])
        return gradients[::-1]

    def _descend(self, outputs: list[Array], targets_N1: Array) -> None:
        """Do one step of gradient descent with momentum, as torch.optim.SGD does."""
        gradients = self._gradients(outputs, targets_N1)
        for layer, velocity, gradient in zip(self.layers, self.velocities, gradients, strict=True):
            for value, speed, slope in zip(layer, velocity, gradient, strict=True):
                if value is not None and speed is not None and slope is not None:
                    self._move(value, speed, slope)

    def _move(self, value: Array, speed: Array, slope: Array) -> None:
        """Change one weight array in place: ``v = momentum v + slope; w = w - rate v``."""
        if self.momentum:
            speed *= self.momentum
            speed += slope
            slope = speed
        value -= self.learning_rate * slope
