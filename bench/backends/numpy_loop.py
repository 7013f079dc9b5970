"""Plain NumPy loop with gradients by hand: slow, readable, and the oracle for every other backend.

Shapes: N observations, I inputs of a layer, O outputs of a layer, P parameters of the network. The order of the
operations is that of the usual textbook loop, so that its float64 digits are the textbook's.
"""

from collections.abc import Sequence

import numpy as np

from bench.backends.base import EVERYTHING, Array
from bench.backends.loops import LoopBackend, LoopTraining
from bench.backends.numpy_steps import STEPS
from bench.model.draws import batches, dropout_factors, flipped_targets, gradient_noise
from bench.model.loss import loss_slope, loss_value
from bench.model.network import ACTIVATIONS, Activation
from bench.model.optimizer import CLIP_GUARD, OPTIMIZERS
from bench.model.outcome import Batch


class NumpyTraining(LoopTraining):
    """Forward pass, backward pass and update of one network."""

    def __init__(self, batch: Batch) -> None:
        """Copy the initial weights in the trial's dtype; the layers are views of them, and of their gradients."""
        super().__init__(batch)
        trial = batch.trial
        dtype = np.dtype(trial.dtype)
        self.inputs = trial.inputs.astype(dtype)
        self.targets = trial.targets.astype(dtype).reshape(len(self.inputs), -1)
        self.momentum = dtype.type(batch.momentum_T[0])
        self.seed = batch.seed_T[:1]
        self.activation, self.output = ACTIVATIONS[trial.activation], ACTIVATIONS[trial.output]
        self.flat_P: Array = batch.weights_TP[0].astype(dtype)
        self.gradient_P = np.zeros_like(self.flat_P)
        self.rate_P = np.full_like(self.flat_P, batch.learning_rate_T[0])
        self.rate_P[trial.network.layers[-1].weight.start :] = batch.output_rates[0]
        self.trained_P = slice(None) if trial.frozen == "nothing" else trial.trained
        self.memory_MP = np.zeros((OPTIMIZERS[trial.optimizer].memory, len(self.flat_P[self.trained_P])), dtype)
        self.steps_done = 0
        self.layers = trial.network.unflatten(self.flat_P)
        self.gradients = trial.network.unflatten(self.gradient_P)
        self.outputs: list[Array] = []

    def predict(self) -> Array:
        """Run the forward pass over the whole table, keeping every layer's output for the update."""
        self.outputs = self._forward(self.inputs)
        return self.outputs[-1].ravel()

    def loss(self) -> float:
        """Return the loss of the last forward pass."""
        return float(loss_value(self.trial.loss, self.trial.reduction, self.outputs[-1].ravel(), self.targets.ravel()))

    def step(self) -> None:
        """Update the weights from the last forward pass, or from one batch of observations after the other."""
        trial, now = self.trial, self.iteration
        if trial.optimizer == "none":
            return
        if trial.update == "full" and not trial.dropout:
            self._descend(self.outputs, self._targets(now))
            return
        for number, rows in batches(trial, self.seed, now):
            factors = dropout_factors(trial, self.seed, number, rows)
            self._descend(self._forward(self.inputs[rows], factors), self._targets(number)[rows])

    def weights(self) -> Array:
        """Return a copy of the weights."""
        return self.flat_P.copy()

    def _targets(self, number: int) -> Array:
        """Return the targets ``[N, O]`` of a step."""
        return flipped_targets(self.trial, self.seed, number, self.targets) if self.trial.label_flips else self.targets

    def _forward(self, inputs_NI: Array, factors: Sequence[Array] = ()) -> list[Array]:
        """Return what every layer is given, ``[N, I]`` each, and what the network says."""
        outputs = [inputs_NI]
        last = len(self.layers) - 1
        self.factors = factors
        for k, (weight, bias) in enumerate(self.layers):
            if k == last and self.trial.shortcuts:
                outputs[-1] = np.concatenate([outputs[-1], inputs_NI], axis=1)
            linear = np.dot(outputs[-1], weight)
            if bias is not None:
                linear = linear + bias
            value = (self.output if k == last else self.activation).value(linear)
            outputs.append(value * factors[k] if factors and k < last else value)
        return outputs

    def _backward(self, outputs: list[Array], targets_NO: Array) -> None:
        """Propagate the loss's slope from the output layer back to the first, leaving every layer's gradient."""
        prediction, trial = outputs[-1], self.trial
        slope = loss_slope(trial.loss, trial.reduction, prediction.ravel(), targets_NO.ravel())
        delta = slope.reshape(prediction.shape) * self._slope(self.output, prediction)
        for k in range(len(self.layers) - 1, -1, -1):
            weight, _ = self.layers[k]
            by_weight, by_bias = self.gradients[k]
            np.dot(outputs[k].T, delta, out=by_weight)
            if by_bias is not None:
                np.add.reduce(delta, axis=0, out=by_bias)
            if k:
                neurons = trial.network.hidden[k - 1]
                output, factor = outputs[k][:, :neurons], self.factors[k - 1] if self.factors else 1
                if self.factors:  # what was kept, before it was made larger
                    output = output * self.targets.dtype.type(1 - trial.dropout)
                delta = np.dot(delta, weight[:neurons].T) * (self._slope(self.activation, output) * factor)

    def _slope(self, activation: Activation, output: Array) -> Array:
        """Return an activation's slopes, with what is added to all of them."""
        slopes = activation.slope(output)
        return slopes + self.targets.dtype.type(self.trial.slope_offset) if self.trial.slope_offset else slopes

    def _descend(self, outputs: list[Array], targets_NO: Array) -> None:
        """Do one step of the optimizer down the gradient: cut off, with noise, and with the weights' decay."""
        self._backward(outputs, targets_NO)
        trial, trained, number = self.trial, self.trained_P, self.steps_done
        self.steps_done += 1
        gradient, rate = self.gradient_P[trained], self.rate_P[trained]
        if trial.clip:
            length = np.sqrt((gradient * gradient).sum())
            gradient = gradient * min(trial.clip / (length + CLIP_GUARD), 1)
        if trial.noise:
            gradient = gradient + gradient_noise(trial, self.seed, number)[trained]
        if trial.schedule != "constant":
            rate = rate * rate.dtype.type(trial.rate_factors(self.iteration, self.iteration + 1)[0])
        weights = self.flat_P[trained]
        if trial.weight_decay and trial.optimizer == "adamw":
            weights *= 1 - rate * trial.weight_decay
        elif trial.weight_decay:
            gradient = gradient + trial.weight_decay * weights
        STEPS[trial.optimizer](trial, float(self.momentum), number + 1, weights, gradient, self.memory_MP, rate)
        self.flat_P[trained] = weights


class NumpyLoop(LoopBackend):
    """One network at a time in NumPy, whose BLAS decides how dot products are rounded."""

    name = "numpy"
    group = NumpyTraining
    overhead_us = 12.0
    takes = EVERYTHING
