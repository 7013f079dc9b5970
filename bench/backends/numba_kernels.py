"""Compiled kernels: trainings side by side, each in its own SIMD lane. The only file that imports Numba.

Shapes: L lanes (a multiple of LANES, the last axis of every array), N observations, I inputs, H hidden neurons, P rows
of weights in the flat order of `Network` with every bias, R observations in a tile.

A lane goes through the same instructions wherever it lies and whatever lies beside it, so its numbers do not depend
on the batch: loops over lanes have no remainder, and the compiler may fuse a multiplication with an addition but not
reorder sums. Numba types a literal as float64 and would widen float32 with it: hence ``real(1)``.
"""

import logging
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import llvmlite.binding as llvm
import numpy as np
import numba
from llvmlite import ir
from numba import config, types
from numba.extending import intrinsic, overload

from bench.problem.loss import SLOPE_FLOOR

LANES = 64  # vectors of 16 float32, four in flight
SIGMOID, TANH, RELU = ACTIVATIONS = (0, 1, 2)
MSE, L1, BCE, HUBER = (0, 1, 2, 3)
CHECK = 64  # iterations between two looks at whether every lane has stopped
FLAGS = {"contract", "nsz", "arcp"}  # no nnan: a diverged lane must stay so; no reassoc: sums keep their order
INLINE = {"forceinline": True, "fastmath": FLAGS, "error_model": "numpy"}


def wide_vectors() -> None:
    """Let LLVM use 512-bit vectors where the processor has them: for some it prefers half of that."""
    if config.CPU_FEATURES is None and config.CPU_NAME is None:
        config.CPU_NAME = llvm.get_host_cpu_name()
        config.CPU_FEATURES = f"{llvm.get_host_cpu_features().flatten()},-prefer-256-bit"


wide_vectors()


def compiled(function: Callable[..., Any]) -> Any:
    """Return the function compiled when first called, its code kept on disk where there is a place to write."""
    options: dict[str, Any] = {"nogil": True, "fastmath": FLAGS, "error_model": "numpy"}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # Numba found no folder that it may write to
        logging.getLogger(__name__).info("compiled code cannot be kept on disk: every process compiles anew")
        return numba.njit(**options)(function)


class Rules(NamedTuple):
    """What is the same for all trainings and all observations."""

    loss: int
    scale: Any  # 1 / N for the mean over the observations, 1 for the sum
    tolerance: Any
    hidden_bias: bool
    output_bias: bool
    moving: bool  # some momentum is not zero
    online: bool
    stop: bool


class Table(NamedTuple):
    """What is learned: ``inputs [N, I]``, ``targets [N]``, and between which predictions ``[N]`` one is correct."""

    inputs: Any
    targets: Any
    lowest: Any
    highest: Any


class Lanes(NamedTuple):
    """Trainings in B blocks of lanes: weights and velocities ``[B, P, L]``, predictions ``[B, N, L]``, else ``[B, L]``."""

    weights: Any
    velocities: Any
    rate: Any
    momentum: Any
    predictions: Any
    solved_at: Any
    correct_at: Any


# ------------------------------------------------------------------ functions of one number


@intrinsic
def power_of_two(_context: Any, t: Any) -> Any:
    """Return 2**k of the float k + 1.5 * 2**(bits of the mantissa), by moving its last bits into the exponent."""

    def generate(_: Any, builder: Any, _signature: Any, args: Any) -> Any:
        bits, mantissa, one = (32, 23, 0x3F800000) if t == types.float32 else (64, 52, 0x3FF0000000000000)
        whole = ir.IntType(bits)
        moved = builder.shl(builder.bitcast(args[0], whole), ir.Constant(whole, mantissa))
        return builder.bitcast(builder.add(moved, ir.Constant(whole, one)), args[0].type)

    return t(t), generate


def exponential(x: Any) -> tuple[Any, Any, Any]:
    """Return ``(power, even, odd)`` with e**x = power * (even + odd) / (even - odd).

    The power is infinite where e**x would overflow.
    """
    raise AssertionError("only compiled code calls this")


def _exponential32(x: Any) -> tuple[Any, Any, Any]:
    """Reduce to |r| <= log(2) / 2; tanh(r / 2) by Lambert's continued fraction (1768), to 2e-8 with three terms."""
    real = type(x)
    x = real(89) if x > real(89) else x
    x = real(-87) if x < real(-87) else x
    t = x * real(1.4426950408889634) + real(12582912.0)  # adding 1.5 * 2**23 rounds to a whole number
    r = x - (t - real(12582912.0)) * real(0.6931471805599453)
    square = r * r
    odd = r * (real(0.5) + square * real(1 / 120))
    even = real(1) + square * real(0.1)
    return power_of_two(t), even, odd


def _exponential64(x: Any) -> tuple[Any, Any, Any]:
    """Reduce to |r| <= log(2) / 2; the rational function is that of Cephes' exp (Moshier 1989)."""
    real = type(x)
    x = real(710) if x > real(710) else x
    x = real(-708) if x < real(-708) else x
    t = x * real(1.4426950408889634073599) + real(6755399441055744.0)  # 1.5 * 2**52
    k = t - real(6755399441055744.0)
    r = (x - k * real(6.93145751953125e-1)) - k * real(1.42860682030941723212e-6)
    square = r * r
    odd = r * (
        (real(1.26177193074810590878e-4) * square + real(3.02994407707441961300e-2)) * square
        + real(9.99999999999999999910e-1)
    )
    even = (
        (real(3.00198505138664455042e-6) * square + real(2.52448340349684104192e-3)) * square
        + real(2.27265548208155028766e-1)
    ) * square + real(2.0)
    return power_of_two(t), even, odd


@overload(exponential, jit_options=INLINE)
def _exponential(x: Any) -> Callable[..., Any]:
    return _exponential32 if x == types.float32 else _exponential64


@numba.njit(**INLINE)
def sigmoid(z: Any) -> Any:
    """Return 1 / (1 + e**-z); 0 where that is smaller than any normal number."""
    power, even, odd = exponential(-z)
    low = even - odd
    return low / (low + power * (even + odd))


@numba.njit(**INLINE)
def tanh(z: Any) -> Any:
    """Return the hyperbolic tangent, its last digits right near 0 too: no difference of near numbers is taken."""
    real = type(z)
    x = z + z
    x = real(40) if x > real(40) else x
    x = real(-40) if x < real(-40) else x
    power, even, odd = exponential(x)
    more, less = power + real(1), power - real(1)
    return (less * even + more * odd) / (more * even + less * odd)


@numba.njit(**INLINE)
def activated(kind: int, z: Any) -> Any:
    """Return a hidden neuron's output."""
    if kind == SIGMOID:
        return sigmoid(z)
    if kind == TANH:
        return tanh(z)
    zero = type(z)(0)
    return zero if z < zero else z  # NaN stays


@numba.njit(**INLINE)
def slope(kind: int, a: Any) -> Any:
    """Return a hidden neuron's slope in terms of its output."""
    real = type(a)
    if kind == SIGMOID:
        return a * (real(1) - a)
    if kind == TANH:
        return real(1) - a * a
    return real(1) if a > real(0) else real(0)


# ------------------------------------------------------------------ over all lanes


@numba.njit(**INLINE)
def lanes_of(rows: Any) -> int:
    """Return the number of lanes, in a form that shows the compiler that loops over them have no remainder."""
    return rows.shape[1] // LANES * LANES


@numba.njit(**INLINE)
def deltas(S: Any, D: Any, n: int, target: Any, loss: int, scale: Any) -> None:
    """Replace the logits ``S[n]`` by predictions, and write the loss's slopes by the logits into ``D[n]``."""
    real = type(target)
    one = real(1)
    floor = real(SLOPE_FLOOR)
    for l in range(lanes_of(S)):
        S[n, l] = sigmoid(S[n, l])
    if loss == MSE:
        for l in range(lanes_of(S)):
            p = S[n, l]
            D[n, l] = (scale + scale) * (p - target) * (p * (one - p))
    elif loss == L1:
        for l in range(lanes_of(S)):
            p = S[n, l]
            sign = one if p > target else (-one if p < target else real(0))
            D[n, l] = scale * sign * (p * (one - p))
    elif loss == BCE:
        for l in range(lanes_of(S)):
            p = S[n, l]
            q = p * (one - p)
            D[n, l] = scale * (p - target) * (one if q >= floor else q / floor)
    else:
        for l in range(lanes_of(S)):
            p = S[n, l]
            e = p - target
            e = one if e > one else (-one if e < -one else e)
            D[n, l] = scale * e * (p * (one - p))


@numba.njit(**INLINE)
def clear(rows: Any, row: int) -> None:
    """Set a row to zero."""
    for l in range(lanes_of(rows)):
        rows[row, l] = 0


@numba.njit(**INLINE)
def descend(W: Any, V: Any, w: int, g: Any, l: int, rate: Any, momentum: Any, moving: bool) -> None:
    """Move one weight of one lane down its gradient, as torch.optim.SGD does."""
    if moving:
        g = momentum[l] * V[w, l] + g
        V[w, l] = g
    W[w, l] -= rate[l] * g


@numba.njit(**INLINE)
def note(close: Any, right: Any, iteration: Any, solved_at: Any, correct_at: Any, l: int) -> None:
    """Note in one lane the first iteration that solves the gate, and the first that is correct."""
    solved_at[l] = iteration if close & (solved_at[l] < 0) else solved_at[l]
    correct_at[l] = iteration if right & (correct_at[l] < 0) else correct_at[l]


@numba.njit(**INLINE)
def hold(rate: Any, solved_at: Any, zero: Any) -> None:
    """Hold every lane that has solved its gate where it is."""
    for l in range(len(rate) // LANES * LANES):
        rate[l] = rate[l] if solved_at[l] < 0 else zero


@numba.njit(**INLINE)
def add_products(C: Any, c: int, A: Any, a: int, a_step: int, B: Any, b: int, b_step: int, count: int) -> None:
    """Add ``A[a + k * a_step] * B[b + k * b_step]`` for k below ``count`` to ``C[c]``, in order, four at a time."""
    k = 0
    while k + 4 <= count:
        a0, a1, a2, a3 = a + k * a_step, a + (k + 1) * a_step, a + (k + 2) * a_step, a + (k + 3) * a_step
        b0, b1, b2, b3 = b + k * b_step, b + (k + 1) * b_step, b + (k + 2) * b_step, b + (k + 3) * b_step
        for l in range(lanes_of(C)):
            total = C[c, l] + A[a0, l] * B[b0, l]
            total += A[a1, l] * B[b1, l]
            total += A[a2, l] * B[b2, l]
            C[c, l] = total + A[a3, l] * B[b3, l]
        k += 4
    while k < count:
        for l in range(lanes_of(C)):
            C[c, l] += A[a + k * a_step, l] * B[b + k * b_step, l]
        k += 1


@numba.njit(**INLINE)
def add_scaled(C: Any, c: int, x: Any, B: Any, b: int, b_step: int) -> None:
    """Add ``x[k] * B[b + k * b_step]`` for every k to ``C[c]``, in order, four at a time."""
    k = 0
    while k + 4 <= len(x):
        x0, x1, x2, x3 = x[k], x[k + 1], x[k + 2], x[k + 3]
        b0, b1, b2, b3 = b + k * b_step, b + (k + 1) * b_step, b + (k + 2) * b_step, b + (k + 3) * b_step
        for l in range(lanes_of(C)):
            total = C[c, l] + x0 * B[b0, l]
            total += x1 * B[b1, l]
            total += x2 * B[b2, l]
            C[c, l] = total + x3 * B[b3, l]
        k += 4
    while k < len(x):
        x0, b0 = x[k], b + k * b_step
        for l in range(lanes_of(C)):
            C[c, l] += x0 * B[b0, l]
        k += 1


# ------------------------------------------------------------------ one hidden layer, few observations


@cache
def shallow(inputs: int, observations: int, activation: int, moving: bool) -> Any:
    """Return the kernel for one hidden layer of any size: three passes per iteration, their sums in registers.

    The sizes are constants of the compilation: loops over inputs and observations are unrolled within a lane.
    """

    @compiled
    def advance(start: int, end: int, rules: Rules, table: Table, lanes: Lanes, outputs: Any, slopes: Any) -> None:
        """Go on from the predictions of iteration ``start`` (-1: there are none yet) to those of ``end``.

        ``outputs [B, H * N, L]`` of the hidden neurons and ``slopes [B, N, L]`` of the loss by the output's logit are
        kept from one call to the next.
        """
        X, targets = table.inputs, table.targets
        zero = type(rules.scale)(0)
        hidden = outputs.shape[1] // observations
        b1 = inputs * hidden
        w2 = b1 + hidden
        b2 = w2 + hidden
        for block in range(len(lanes.weights)):
            W, V, S = lanes.weights[block], lanes.velocities[block], lanes.predictions[block]
            A, D = outputs[block], slopes[block]
            rate, momentum = lanes.rate[block], lanes.momentum[block]
            solved_at, correct_at = lanes.solved_at[block], lanes.correct_at[block]
            for now in range(start + 1, end + 1):
                if rules.stop and now % CHECK == 0 and solved_at.min() >= 0:
                    break
                if now > 0:
                    if rules.output_bias:
                        for l in range(lanes_of(W)):
                            by_bias = zero
                            for n in range(observations):
                                by_bias += D[n, l]
                            descend(W, V, b2, by_bias, l, rate, momentum, moving)
                    for h in range(hidden):
                        for l in range(lanes_of(W)):
                            w = W[w2 + h, l]
                            by_weight = by_bias = by_0 = by_1 = by_2 = by_3 = zero
                            for n in range(observations):
                                a = A[h * observations + n, l]
                                by_weight += a * D[n, l]
                                d = D[n, l] * w * slope(activation, a)
                                by_bias += d
                                by_0 += d * X[n, 0]
                                if inputs > 1:
                                    by_1 += d * X[n, 1]
                                if inputs > 2:
                                    by_2 += d * X[n, 2]
                                if inputs > 3:
                                    by_3 += d * X[n, 3]
                            descend(W, V, w2 + h, by_weight, l, rate, momentum, moving)
                            if rules.hidden_bias:
                                descend(W, V, b1 + h, by_bias, l, rate, momentum, moving)
                            descend(W, V, h, by_0, l, rate, momentum, moving)
                            if inputs > 1:
                                descend(W, V, hidden + h, by_1, l, rate, momentum, moving)
                            if inputs > 2:
                                descend(W, V, 2 * hidden + h, by_2, l, rate, momentum, moving)
                            if inputs > 3:
                                descend(W, V, 3 * hidden + h, by_3, l, rate, momentum, moving)
                for h in range(hidden):
                    for n in range(observations):
                        for l in range(lanes_of(W)):
                            z = W[b1 + h, l]
                            for i in range(inputs):
                                z += W[i * hidden + h, l] * X[n, i]
                            a = activated(activation, z)
                            A[h * observations + n, l] = a
                            S[n, l] = a * W[w2 + h, l] + (W[b2, l] if h == 0 else S[n, l])
                for n in range(observations):
                    deltas(S, D, n, targets[n], rules.loss, rules.scale)
                iteration = np.int32(now)
                for l in range(lanes_of(W)):
                    close = right = True
                    for n in range(observations):
                        close &= abs(S[n, l] - targets[n]) <= rules.tolerance
                        right &= (S[n, l] >= table.lowest[n]) & (S[n, l] <= table.highest[n])
                    note(close, right, iteration, solved_at, correct_at, l)
                if rules.stop:
                    hold(rate, solved_at, zero)

    return advance


# ------------------------------------------------------------------ any network, any table


@numba.njit(nogil=True, fastmath=FLAGS, error_model="numpy")
def forward(layers: Any, activation: int, W: Any, X: Any, first: int, count: int, tile: int, A: Any) -> None:
    """Fill ``A [neurons * R, L]`` with the outputs of ``count`` observations from ``first``; the last are logits."""
    for k in range(len(layers)):
        fan_in, fan_out, weight, bias, neuron = layers[k]
        before = neuron - fan_in
        for o in range(fan_out):
            for r in range(count):
                row = (neuron + o) * tile + r
                for l in range(lanes_of(A)):
                    A[row, l] = W[bias + o, l]
                if k == 0:
                    add_scaled(A, row, X[first + r], W, weight + o, fan_out)
                else:
                    add_products(A, row, A, before * tile + r, tile, W, weight + o, fan_out, fan_in)
                if k + 1 < len(layers):
                    for l in range(lanes_of(A)):
                        A[row, l] = activated(activation, A[row, l])


@numba.njit(nogil=True, fastmath=FLAGS, error_model="numpy")
def backward(
    layers: Any, activation: int, W: Any, X: Any, first: int, count: int, tile: int, A: Any, D: Any, G: Any
) -> None:
    """Add the gradients of ``count`` observations to ``G [P, L]``; of ``D`` the output's slopes are given."""
    for k in range(len(layers) - 1, -1, -1):
        fan_in, fan_out, weight, bias, neuron = layers[k]
        before = neuron - fan_in
        for o in range(fan_out):
            row = (neuron + o) * tile
            for i in range(fan_in):
                if k == 0:
                    add_scaled(G, weight + i * fan_out + o, X[first : first + count, i], D, row, 1)
                else:
                    add_products(G, weight + i * fan_out + o, A, (before + i) * tile, 1, D, row, 1, count)
            for r in range(count):
                for l in range(lanes_of(G)):
                    G[bias + o, l] += D[row + r, l]
        for row in range(before * tile, neuron * tile if k > 0 else before * tile):
            i, r = divmod(row - before * tile, tile)
            if r < count:
                clear(D, row)
                add_products(D, row, D, neuron * tile + r, tile, W, weight + i * fan_out, 1, fan_out)
                for l in range(lanes_of(D)):
                    D[row, l] *= slope(activation, A[row, l])


@numba.njit(nogil=True, fastmath=FLAGS, error_model="numpy")
def step(trained: Any, moving: bool, W: Any, V: Any, G: Any, rate: Any, momentum: Any) -> None:
    """Move all weights down their gradients, and clear these."""
    for p in range(len(W)):
        if trained[p]:
            for l in range(lanes_of(W)):
                descend(W, V, p, G[p, l], l, rate, momentum, moving)
        clear(G, p)


@cache
def deep(activation: int) -> Any:
    """Return the kernel for any network and table, in tiles of observations, full batch or online."""

    @compiled
    def advance(
        start: int,
        end: int,
        rules: Rules,
        table: Table,
        lanes: Lanes,
        layers: Any,
        trained: Any,
        gradients: Any,
        A: Any,
        D: Any,
        close: Any,
        right: Any,
    ) -> None:
        """Go on from the predictions of iteration ``start`` (-1: there are none yet) to those of ``end``.

        ``layers``: for each its fan_in, fan_out, the first rows of its weight and bias, and its first neuron.
        ``trained [P]``: which rows are no missing bias. ``gradients [B, P, L]`` are kept from one call to the next.
        ``A, D [neurons * R, L]``: outputs, and slopes by logits, of a tile; ``close, right [L]``: scratch too.
        """
        X, targets = table.inputs, table.targets
        tile = len(A) // (layers[-1, 4] + 1)
        out = layers[-1, 4] * tile
        for block in range(len(lanes.weights)):
            W, V, G, S = lanes.weights[block], lanes.velocities[block], gradients[block], lanes.predictions[block]
            rate, momentum = lanes.rate[block], lanes.momentum[block]
            solved_at, correct_at = lanes.solved_at[block], lanes.correct_at[block]
            for now in range(start + 1, end + 1):
                if rules.stop and now % CHECK == 0 and solved_at.min() >= 0:
                    break
                if now > 0 and not rules.online:
                    step(trained, rules.moving, W, V, G, rate, momentum)
                for n in range(len(targets) if now > 0 and rules.online else 0):
                    forward(layers, activation, W, X, n, 1, tile, A)
                    deltas(A, D, out, targets[n], rules.loss, rules.scale)
                    backward(layers, activation, W, X, n, 1, tile, A, D, G)
                    step(trained, rules.moving, W, V, G, rate, momentum)
                close[:] = right[:] = True
                for first in range(0, len(targets), tile):
                    count = min(tile, len(targets) - first)
                    forward(layers, activation, W, X, first, count, tile, A)
                    for r in range(count):
                        n, row = first + r, out + r
                        deltas(A, D, row, targets[n], rules.loss, rules.scale)
                        for l in range(lanes_of(A)):
                            p = A[row, l]
                            S[n, l] = p
                            close[l] &= abs(p - targets[n]) <= rules.tolerance
                            right[l] &= (p >= table.lowest[n]) & (p <= table.highest[n])
                    if not rules.online:
                        backward(layers, activation, W, X, first, count, tile, A, D, G)
                iteration = np.int32(now)
                for l in range(lanes_of(W)):
                    note(close[l], right[l], iteration, solved_at, correct_at, l)
                if rules.stop:
                    hold(rate, solved_at, type(rules.scale)(0))

    return advance
