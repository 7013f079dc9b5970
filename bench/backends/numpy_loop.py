"""Plain NumPy loop with gradients by hand: slow, readable, and the oracle for every other backend.

Shapes: N observations, I inputs of a layer, O outputs of a layer, P parameters of the network. The order of the
operations is that of the usual textbook loop, so that its float64 digits are the textbook's.
"""

import numpy as np

from bench.backends.base import Array, LoopBackend, LoopTraining
from bench.model.loss import loss_slope, loss_value
from bench.model.network import ACTIVATIONS, sigmoid
from bench.model.outcome import Batch


class NumpyTraining(LoopTraining):
    """Forward pass, backward pass and update of one network."""

    def __init__(self, batch: Batch) -> None:
        """Copy the initial weights in the trial's dtype; the layers are views of them, and of their gradients."""
        super().__init__(batch)
        trial = batch.trial
        dtype = np.dtype(trial.dtype)
        self.inputs = trial.gate.inputs.astype(dtype)
        self.targets = trial.gate.targets.astype(dtype)[:, None]
        self.learning_rate = dtype.type(batch.learning_rate_T[0])
        self.momentum = dtype.type(batch.momentum_T[0])
        self.activation = ACTIVATIONS[trial.activation]
        self.flat_P: Array = batch.weights_TP[0].astype(dtype)
        self.gradient_P = np.zeros_like(self.flat_P)
        self.velocity_P = np.zeros_like(self.flat_P)
        self.layers = trial.network.unflatten(self.flat_P)
        self.gradients = trial.network.unflatten(self.gradient_P)
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
        return self.flat_P.copy()

    def _forward(self, inputs_NI: Array) -> list[Array]:
        """Return the inputs and every layer's output, ``[N, O]`` each."""
        outputs = [inputs_NI]
        last = len(self.layers) - 1
        for k, (weight, bias) in enumerate(self.layers):
            linear = np.dot(outputs[-1], weight)
            if bias is not None:
                linear = linear + bias
            outputs.append(sigmoid(linear) if k == last else self.activation.value(linear))
        return outputs

    def _backward(self, outputs: list[Array], targets_N1: Array) -> None:
        """Propagate the loss's slope from the output layer back to the first, leaving every layer's gradient."""
        prediction = outputs[-1]
        slope = loss_slope(self.trial.loss, self.trial.reduction, prediction[:, 0], targets_N1[:, 0])[:, None]
        delta = slope * (prediction * (1 - prediction))
        for k in range(len(self.layers) - 1, -1, -1):
            weight, _ = self.layers[k]
            by_weight, by_bias = self.gradients[k]
            np.dot(outputs[k].T, delta, out=by_weight)
            if by_bias is not None:
                np.add.reduce(delta, axis=0, out=by_bias)
            if k:
                delta = np.dot(delta, weight.T) * self.activation.slope(outputs[k])

    def _descend(self, outputs: list[Array], targets_N1: Array) -> None:
        """Do one step of gradient descent with momentum, as torch.optim.SGD does."""
        self._backward(outputs, targets_N1)
        step = self.gradient_P
        if self.momentum:
            self.velocity_P *= self.momentum
            self.velocity_P += step
            step = self.velocity_P
        self.flat_P -= self.learning_rate * step


class NumpyLoop(LoopBackend):
    """One network at a time in NumPy, whose BLAS decides how dot products are rounded."""

    name = "numpy"
    group = NumpyTraining
    overhead_us = 12.0
