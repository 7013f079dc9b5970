"""Kernel for any network and any table, full batch or online.

Shapes: L lanes, B blocks of them, N observations, I inputs, R observations in a tile, P rows of weights.
"""

from typing import Any

import numba
import numpy as np

from bench.backends.numba_kernels.arithmetic import RELU, SIGMOID, TANH, activated, slope
from bench.backends.numba_kernels.compiling import INLINE, compiled
from bench.backends.numba_kernels.row_operations import (
    CHECK,
    Lanes,
    Task,
    clear,
    deltas,
    descend,
    fixed,
    freeze,
    keep_first,
)


@numba.njit(**INLINE)
def products(C: Any, c: int, A: Any, a: int, a_step: int, B: Any, b: int, b_step: int, count: int) -> None:
    """Add to ``C[c]`` the products ``A[a + k * a_step] * B[b + k * b_step]`` for k below count, in order."""
    k = 0
    while k + 4 <= count:  # four at a time, for fewer loads and stores of the sum
        for lane in range(C.shape[1]):
            total = C[c, lane] + A[a, lane] * B[b, lane]
            total += A[a + a_step, lane] * B[b + b_step, lane]
            total += A[a + 2 * a_step, lane] * B[b + 2 * b_step, lane]
            C[c, lane] = total + A[a + 3 * a_step, lane] * B[b + 3 * b_step, lane]
        k, a, b = k + 4, a + 4 * a_step, b + 4 * b_step
    while k < count:
        for lane in range(C.shape[1]):
            C[c, lane] += A[a, lane] * B[b, lane]
        k, a, b = k + 1, a + a_step, b + b_step


@numba.njit(**INLINE)
def activate(kind: int, A: Any, row: int) -> None:
    """Replace a hidden neuron's logits by its outputs."""
    if kind == SIGMOID:
        for lane in range(A.shape[1]):
            A[row, lane] = activated(SIGMOID, A[row, lane])
    elif kind == TANH:
        for lane in range(A.shape[1]):
            A[row, lane] = activated(TANH, A[row, lane])
    else:
        for lane in range(A.shape[1]):
            A[row, lane] = activated(RELU, A[row, lane])


@numba.njit(**INLINE)
def deactivate(kind: int, A: Any, D: Any, row: int) -> None:
    """Multiply the slopes by a hidden neuron's outputs with the activation's, which gives those by its logits."""
    if kind == SIGMOID:
        for lane in range(A.shape[1]):
            D[row, lane] *= slope(SIGMOID, A[row, lane])
    elif kind == TANH:
        for lane in range(A.shape[1]):
            D[row, lane] *= slope(TANH, A[row, lane])
    else:
        for lane in range(A.shape[1]):
            D[row, lane] *= slope(RELU, A[row, lane])


@numba.njit(**INLINE)
def forward(task: Task, targets: Any, layers: Any, W: Any, tile: int, count: int, A: Any, D: Any) -> None:
    """Fill ``A`` with the outputs of ``count`` observations whose inputs lie there, and in ``D`` the last's slopes."""
    for k in range(len(layers)):
        fan_in, fan_out, weight, before, neuron = layers[k]
        for o in range(fan_out):
            for r in range(count):
                row = (neuron + o) * tile + r
                clear(A, row)
                products(A, row, A, before * tile + r, tile, W, weight + o, fan_out, fan_in)
                if k + 1 < len(layers):
                    activate(task.activation, A, row)
                else:
                    deltas(A, D, row, targets[r], task.loss, task.scale)


@numba.njit(**INLINE)
def backward(task: Task, layers: Any, W: Any, tile: int, count: int, A: Any, D: Any, G: Any) -> None:
    """Add the gradients of ``count`` observations to ``G``; of ``D`` the last neuron's slopes are given."""
    for k in range(len(layers) - 1, -1, -1):
        fan_in, fan_out, weight, before, neuron = layers[k]
        for i in range(fan_in):
            for o in range(fan_out):
                products(G, weight + i * fan_out + o, A, (before + i) * tile, 1, D, (neuron + o) * tile, 1, count)
        for i in range(fan_in - 1 if k > 0 else 0):
            for r in range(count):
                row = (before + i) * tile + r
                clear(D, row)
                products(D, row, D, neuron * tile + r, tile, W, weight + i * fan_out, 1, fan_out)
                deactivate(task.activation, A, D, row)


@numba.njit(**INLINE)
def step(task: Task, trained: Any, W: Any, V: Any, G: Any, rate: Any, momentum: Any) -> None:
    """Move all weights down their gradients, and clear these."""
    for p in range(len(W)):
        if trained[p]:
            if task.moving:
                for lane in range(W.shape[1]):
                    descend(W, V, p, G[p, lane], lane, rate, momentum, True)
            else:
                for lane in range(W.shape[1]):
                    descend(W, V, p, G[p, lane], lane, rate, momentum, False)
        clear(G, p)


@compiled
def general_kernel(
    start: int,
    end: int,
    task: Task,
    lanes: Lanes,
    layers: Any,
    trained: Any,
    gradients: Any,
    A: Any,
    D: Any,
    solved: Any,
    correct: Any,
) -> None:
    """Advance all lanes from the predictions of iteration ``start`` (-1: none yet) to those of ``end``.

    Observations are taken in tiles of R. A layer's inputs are the neurons before it and, last, one that is always 1,
    whose weight is the bias. ``layers``: for each its fan_in with that, fan_out, first row of ``W``, first input, and
    first neuron. ``trained [P]``: which rows are no missing bias. ``gradients [B, P, L]`` are kept from one call to
    the next. ``A, D [neurons * R, L]``: outputs and slopes by logits of a tile; ``solved, correct [L]``: scratch too.
    """
    X, targets = task.inputs, task.targets
    A, D = fixed(A), fixed(D)
    out = layers[-1, 4]
    tile = len(A) // (out + 1)
    tiles = -(-len(targets) // tile)
    singles = len(targets) if task.online else 0
    for block in range(len(lanes.weights)):
        W, V, S = fixed(lanes.weights[block]), fixed(lanes.velocities[block]), fixed(lanes.predictions[block])
        G = fixed(gradients[block])
        rate, momentum = lanes.rate[block], lanes.momentum[block]
        solved_at, correct_at = lanes.solved_at[block], lanes.correct_at[block]
        due = start >= 0 and not task.online
        for now in range(start + 1, end + 1):
            if task.stop and now % CHECK == 0 and solved_at.min() >= 0:
                break
            solved[:] = correct[:] = True
            # online: every observation by itself, each with a step; then, or only, all of them, to be checked
            for piece in range(0 if now > 0 else singles, singles + tiles):
                if due:
                    step(task, trained, W, V, G, rate, momentum)
                alone = piece < singles
                first = piece if alone else (piece - singles) * tile
                count = 1 if alone else min(tile, len(targets) - first)
                if singles + tiles > 1 or now <= start + 1:  # else they lie there from the iteration before
                    for i in range(X.shape[1]):
                        for r in range(count):
                            for lane in range(A.shape[1]):
                                A[i * tile + r, lane] = X[first + r, i]
                forward(task, targets[first:], layers, W, tile, count, A, D)
                if alone or not task.online:
                    backward(task, layers, W, tile, count, A, D, G)
                due = alone or (not task.online and piece + 1 == tiles)
                if not alone:
                    for r in range(count):
                        n, row = first + r, out * tile + r
                        for lane in range(A.shape[1]):
                            p = A[row, lane]
                            S[n, lane] = p
                            solved[lane] &= abs(p - targets[n]) <= task.tolerance
                            correct[lane] &= (p >= task.lowest[n]) & (p <= task.highest[n])
            iteration = np.int32(now)
            for lane in range(A.shape[1]):
                keep_first(solved[lane], correct[lane], iteration, solved_at, correct_at, lane)
            if task.stop:
                freeze(rate, solved_at, type(task.scale)(0))
