"""Operations of an iteration of networks that are trained side by side in PyTorch, written down once.

Shapes: T trainings (the last, contiguous axis), N observations, I inputs of a layer (its bias is one more, fed with
ones), O outputs of a layer, P parameters of the network.

A training's numbers never depend on those beside it: all sums over neurons and observations are written out as
elementwise operations in a fixed order, and T is a multiple of LANES, so that torch's vector loops have no rest,
which they would round in another way.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor

from bench.backends.base import loss_factor
from bench.model.loss import HUBER_DELTA, SLOPE_FLOOR
from bench.model.network import Layer
from bench.model.trial import Trial

Operation = Callable[[], Any]
Operations = list[Operation]

LANES = 64  # torch's widest vector loops take 64 numbers at a time
CHUNK = 2**17  # numbers in a product that is summed over observations: it should stay in the nearest caches
sigmoid_backward: Callable[..., Tensor] = torch.ops.aten.sigmoid_backward.grad_input
tanh_backward: Callable[..., Tensor] = torch.ops.aten.tanh_backward.grad_input


class TruthTable:
    """Truth table of ``inputs [I + 1, N, 1]``, the last of them ones for the bias, and ``targets [1, N, 1]``."""

    def __init__(self, numbers: Tensor) -> None:
        """Take inputs, ones and targets as one tensor, so that one copy changes them."""
        self.numbers, self.inputs, self.targets = numbers, numbers[:-1], numbers[-1:]

    @classmethod
    def of(cls, trial: Trial) -> "TruthTable":
        """Return the trial's gate in its precision, on its device."""
        inputs, targets = torch.tensor(trial.inputs.T), torch.tensor(trial.targets[None])
        numbers = torch.cat([inputs, torch.ones_like(targets), targets])[:, :, None]
        return cls(numbers.to(trial.device, getattr(torch, trial.dtype)).contiguous())

    def __len__(self) -> int:
        """Return the number of observations, N."""
        return self.numbers.shape[1]

    def rows(self) -> Iterator[Tensor]:
        """Yield the numbers of every observation."""
        return (self.numbers[:, n : n + 1] for n in range(len(self)))


class Lanes:
    """Forward and backward pass over one table, for weights and gradients ``[P, T]`` that it is given."""

    def __init__(self, trial: Trial, table: TruthTable, weights_PT: Tensor, gradient_PT: Tensor) -> None:
        """Make room for every layer's outputs and slopes."""
        self.trial, self.table = trial, table
        self.layers = trial.network.layers
        self.weights = [views(layer, weights_PT) for layer in self.layers]
        self.gradients = [views(layer, gradient_PT) for layer in self.layers]
        size, self.lanes = len(table), weights_PT.shape[1]
        self.deltas = [weights_PT.new_empty(layer.fan_out, size, self.lanes) for layer in self.layers]
        self.outputs = [table.inputs]  # each with a row of ones at its end
        for layer in self.layers[:-1]:
            self.outputs.append(weights_PT.new_ones(layer.fan_out + 1, size, self.lanes))
        self.spare = weights_PT.new_empty(max(layer.fan_out for layer in self.layers), size, self.lanes)

    def forward(self, prediction_1NT: Tensor) -> Iterator[Operation]:
        """Yield the forward pass, which ends in the predictions."""
        for k, layer in enumerate(self.layers):
            last = layer is self.layers[-1]
            output = prediction_1NT if last else self.outputs[k + 1][: layer.fan_out]
            weight, inputs = self.weights[k], self.outputs[k][: layer.fan_in]
            bias = None if layer.bias is None else weight[layer.fan_in, :, None]
            yield from over_neurons(inputs, weight[: layer.fan_in], output, bias)
            yield activate("sigmoid" if last else self.trial.activation, output)

    def backward(self, prediction_1NT: Tensor) -> Iterator[Operation]:
        """Yield the backward pass, which leaves every layer's gradient but for the `slope_factor`."""
        yield from self._slope(prediction_1NT, self.deltas[-1])
        for k in range(len(self.layers) - 1, -1, -1):
            fan_in, delta, gradient = self.layers[k].fan_in, self.deltas[k], self.gradients[k]
            if k:
                passed = self.deltas[k - 1]
                yield from over_neurons(delta, self.weights[k][:fan_in].transpose(0, 1), passed)
                yield from times_slope(self.trial.activation, passed, self.outputs[k][:fan_in], self.spare[:fan_in])
            yield from over_observations(self.outputs[k][: len(gradient)], delta, gradient)

    def _slope(self, p: Tensor, delta: Tensor) -> Iterator[Operation]:
        """Yield the slope of the loss by the output's logit, from those in `bench.model.loss` and the sigmoid's."""
        yield partial(torch.sub, p, self.table.targets, out=delta)
        if self.trial.loss == "l1":
            yield delta.sign_
        elif self.trial.loss == "huber":
            yield partial(delta.clamp_, -HUBER_DELTA, HUBER_DELTA)
        elif self.trial.loss == "bce":
            spare, one = self.spare[:1], p.new_ones(())
            yield partial(torch.sub, one, p, out=spare)
            yield partial(spare.mul_, p)
            yield partial(spare.clamp_min_, SLOPE_FLOOR)
            yield partial(delta.div_, spare)
        yield partial(sigmoid_backward, delta, p, grad_input=delta)


def slope_factor(trial: Trial) -> float:
    """Return the factor of every gradient, which is multiplied into the learning rate at no cost."""
    return (2.0 if trial.loss == "mse" else 1.0) * loss_factor(trial)


def numbers_per_training(trial: Trial) -> int:
    """Return about how many numbers `Lanes` and its update hold for one training."""
    observations, total = len(trial.inputs), 0
    for layer in trial.network.layers:
        products = (layer.fan_in + 1) * layer.fan_out
        total += 3 * layer.fan_out * observations + (3 + chunk_width(observations, products)) * products
    return total


def views(layer: Layer, flat_PT: Tensor) -> Tensor:
    """Return a layer's rows of the flat weights as ``[I, O, T]``, the bias being the last of them."""
    rows = flat_PT[layer.weight.start : (layer.bias or layer.weight).stop]
    return rows.view(-1, layer.fan_out, flat_PT.shape[1])


def over_neurons(
    values_INT: Tensor, weight_IOT: Tensor, out_ONT: Tensor, bias_O1T: Tensor | None = None
) -> Iterator[Operation]:
    """Yield ``out = bias + sum over I of values * weight``, neuron by neuron."""
    if out_ONT.shape[2] == 1:
        pair = weight_IOT[:, :, 0].t(), values_INT[:, :, 0]
        yield product(*pair, out_ONT[:, :, 0], None if bias_O1T is None else bias_O1T[:, :, 0])
        return
    for i, (value, weight) in enumerate(zip(values_INT[:, None], weight_IOT[:, :, None], strict=False)):
        start = out_ONT if i else bias_O1T
        yield multiply_add(start, value, weight, out_ONT)


def over_observations(values_INT: Tensor, delta_ONT: Tensor, out_IOT: Tensor) -> Iterator[Operation]:
    """Yield ``out = sum over N of values * delta``: some at a time, then the halves of what that gives."""
    inputs, outputs, lanes = out_IOT.shape
    size = delta_ONT.shape[1]
    if lanes == 1:
        yield product(values_INT[:, :, 0], delta_ONT[:, :, 0].t(), out_IOT[:, :, 0])
        return
    width = chunk_width(size, inputs * outputs)
    total = out_IOT[:, :, None] if width == 1 else out_IOT.new_empty(inputs, outputs, width, lanes)
    for start in range(0, size, width):
        chunk = slice(start, min(start + width, size))
        some = total[:, :, : chunk.stop - start]
        yield multiply_add(some if start else None, values_INT[:, None, chunk], delta_ONT[None, :, chunk], some)
    while width > 1:
        rest = width // 2
        half = width - rest
        into = out_IOT[:, :, None] if half == 1 else total[:, :, :rest]
        yield partial(torch.add, total[:, :, :rest], total[:, :, half:width], out=into)
        width = half


def multiply_add(start: Tensor | None, left: Tensor, right: Tensor, out: Tensor) -> Operation:
    """Return the operation ``out = start + left * right``, element by element."""
    if start is None:
        return partial(torch.mul, left, right, out=out)
    return partial(torch.addcmul, start, left, right, out=out)


def product(left: Tensor, right: Tensor, out: Tensor, bias: Tensor | None = None) -> Operation:
    """Return the operation ``out = bias + left @ right``, for a training that is alone in its tensors."""
    if bias is None:
        return partial(torch.mm, left, right, out=out)
    return partial(torch.addmm, bias, left, right, out=out)


def chunk_width(size: int, products: int) -> int:
    """Return how many observations are multiplied at a time: as few operations as possible, then as little work.

    It depends on the trial alone: the order of the sums must not depend on how many trainings there are.
    """
    widths: list[int] = [2**k for k in range(size.bit_length()) if k == 0 or 2**k * products * LANES <= CHUNK]
    return min(widths, key=lambda width: (-(-size // width) + (width - 1).bit_length(), width))


def activate(activation: str, x: Tensor) -> Operation:
    """Return the operation that applies an activation in place."""
    return {"sigmoid": x.sigmoid_, "tanh": x.tanh_, "relu": x.relu_}[activation]


def times_slope(activation: str, delta: Tensor, output: Tensor, spare: Tensor) -> Iterator[Operation]:
    """Yield ``delta *= slope``, the activation's slope in terms of its own output."""
    if activation == "relu":  # torch's own backward pass would turn a NaN into 0; multiplied, it stays
        yield partial(torch.sign, output, out=spare)
        yield partial(delta.mul_, spare)
    else:
        backward = sigmoid_backward if activation == "sigmoid" else tanh_backward
        yield partial(backward, delta, output, grad_input=delta)
