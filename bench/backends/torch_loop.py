"""PyTorch as its users write it: modules, autograd, torch.optim, one network at a time.

Shapes: N observations, I inputs of a layer, O outputs of a layer, P parameters of the network.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bench.backends.base import EVERYTHING
from bench.backends.loops import LoopBackend, LoopTraining
from bench.model.draws import batches, dropout_factors, flipped_targets, gradient_noise
from bench.model.loss import ARCTANH_CEILING
from bench.model.outcome import Batch
from bench.model.trial import Trial

Groups = list[dict[str, Any]]  # parameters that share a learning rate, as torch.optim takes them


class Symmetric(nn.Module):
    """The sigmoid, less a half (Fahlman 1988)."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Return values from -0.5 to 0.5."""
        return inputs.sigmoid() - 0.5


class OffsetSlope(nn.Module):
    """An activation to whose slope a number is added (Fahlman 1988)."""

    def __init__(self, activation: nn.Module, offset: float) -> None:
        """Take the activation, and what is added."""
        super().__init__()
        self.activation, self.offset = activation, offset

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the activation's values."""
        found: Tensor = AddedSlope.apply(self.activation(inputs), inputs, self.offset)  # type: ignore[no-untyped-call]
        return found


class AddedSlope(torch.autograd.Function):
    """Values as they are, from which slopes go back to what they were computed of once more, times a number."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, _inputs: Tensor, offset: float) -> Tensor:
        """Return the values."""
        ctx.offset = offset
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, Tensor, None]:
        """Return the slopes by the values and by the inputs."""
        return slopes[0], slopes[0] * ctx.offset, None


class ArctanhLoss(nn.Module):
    """Loss whose slope is the inverse hyperbolic tangent of the difference (Fahlman 1988)."""

    def __init__(self, reduction: str) -> None:
        """Take the reduction, as torch.nn's losses do."""
        super().__init__()
        self.reduction = reduction

    def forward(self, predictions: Tensor, targets: Tensor) -> Tensor:
        """Return the mean or the sum over all predictions."""
        losses: Tensor = ArctanhOfDifference.apply(predictions - targets)  # type: ignore[no-untyped-call]
        return losses.mean() if self.reduction == "mean" else losses.sum()


class ArctanhOfDifference(torch.autograd.Function):
    """Integral of atanh, which goes on beyond its end with the slope that it has there: autograd's would be 0."""

    @staticmethod
    def forward(ctx: Any, difference: Tensor) -> Tensor:
        """Return the losses."""
        ctx.save_for_backward(difference)
        distance = difference.abs().clamp(max=ARCTANH_CEILING)
        return distance * distance.atanh() + (-distance * distance).log1p() / 2

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> Tensor:
        """Return the slopes by the difference."""
        (difference,) = ctx.saved_tensors
        by_difference: Tensor = slopes[0] * difference.clamp(-ARCTANH_CEILING, ARCTANH_CEILING).atanh()
        return by_difference


LOSSES: dict[str, Callable[..., nn.Module]] = {
    "mse": nn.MSELoss,
    "l1": nn.L1Loss,
    "bce": nn.BCELoss,
    "huber": nn.HuberLoss,
    "arctanh": ArctanhLoss,
}
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "symmetric": Symmetric,
    "linear": nn.Identity,
}


def constants_of(trial: Trial, *names: str) -> list[float]:
    """Return constants of a trial; those that its dtype cannot hold are infinite, since torch raises on them."""
    largest = np.finfo(trial.dtype).max
    return [value if value <= largest else float("inf") for value in (getattr(trial, name) for name in names)]


def _sgd(trial: Trial, groups: Groups, momentum: float) -> torch.optim.Optimizer:
    (decay,) = constants_of(trial, "weight_decay")
    nesterov = trial.optimizer == "nesterov" and momentum > 0
    return torch.optim.SGD(groups, momentum=momentum, weight_decay=decay, nesterov=nesterov)


def _adam(trial: Trial, groups: Groups, _: float) -> torch.optim.Optimizer:
    kind = torch.optim.AdamW if trial.optimizer == "adamw" else torch.optim.Adam
    decay, epsilon = constants_of(trial, "weight_decay", "epsilon")
    return kind(groups, betas=(trial.beta1, trial.beta2), eps=epsilon, weight_decay=decay)


def _rmsprop(trial: Trial, groups: Groups, momentum: float) -> torch.optim.Optimizer:
    decay, epsilon = constants_of(trial, "weight_decay", "epsilon")
    return torch.optim.RMSprop(groups, alpha=trial.alpha, eps=epsilon, weight_decay=decay, momentum=momentum)


def _adagrad(trial: Trial, groups: Groups, _: float) -> torch.optim.Optimizer:
    decay, epsilon = constants_of(trial, "weight_decay", "epsilon")
    return torch.optim.Adagrad(groups, eps=epsilon, weight_decay=decay)


def _rprop(trial: Trial, groups: Groups, _: float) -> torch.optim.Optimizer:
    eta_minus, eta_plus, smallest, largest = constants_of(trial, "eta_minus", "eta_plus", "step_min", "step_max")
    return torch.optim.Rprop(groups, etas=(eta_minus, eta_plus), step_sizes=(smallest, largest))


OPTIMIZERS: dict[str, Callable[[Trial, Groups, float], torch.optim.Optimizer]] = {
    "sgd": _sgd,
    "nesterov": _sgd,
    "adam": _adam,
    "adamw": _adam,
    "rmsprop": _rmsprop,
    "adagrad": _adagrad,
    "rprop": _rprop,
}


class TorchTraining(LoopTraining):
    """One network with its optimizer."""

    def __init__(self, batch: Batch) -> None:
        """Build the network and put the initial weights into it."""
        super().__init__(batch)
        trial = batch.trial
        dtype = getattr(torch, trial.dtype)
        self.seed = batch.seed_T[:1]
        self.inputs = torch.tensor(trial.inputs, dtype=dtype, device=trial.device)
        self.targets_NO = self.targets_N.reshape(len(self.inputs), -1)
        self.targets = torch.from_numpy(self.targets_NO).to(trial.device)
        self.model = FeedForward(trial).to(dtype=dtype, device=trial.device)
        layers = trial.network.unflatten(batch.weights_TP[0])
        values = (value for layer in layers for value in layer if value is not None)
        with torch.no_grad():
            for parameter, value in zip(self.model.parameters(), values, strict=True):
                parameter.copy_(torch.from_numpy(value.T.copy()))
        self.loss_function = LOSSES[trial.loss](reduction=trial.reduction)
        # where NaN must not come: nn.BCELoss raises, and of no number torch's sign is 0; here a diverged one is data
        self.guarded = trial.loss == "bce" or trial.optimizer == "rprop"
        self.predictions, self.steps_done = self.targets, 0
        self._prepare(batch)

    def _prepare(self, batch: Batch) -> None:
        """Say which parameters are trained, and give them to an optimizer in groups of one learning rate each."""
        trial = batch.trial
        slices = [part for layer in trial.network.layers for part in (layer.weight, layer.bias) if part is not None]
        first_of_output = trial.network.layers[-1].weight.start
        hidden: list[nn.Parameter] = []
        output: list[nn.Parameter] = []
        self.slices: list[tuple[nn.Parameter, slice]] = []  # what is trained, and its places in a flat row
        for parameter, part in zip(self.model.parameters(), slices, strict=True):
            parameter.requires_grad = bool(trial.trained[part].all()) and trial.optimizer != "none"
            if parameter.requires_grad:
                self.slices.append((parameter, part))
                (output if part.start >= first_of_output else hidden).append(parameter)
        self.trained = hidden + output
        rates = (batch.learning_rate_T[0], batch.output_rates[0])
        groups = [
            {"params": some, "lr": self._rate(float(rate))}
            for some, rate in zip((hidden, output), rates, strict=True)
            if some
        ]
        self.rates = [group["lr"] for group in groups]
        momentum = float(np.dtype(trial.dtype).type(batch.momentum_T[0]))
        self.optimizer = OPTIMIZERS[trial.optimizer](trial, groups, momentum) if groups else None

    def _rate(self, rate: float) -> float:
        """Return a learning rate in the trial's dtype, where it may be infinite: torch raises on one that is not in it.

        Adam divides it, most of all in its first step.
        """
        precise = np.dtype(self.trial.dtype).type
        divided = rate / (1 - self.trial.beta1) if self.trial.optimizer in {"adam", "adamw"} else rate
        return float(precise(rate)) if np.isfinite(precise(divided)) else float("inf")

    def predict(self) -> NDArray[np.floating[Any]]:
        """Run the forward pass over the whole table, keeping its graph for the update."""
        self.predictions = self.model(self.inputs)
        array: NDArray[np.floating[Any]] = self.predictions.detach().cpu().numpy().ravel()
        return array

    def loss(self) -> float:
        """Return the loss of the last forward pass."""
        if self.guarded and self.predictions.isnan().any():
            return float("nan")
        return float(self.loss_function(self.predictions.detach(), self.targets))

    def step(self) -> None:
        """Update the weights from the last forward pass, or from one batch of observations after the other."""
        trial, now = self.trial, self.iteration
        if self.optimizer is None:
            return
        if trial.schedule != "constant":
            (factor,) = trial.rate_factors(now, now + 1)
            for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
                group["lr"] = self._rate(rate * factor)
        if trial.update == "full" and not trial.dropout:
            self._descend(self.predictions, self._targets(now))
            return
        for number, rows in batches(trial, self.seed, now):
            factors = [self._put(factor) for factor in dropout_factors(trial, self.seed, number, rows)]
            self._descend(self.model(self.inputs[rows], factors), self._targets(number)[rows])

    def weights(self) -> NDArray[np.float64]:
        """Return the weights in the flat order: nn.Linear keeps [O, I], the flat row [I, O]."""
        return np.concatenate([p.detach().cpu().double().numpy().T.ravel() for p in self.model.parameters()])

    def _put(self, values: NDArray[np.floating[Any]]) -> Tensor:
        return torch.from_numpy(values).to(self.trial.device)

    def _targets(self, number: int) -> Tensor:
        """Return the targets ``[N, O]`` of a step."""
        if not self.trial.label_flips:
            return self.targets
        return self._put(flipped_targets(self.trial, self.seed, number, self.targets_NO))

    def _descend(self, predictions: Tensor, targets: Tensor) -> None:
        """Do one step of the optimizer, which decays weights too, down the gradient: cut off, and with noise."""
        assert self.optimizer is not None
        number = self.steps_done
        self.steps_done += 1
        if self.guarded and predictions.isnan().any():  # a diverged network stays diverged
            with torch.no_grad():
                for parameter in self.trained:
                    parameter.fill_(float("nan"))
            return
        loss = self.loss_function(predictions, targets)
        self.optimizer.zero_grad()
        loss.backward()
        if self.trial.clip:
            (longest,) = constants_of(self.trial, "clip")
            nn.utils.clip_grad_norm_(self.trained, longest)
        if self.trial.noise:
            self._add_noise(number)
        if self.trial.weight_decay and self.trial.optimizer == "rprop":  # torch's own has none
            for parameter in self.trained:
                self._gradient(parameter).add_(parameter.detach() * constants_of(self.trial, "weight_decay")[0])
        self.optimizer.step()

    def _add_noise(self, number: int) -> None:
        noise_P = gradient_noise(self.trial, self.seed, number)
        for parameter, part in self.slices:
            gradient = self._gradient(parameter)
            flat = noise_P[part]
            gradient.add_(self._put(flat.reshape(gradient.T.shape).T.copy() if gradient.ndim == 2 else flat))

    @staticmethod
    def _gradient(parameter: nn.Parameter) -> Tensor:
        assert parameter.grad is not None
        return parameter.grad


class FeedForward(nn.Sequential):
    """The trial's network, its weights not yet set: linear layers, each followed by its activation."""

    def __init__(self, trial: Trial) -> None:
        """Make the layers, of which the last may see the inputs too."""
        linear = FusedLinear if trial.summation == "fma" else nn.Linear
        self.shortcuts, self.pairs = trial.network.shortcuts, []
        for layer in trial.network.layers:
            kind = trial.output if layer is trial.network.layers[-1] else trial.activation
            activation = ACTIVATIONS[kind]()
            if trial.slope_offset:
                activation = OffsetSlope(activation, *constants_of(trial, "slope_offset"))
            self.pairs.append((linear(layer.fan_in, layer.fan_out, bias=layer.bias is not None), activation))
        super().__init__(*(module for pair in self.pairs for module in pair))

    def forward(self, inputs: Tensor, factors: Sequence[Tensor] = ()) -> Tensor:
        """Return the predictions ``[N, O]``; factors are of hidden layers' outputs."""
        outputs = inputs
        for place, (linear, activation) in enumerate(self.pairs):
            is_last = place == len(self.pairs) - 1
            if is_last and self.shortcuts:
                outputs = torch.cat([outputs, inputs], dim=1)
            outputs = activation(linear(outputs))
            if factors and not is_last:
                outputs = outputs * factors[place]
        return outputs


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
    takes = EVERYTHING | {"optimizer": (*OPTIMIZERS, "none")}
    has_gpu = staticmethod(torch.cuda.is_available)

    def unsupported(self, trial: Trial) -> str | None:
        """Return why this trial cannot be trained here, or None: fused sums are exact only for float32 on the CPU."""
        reason = super().unsupported(trial)
        if reason is None and trial.summation == "fma" and (trial.dtype, trial.device) != ("float32", "cpu"):
            return "backend torch has summation 'fma' for float32 on the cpu only"
        return reason
