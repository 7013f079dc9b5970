"""Steps of all optimizers down gradients that lie in rows of lanes: the formulas of `bench.backends.numpy_steps`.

Shapes: L lanes, P weights of the network in its own order, each with a row of the kernel. Rows as in `row_operations`,
and M: what an optimizer keeps of each weight, its first numbers and after them its second.
"""

import math
from typing import Any, NamedTuple

import numba
import numpy as np

from bench.backends.numba_kernels.arithmetic import select
from bench.backends.numba_kernels.compiling import INLINE
from bench.backends.numba_kernels.random_lanes import two_normal
from bench.backends.numba_kernels.vectors import PARTS, load, multiply_add, negative, store, unless_zero
from bench.model.optimizer import CLIP_GUARD, OPTIMIZERS, SCHEDULES
from bench.model.threefry import NOISE
from bench.model.trial import Trial

KINDS = {name: kind for kind, name in enumerate(OPTIMIZERS)}
SGD, NESTEROV, ADAM, ADAMW = (KINDS[name] for name in ("sgd", "nesterov", "adam", "adamw"))
RMSPROP, ADAGRAD, RPROP, SIGNSGD = (KINDS[name] for name in ("rmsprop", "adagrad", "rprop", "signsgd"))
NORMALIZED, QUICKPROP, DELTA_BAR_DELTA = (KINDS[name] for name in ("normalized", "quickprop", "delta-bar-delta"))
NONE = KINDS["none"]
DIRECT = -1  # no optimizer: each weight steps down its gradient as soon as that is known
SUMS = 3  # rows below the gradients: of zeros, and two for sums
CONSTANT, COSINE, STEP, WARMUP = range(len(SCHEDULES))
ANCHOR = 64  # steps between two powers that are computed anew
NOTHING = 1e-30  # what is taken from 1 without effect; smaller powers would take long


class Rule(NamedTuple):
    """What a step is made of, besides rates and momenta: numbers in the trial's precision, those of time in float64."""

    rows: Any  # [P] of the kernel
    trained: Any  # [P]
    output: int  # the first weight of the output layer
    clip: Any
    noise: Any
    decay: Any
    beta1: Any
    rest1: Any  # 1 - beta1
    beta2: Any
    rest2: Any
    epsilon: Any
    alpha: Any
    rest_alpha: Any
    eta_minus: Any
    eta_plus: Any
    step_min: Any
    step_max: Any
    growth: Any
    limit: Any  # growth / (1 + growth)
    kappa: Any
    phi: Any
    theta: Any
    rest_theta: Any
    schedule: int
    length: float
    factor: float
    power1: float  # beta1 and beta2 again
    power2: float

    @classmethod
    def of(cls, trial: Trial, rows: Any) -> "Rule":
        """Return the rule of a trial whose weights lie in these rows."""
        real = np.dtype(trial.dtype).type
        return cls(
            rows=np.asarray(rows, np.int64),
            trained=trial.trained,
            output=trial.network.layers[-1].weight.start,
            clip=real(trial.clip),
            noise=real(trial.noise),
            decay=real(trial.weight_decay),
            beta1=real(trial.beta1),
            rest1=real(1 - trial.beta1),
            beta2=real(trial.beta2),
            rest2=real(1 - trial.beta2),
            epsilon=real(trial.epsilon),
            alpha=real(trial.alpha),
            rest_alpha=real(1 - trial.alpha),
            eta_minus=real(trial.eta_minus),
            eta_plus=real(trial.eta_plus),
            step_min=real(trial.step_min),
            step_max=real(trial.step_max),
            growth=real(trial.growth),
            limit=real(trial.growth / (1 + trial.growth)),
            kappa=real(trial.kappa),
            phi=real(trial.phi),
            theta=real(trial.theta),
            rest_theta=real(1 - trial.theta),
            schedule=SCHEDULES.index(trial.schedule),
            length=float(trial.schedule_length),
            factor=trial.schedule_factor,
            power1=trial.beta1,
            power2=trial.beta2,
        )


def is_direct(trial: Trial) -> bool:
    """Whether a weight may step down its gradient as soon as that is known: gradient descent, and nothing else."""
    plain = trial.optimizer == "sgd" and trial.schedule == "constant" and trial.frozen == "nothing"
    return plain and not (trial.clip or trial.noise or trial.weight_decay or trial.learning_rate_output)


@numba.njit(**INLINE)
def rate_factor(rule: Rule, iteration: int) -> float:
    """Return what the schedule multiplies the learning rate by, as `bench.model.optimizer.schedule_factors`."""
    if rule.schedule == COSINE:
        return (1.0 + math.cos(math.pi * min(iteration / rule.length, 1.0))) / 2.0
    if rule.schedule == STEP:
        return rule.factor ** math.floor(iteration / rule.length)
    if rule.schedule == WARMUP:
        return min((iteration + 1) / rule.length, 1.0)
    return 1.0


@numba.njit(**INLINE)
def raise_powers(rule: Rule, powers: Any, exponent: int, is_first: bool) -> None:
    """Write beta1 and beta2 to an exponent: from the last, which was one less, unless it ``is_first``.

    Every ANCHOR steps they are computed anew, so that they depend on the exponent alone.
    """
    first = exponent
    if is_first or exponent % ANCHOR == 0:
        first = exponent // ANCHOR * ANCHOR
        powers[0], powers[1] = rule.power1**first, rule.power2**first
        first += 1
    for _ in range(first, exponent + 1):
        powers[0] = powers[0] * rule.power1 if powers[0] > NOTHING else 0.0
        powers[1] = powers[1] * rule.power2 if powers[1] > NOTHING else 0.0


@numba.njit(**INLINE)
def squared_lengths(rule: Rule, G: Any, sums: int) -> None:
    """Write every lane's squared length of the gradient into a row of ``G``."""
    for lane in range(G.shape[1]):
        G[sums, lane] = 0
    for f in range(len(rule.rows)):
        if rule.trained[f]:
            row = rule.rows[f]
            for lane in range(G.shape[1]):
                G[sums, lane] += G[row, lane] * G[row, lane]


@numba.njit(**INLINE)
def add_noise(rule: Rule, G: Any, seed: Any, number: int) -> None:
    """Add normal noise to every gradient: two weights beside each other in the network share a draw."""
    low, high = np.uint32(number & 0xFFFFFFFF), np.uint32(number >> 32)
    weights = len(rule.rows)
    for pair in range((weights + 1) // 2):
        key = np.uint32(NOISE | pair)
        first = rule.rows[2 * pair]
        second = rule.rows[2 * pair + 1] if 2 * pair + 1 < weights else len(G) - 1  # a row that nobody reads
        for lane in range(G.shape[1]):
            one, other = two_normal(rule.noise, seed[lane], key, low, high)
            G[first, lane] += rule.noise * one
            G[second, lane] += rule.noise * other


@numba.njit(**INLINE)
def step_down(W: Any, M: Any, row: int, part: int, g: Any, down: Any, momentum: Any, moving: bool) -> None:
    """Move a part of a weight's lanes down its gradient, as torch.optim.SGD does: LLVM need not find vectors."""
    if moving:
        # without momentum as if there were no velocity: 0 times infinity would be no number
        inertia = load(momentum, 0, part)
        g = unless_zero(inertia, multiply_add(inertia, load(M, row, part), g), g)
        store(M, row, part, g)
    store(W, row, part, multiply_add(down, g, load(W, row, part)))


@numba.njit(**INLINE)
def descend(W: Any, G: Any, M: Any, row: int, rate: Any, momentum: Any, moving: bool) -> None:
    """Move a weight down its gradient."""
    for part in range(PARTS):
        step_down(W, M, row, part, load(G, row, part), negative(load(rate, 0, part)), momentum, moving)


@numba.njit(**INLINE)
def descend_all(rule: Rule, W: Any, G: Any, M: Any, rate: Any, momentum: Any, moving: bool) -> None:
    """Move all weights down their gradients."""
    for f in range(len(rule.rows)):
        descend(W, G, M, rule.rows[f], rate, momentum, moving)


@numba.njit(**INLINE)
def take_step(
    kind: int,
    rule: Rule,
    moving: bool,
    iteration: int,
    number: int,
    is_first: bool,
    powers: Any,
    W: Any,
    G: Any,
    M: Any,
    rate: Any,
    rate_output: Any,
    momentum: Any,
    seed: Any,
) -> None:
    """Move all weights by the step of this number, from 0; a lane whose rate is 0 stands still.

    ``is_first``: the call's first step. ``powers [2]`` and the last two rows of ``G`` are scratch. ``M`` has no rows
    where nothing is ``moving`` and no optimizer but momentum would need them.
    """
    real = type(rule.clip)
    zero, one = real(0), real(1)
    sums = len(G) - 2
    if rule.clip > 0:
        squared_lengths(rule, G, sums)
        for lane in range(G.shape[1]):
            share = rule.clip / (np.sqrt(G[sums, lane]) + real(CLIP_GUARD))
            G[sums, lane] = one if share > one else share  # NaN stays
        for f in range(len(rule.rows)):
            row = rule.rows[f]
            for lane in range(G.shape[1]):
                G[row, lane] *= G[sums, lane]
    if rule.noise > 0:
        add_noise(rule, G, seed, number)
    if rule.decay > 0 and kind != ADAMW:
        for f in range(len(rule.rows)):
            row = rule.rows[f]
            for lane in range(G.shape[1]):
                G[row, lane] += rule.decay * W[row, lane]
    if kind == NORMALIZED:
        squared_lengths(rule, G, sums)
        for lane in range(G.shape[1]):
            length = np.sqrt(G[sums, lane])
            G[sums, lane] = one if length == zero else length
        for f in range(len(rule.rows)):
            row = rule.rows[f]
            for lane in range(G.shape[1]):
                G[row, lane] /= G[sums, lane]
    factor = one if rule.schedule == CONSTANT else real(rate_factor(rule, iteration))
    correction1 = correction2 = one
    if kind in (ADAM, ADAMW):
        raise_powers(rule, powers, number + 1, is_first)
        correction1, correction2 = real(1 - powers[0]), real(math.sqrt(1 - powers[1]))
    for f in range(len(rule.rows)):
        if not rule.trained[f]:
            continue
        row = rule.rows[f]
        second = len(W) + row
        rates = rate_output if f >= rule.output else rate
        if kind == SGD and rule.schedule == CONSTANT:
            descend(W, G, M, row, rates, momentum, moving)
            continue
        for lane in range(W.shape[1]):
            w, g, eta = W[row, lane], G[row, lane], rates[lane] * factor
            new = w
            if kind in (SGD, NESTEROV, SIGNSGD, NORMALIZED):
                velocity = g
                if moving:
                    # without momentum as if there were no velocity: 0 times infinity would be no number
                    inertia = momentum[lane]
                    velocity = select(inertia != zero, inertia * M[row, lane] + g, g)
                    M[row, lane] = velocity
                    if kind == NESTEROV:
                        velocity = select(inertia != zero, g + inertia * velocity, g)
                if kind == SIGNSGD:
                    velocity = sign(velocity)
                new = w - eta * velocity
            elif kind in (ADAM, ADAMW):
                if kind == ADAMW:
                    w *= one - eta * rule.decay
                mean = M[row, lane] + rule.rest1 * (g - M[row, lane])
                square = rule.beta2 * M[second, lane] + rule.rest2 * g * g
                M[row, lane] = mean
                M[second, lane] = square
                root = np.sqrt(square) / correction2 + rule.epsilon
                new = w - eta / correction1 * (mean / root)
            elif kind == RMSPROP:
                square = rule.alpha * M[row, lane] + rule.rest_alpha * g * g
                M[row, lane] = square
                step = g / (np.sqrt(square) + rule.epsilon)
                inertia = momentum[lane]
                step = select(inertia != zero, inertia * M[second, lane] + step, step)
                M[second, lane] = step
                new = w - eta * step
            elif kind == ADAGRAD:
                square = M[row, lane] + g * g
                M[row, lane] = square
                new = w - eta * (g / (np.sqrt(square) + rule.epsilon))
            elif kind == RPROP:
                same = g * M[row, lane]
                size = select(number == 0, eta, M[second, lane])
                size *= select(same > zero, rule.eta_plus, select(same < zero, rule.eta_minus, one))
                size = select(size > rule.step_max, rule.step_max, size)
                size = select(size < rule.step_min, rule.step_min, size)
                g = select(same < zero, zero, g)
                M[row, lane] = g
                M[second, lane] = size
                new = w - sign(g) * size
            elif kind == QUICKPROP:
                step, before = M[row, lane], M[second, lane]
                edge, parabola = rule.limit * before, step * (g / (before - g))
                rises = step > zero
                far = (rises & (g <= edge)) | ((step <= zero) & (g >= edge))
                jump = select(step == zero, zero, select(far, rule.growth * step, parabola))
                leads = (step == zero) | (select(rises, -g, g) > zero)
                step = jump - select(leads, eta * g, zero)
                M[row, lane] = step
                M[second, lane] = g
                new = w + step
            elif kind == DELTA_BAR_DELTA:
                mean, own = M[row, lane], select(number == 0, eta, M[second, lane])
                same = mean * g
                own += select(same > zero, rule.kappa, select(same < zero, -rule.phi * own, zero))
                M[row, lane] = rule.theta * mean + rule.rest_theta * g
                M[second, lane] = own
                new = w - own * g
            # what has stopped stands still, whatever its optimizer remembers
            W[row, lane] = select(rates[lane] != zero, new, W[row, lane])


@numba.njit(**INLINE)
def sign(x: Any) -> Any:
    """Return -1, 0 or 1; what is no number stays so."""
    one = type(x)(1)
    return select(x > type(x)(0), one, select(x < type(x)(0), -one, x))
