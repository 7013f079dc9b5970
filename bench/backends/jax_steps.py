"""How a gradient becomes a step in JAX: by Optax, wherever its rule is that of the plain loop.

Shapes: P parameters of the network. What an optimizer keeps of a training is a pytree, as are its parameters and their
gradient. Rates are no part of a rule: they are multiplied in afterwards.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from bench.model.threefry import NOISE, PARITY, ROTATIONS
from bench.model.trial import Trial

try:
    import optax
except ModuleNotFoundError:
    optax = None

Tree = Any  # arrays in lists and tuples
NEEDED = "backend jax needs Optax for optimizer {!r}; install it with: pip install 'bench[jax]'"
OTHERS = {  # rules of Optax's that are not those of the plain loop and of torch
    "adagrad": "Optax adds epsilon below the root",
    "rprop": "Optax is a step behind",
}


class Rule(NamedTuple):
    """What is kept of a training at first, and how that and a gradient become a direction, and what is kept then."""

    init: Callable[[Tree], Tree]
    update: Callable[[Tree, Tree, Tree], tuple[Tree, Tree]]


def unavailable(trial: Trial) -> str | None:
    """Return why a trial's optimizer is not here, or None if it is."""
    if trial.optimizer in OTHERS:
        return f"backend jax has no optimizer {trial.optimizer!r} as others have it: {OTHERS[trial.optimizer]}"
    if trial.optimizer not in {"sgd", "none"} and optax is None:
        return NEEDED.format(trial.optimizer)
    return None


def rule(optimizer: str, constants: Mapping[str, Array], momentum: Array) -> Rule:
    """Return the rule of an optimizer; its constants, and the momentum, may be traced."""
    if optimizer in {"sgd", "none"}:
        return gradient_descent(momentum)
    if optimizer in {"adam", "adamw"}:
        kept: Rule = optax.scale_by_adam(constants["beta1"], constants["beta2"], constants["epsilon"])
    elif optimizer == "rmsprop":  # as torch has it: epsilon beside the root, and momentum after it
        scaled = optax.scale_by_rms(constants["alpha"], constants["epsilon"], eps_in_sqrt=False)
        kept = optax.chain(scaled, optax.trace(momentum))
    elif optimizer == "nesterov":
        kept = optax.trace(momentum, nesterov=True)
    elif optimizer == "signsgd":
        kept = optax.chain(optax.trace(momentum), optax.scale_by_sign())
    else:  # normalized: Optax's own adds a number to the length
        kept = optax.chain(optax.stateless(lambda gradient, _: normalized(gradient)), optax.trace(momentum))
    return kept


def gradient_descent(momentum: Array) -> Rule:
    """Return gradient descent with momentum, as in torch.optim.SGD."""

    def update(gradient: Tree, velocity: Tree, _: Tree) -> tuple[Tree, Tree]:
        velocity = jax.tree.map(lambda v, g: momentum * v + g, velocity, gradient)
        return velocity, velocity

    return Rule(lambda parameters: jax.tree.map(jnp.zeros_like, parameters), update)


def length(gradient: Tree) -> Array:
    """Return the Euclidean length of a gradient."""
    return jnp.sqrt(jnp.asarray(sum((part * part).sum() for part in jax.tree.leaves(gradient))))


def normalized(gradient: Tree) -> Tree:
    """Return a gradient of length 1; one of length 0 stays."""
    size = length(gradient)
    return jax.tree.map(lambda part: part / jnp.where(size == 0, 1, size), gradient)


def factor(schedule: str, span: Array, each: Array, iteration: Array) -> Array:
    """Return what a schedule multiplies the learning rate by in an iteration: `bench.model.optimizer` has the terms."""
    now = iteration.astype(span.dtype)
    if schedule == "cosine":
        return (1 + jnp.cos(jnp.pi * jnp.minimum(now / span, 1))) / 2
    if schedule == "step":
        return each ** jnp.floor(now / span)
    return jnp.minimum((now + 1) / span, 1)  # warmup


def step_number(iteration: Array, steps: int, place: Array) -> tuple[Array, Array]:
    """Return the lower and the upper 32 bits of ``iteration * steps + place``, for 2**16 steps at most."""
    upper, lower = iteration.astype(jnp.uint32) >> 16, iteration.astype(jnp.uint32) & 0xFFFF
    first, second = lower * steps + place.astype(jnp.uint32), upper * steps
    low = first + (second << 16)
    return low, (second >> 16) + (low < first)


def threefry(key_0: Array, key_1: Array, counter_0: Array, counter_1: Array) -> tuple[Array, Array]:
    """Return two words for each pair of keys and counter, as `bench.model.threefry.threefry` does.

    JAX's own does not broadcast where only some of the four differ between trainings.
    """
    keys = key_0, key_1, key_0 ^ key_1 ^ PARITY
    x, y = counter_0 + key_0, counter_1 + key_1
    for part in range(5):
        for bits in ROTATIONS[part % 2]:
            x = x + y
            y = (y << bits | y >> (32 - bits)) ^ x
        x, y = x + keys[(part + 1) % 3], y + keys[(part + 2) % 3] + (part + 1)
    return x, y


def normals(seed: Array, number: tuple[Array, Array], size: int, dtype: Any) -> Array:
    """Return standard normal numbers ``[size]``, those of `bench.model.threefry.normals`."""
    first, second = threefry(seed, jnp.arange(-(-size // 2), dtype=jnp.uint32) | NOISE, *number)
    radius = jnp.sqrt(-2 * jnp.log((first >> 9).astype(dtype) * 2.0**-23 + 2.0**-24))
    angle = (second >> 8).astype(dtype) * 2.0**-24 * (2 * jnp.pi)
    return jnp.stack([radius * jnp.cos(angle), radius * jnp.sin(angle)], axis=-1).ravel()[:size]
