"""PyTorch as its users write it: nn.Sequential, autograd, torch.optim.SGD, one network at a time.

Shapes: N observations, I inputs of a layer, O outputs of a layer, P parameters of the network.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bench.backends.base import LoopBackend, LoopTraining
from bench.model.outcome import Batch
from bench.model.trial import Trial

LOSSES: dict[str, Callable[..., nn.Module]] = {
    "mse": nn.MSELoss,
    "l1": nn.L1Loss,
    "bce": nn.BCELoss,
    "huber": nn.HuberLoss,
}
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {"sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "relu": nn.ReLU}


class TorchTraining(LoopTraining):
    """One nn.Sequential with its optimiser."""

    def __init__(self, batch: Batch) -> None:
        """Build the network and put the initial weights into it."""
        super().__init__(batch)
        trial = batch.trial
        dtype = getattr(torch, trial.dtype)
        self.online = trial.update == "online"
        self.inputs = torch.tensor(trial.inputs, dtype=dtype, device=trial.device)
        self.targets = torch.tensor(trial.targets[:, None], dtype=dtype, device=trial.device)
        self.model = sequential(trial).to(dtype=dtype, device=trial.device)
        layers = trial.network.unflatten(batch.weights_TP[0])
        values = (value for layer in layers for value in layer if value is not None)
        with torch.no_grad():
            for parameter, value in zip(self.model.parameters(), values, strict=True):
                parameter.copy_(torch.from_numpy(value.T.copy()))
        self.loss_function = LOSSES[trial.loss](reduction=trial.reduction)
        self.guarded = trial.loss == "bce"  # nn.BCELoss raises on NaN; here a diverged training is data
        # in the trial's dtype, where a rate may be infinite: torch raises on a float64 that does not fit a float32
        rate, momentum = (
            float(np.dtype(trial.dtype).type(values[0])) for values in (batch.learning_rate_T, batch.momentum_T)
        )
        self.optimiser = torch.optim.SGD(self.model.parameters(), lr=rate, momentum=momentum)
        self.predictions = self.targets

    def predict(self) -> NDArray[np.floating[Any]]:
        """Run the forward pass over the whole table, keeping its graph for the update."""
        self.predictions = self.model(self.inputs)
        array: NDArray[np.floating[Any]] = self.predictions.detach().cpu().numpy()[:, 0]
        return array

    def loss(self) -> float:
        """Return the loss of the last forward pass."""
        if self.guarded and self.predictions.isnan().any():
            return float("nan")
        return float(self.loss_function(self.predictions.detach(), self.targets))

    def step(self) -> None:
        """Update the weights from the last forward pass, or observation by observation in the table's order."""
        if not self.online:
            self._descend(self.predictions, self.targets)
            return
        for row in range(len(self.inputs)):
            observation = slice(row, row + 1)
            self._descend(self.model(self.inputs[observation]), self.targets[observation])

    def weights(self) -> NDArray[np.float64]:
        """Return the weights in the flat order: nn.Linear keeps [O, I], the flat row [I, O]."""
        return np.concatenate([p.detach().cpu().double().numpy().T.ravel() for p in self.model.parameters()])

    def _descend(self, predictions: Tensor, targets: Tensor) -> None:
        if self.guarded and predictions.isnan().any():  # a diverged network stays diverged
            with torch.no_grad():
                for parameter in self.model.parameters():
                    parameter.fill_(float("nan"))
            return
        loss = self.loss_function(predictions, targets)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()


def sequential(trial: Trial) -> nn.Sequential:
    """Return the trial's network, its weights not yet set."""
    linear = FusedLinear if trial.summation == "fma" else nn.Linear
    modules: list[nn.Module] = []
    for layer in trial.network.layers:
        modules.append(linear(layer.fan_in, layer.fan_out, bias=layer.bias is not None))
        modules.append(ACTIVATIONS[trial.activation]())
    modules[-1] = nn.Sigmoid()
    return nn.Sequential(*modules)


class FusedLinear(nn.Linear):
    """nn.Linear whose dot products are summed in order with fused multiply-adds.

    How a BLAS rounds a dot product is its own affair and differs between processors (MKL fuses on Intel's, and
    for small shapes not on AMD's). This sum is the same on every processor.
    """

    def forward(self, inputs: Tensor) -> Tensor:
        """Return ``inputs [N, I] @ weight.T [I, O] + bias [O]``."""
        product: Tensor = FusedProduct.apply(inputs, self.weight)  # type: ignore[no-untyped-call]  # torch's own
        return product if self.bias is None else product + self.bias


class FusedProduct(torch.autograd.Function):
    """``inputs [N, I] @ weight.T [I, O]``, forward and backward by `fused_product`."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor) -> Tensor:
        """Return the product and keep what the backward pass needs."""
        ctx.save_for_backward(inputs, weight)
        return fused_product(inputs, weight.t())

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, Tensor]:
        """Return the slopes by the inputs (where wanted) and by the weight."""
        inputs, weight = ctx.saved_tensors
        by_inputs = fused_product(slopes[0], weight) if ctx.needs_input_grad[0] else None
        return by_inputs, fused_product(slopes[0].t(), inputs)


def fused_product(left: Tensor, right: Tensor) -> Tensor:
    """Return ``left [M, K] @ right [K, N]`` in float32, summed in order, each step ``round(a * b + sum)``.

    A float64 holds the product of two float32 exactly. Its sum is rounded to float64 before float32, which differs
    from a true fused step only where the first rounding makes a tie: about once in 2**29 steps.
    """
    left64, right64 = left.double(), right.double()
    total = (left64[:, :1] * right64[:1]).float()
    for k in range(1, left.shape[1]):
        total = torch.addcmul(total.double(), left64[:, k : k + 1], right64[k : k + 1]).float()
    return total


class TorchLoop(LoopBackend):
    """One network at a time, in PyTorch."""

    name = "torch"
    group = TorchTraining
    overhead_us = 65.0
    summations = ("library", "fma")
    has_gpu = staticmethod(torch.cuda.is_available)

    def unsupported(self, trial: Trial) -> str | None:
        """Return why this trial cannot be trained here, or None: fused sums are exact only for float32 on the CPU."""
        reason = super().unsupported(trial)
        if reason is None and trial.summation == "fma" and (trial.dtype, trial.device) != ("float32", "cpu"):
            return "backend torch has summation 'fma' for float32 on the cpu only"
        return reason
