"""Kernel for any network and any table, full batch or online.

Shapes: L lanes, B blocks of them, N observations, I inputs, R observations in a tile, P rows of weights. A layer has J
neurons and K inputs, of which the last is always 1: its weight is the bias.
"""

from typing import Any

import numba
import numpy as np

from bench.backends.numba_kernels.arithmetic import RELU, SIGMOID, TANH, activated, slope
from bench.backends.numba_kernels.compiling import COMPILED, INLINE, compiled
from bench.backends.numba_kernels.row_operations import (
    CHECK,
    ROW_BYTES,
    Lanes,
    Task,
    all_solved,
    deltas,
    fixed,
    freeze,
    keep_first,
)
from bench.backends.numba_kernels.vectors import BITS, load, multiply_add, negative, store, unless_zero, zero

PARTS = ROW_BYTES * 8 // BITS  # of a row, each a vector


@numba.njit(**COMPILED)
def weighted_sums(
    C: Any, c: int, A: Any, a: int, W: Any, w: int, j_step: int, k_step: int, J: int, K: int, R: int, count: int
) -> None:
    """Fill ``C[c + j * R + r]``, r below count, with ``A[a + k * R + r] * W[w + j * j_step + k * k_step]`` summed."""
    for part in range(PARTS):
        for j in range(J):
            r = 0
            while r + 4 <= count:  # four at a time, for fewer loads of the weight
                s0 = s1 = s2 = s3 = zero(W)
                for k in range(K):
                    weight, row = load(W, w + j * j_step + k * k_step, part), a + k * R + r
                    s0 = multiply_add(load(A, row, part), weight, s0)
                    s1 = multiply_add(load(A, row + 1, part), weight, s1)
                    s2 = multiply_add(load(A, row + 2, part), weight, s2)
                    s3 = multiply_add(load(A, row + 3, part), weight, s3)
                row = c + j * R + r
                store(C, row, part, s0)
                store(C, row + 1, part, s1)
                store(C, row + 2, part, s2)
                store(C, row + 3, part, s3)
                r += 4
            while r < count:
                total = zero(W)
                for k in range(K):
                    weight = load(W, w + j * j_step + k * k_step, part)
                    total = multiply_add(load(A, a + k * R + r, part), weight, total)
                store(C, c + j * R + r, part, total)
                r += 1


@numba.njit(**INLINE)
def descend_or_keep(
    W: Any, V: Any, G: Any, w: int, part: int, g: Any, down: Any, momentum: Any, moving: bool, last: bool
) -> None:
    """Move a weight down its whole gradient, as torch.optim.SGD does, or keep the part that is known."""
    if not last:
        store(G, w, part, g)
        return
    if moving:
        # without momentum as if there were no velocity: 0 times infinity would be no number
        inertia = load(momentum, 0, part)
        g = unless_zero(inertia, multiply_add(inertia, load(V, w, part), g), g)
        store(V, w, part, g)
    store(W, w, part, multiply_add(down, g, load(W, w, part)))


@numba.njit(**COMPILED)
def add_gradients(
    block: Any,
    moving: bool,
    fresh: bool,
    last: bool,
    A: Any,
    a: int,
    D: Any,
    d: int,
    w: int,
    w_step: int,
    J: int,
    K: int,
    R: int,
    count: int,
) -> None:
    """Add ``A[a + k * R + r] * D[d + j * R + r]``, r below count, to the gradients ``w + j * w_step + k``.

    ``fresh``: they begin here, and are 0. ``last``: they end here, and the weights step down them; where count
    is 0, down what is there.
    """
    W, V, G, rate, momentum = block
    for part in range(PARTS):
        down = negative(load(rate, 0, part))
        for j in range(J):
            first, r = w + j * w_step, 0
            if count == 0:
                for k in range(K):
                    descend_or_keep(W, V, G, first + k, part, load(G, first + k, part), down, momentum, moving, last)
            while r < count:
                g, g_step = (len(W), 0) if fresh and r == 0 else (first, 1)  # below the gradients lies a row of zeros
                row = d + j * R + r
                if r + 4 <= count:
                    d0, d1 = load(D, row, part), load(D, row + 1, part)
                    d2, d3 = load(D, row + 2, part), load(D, row + 3, part)
                    ends = last and r + 4 == count
                    for k in range(K):
                        row = a + k * R + r
                        total = multiply_add(load(A, row, part), d0, load(G, g + k * g_step, part))
                        total = multiply_add(load(A, row + 1, part), d1, total)
                        total = multiply_add(load(A, row + 2, part), d2, total)
                        total = multiply_add(load(A, row + 3, part), d3, total)
                        descend_or_keep(W, V, G, first + k, part, total, down, momentum, moving, ends)
                    r += 4
                else:
                    d0, ends = load(D, row, part), last and r + 1 == count
                    for k in range(K):
                        total = multiply_add(load(A, a + k * R + r, part), d0, load(G, g + k * g_step, part))
                        descend_or_keep(W, V, G, first + k, part, total, down, momentum, moving, ends)
                    r += 1


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
def forward(task: Task, targets: Any, layers: Any, W: Any, R: int, at: int, count: int, A: Any, D: Any) -> None:
    """Fill ``A`` with the outputs of ``count`` observations whose inputs lie there, and in ``D`` the last's slopes."""
    for layer in range(len(layers)):
        K, J, w, before, neuron = layers[layer]
        first = neuron * R + at
        weighted_sums(A, first, A, before * R + at, W, w, K, 1, J, K, R, count)
        for j in range(J):
            for r in range(count):
                if layer + 1 < len(layers):
                    activate(task.activation, A, first + j * R + r)
                else:
                    deltas(A, D, first + r, targets[r], task.loss, task.scale)


@numba.njit(**INLINE)
def backward(
    task: Task, layers: Any, block: Any, fresh: bool, last: bool, R: int, at: int, count: int, A: Any, D: Any
) -> None:
    """Add what ``count`` observations give to the gradients; of ``D`` the last neuron's slopes are given."""
    W = block[0]
    for layer in range(len(layers) - 1, -1, -1):
        K, J, w, before, neuron = layers[layer]
        first, slopes = before * R + at, neuron * R + at
        if layer > 0:
            weighted_sums(D, first, D, slopes, W, w, 1, K, K - 1, J, R, count)
            for k in range(K - 1):
                for r in range(count):
                    deactivate(task.activation, A, D, first + k * R + r)
        trained = K if (task.hidden_bias if layer + 1 < len(layers) else task.output_bias) else K - 1
        add_gradients(block, task.moving, fresh, last, A, first, D, slopes, w, K, J, trained, R, count)


@compiled
def general_kernel(
    start: int,
    end: int,
    task: Task,
    lanes: Lanes,
    layers: Any,
    gradients: Any,
    A: Any,
    D: Any,
    solved: Any,
    correct: Any,
) -> None:
    """Advance all lanes from the predictions of iteration ``start`` (-1: none yet) to those of ``end``.

    Observations are taken in tiles of R. ``layers``: for each K, J, its first row of ``W``, first input, and first
    neuron. ``gradients [B, P + 1, L]`` are kept from one call to the next; below them lies a row of zeros. Scratch:
    ``A, D [neurons * R, L]`` outputs and slopes by logits of a tile, ``solved, correct [L]``.
    """
    X, targets = task.inputs, task.targets
    A, D = fixed(A), fixed(D)
    out = layers[-1, 4]
    R = len(A) // (out + 1)
    tiles = -(-len(targets) // R)
    singles = len(targets) if task.online else 0
    whole = task.online or tiles == 1  # gradients never wait for another tile
    for block in range(len(lanes.weights)):
        W, V, S = fixed(lanes.weights[block]), fixed(lanes.velocities[block]), fixed(lanes.predictions[block])
        G, rate, momentum = fixed(gradients[block]), fixed(lanes.rate[block]), lanes.momentum[block]
        solved_at, correct_at = lanes.solved_at[block], lanes.correct_at[block]
        own = (W, V, G, rate, momentum)
        at = count = 0
        due = start >= 0 and not task.online  # the last call kept the gradients of all observations
        for now in range(start + 1, end + 1):
            if task.stop and now % CHECK == 0 and all_solved(solved_at):
                break
            solved[:] = correct[:] = True
            # online: every observation by itself, each with a step; then, or only, all of them, to be checked
            for piece in range(0 if now > 0 else singles, singles + tiles):
                if due:
                    backward(task, layers, own, whole and count > 0, True, R, at, count, A, D)
                alone = piece < singles
                first = piece if alone else (piece - singles) * R
                at = first % R
                count = 1 if alone else min(R, len(targets) - first)
                if (tiles > 1) | (now == start + 1):  # else they lie there from the iteration before
                    for i in range(X.shape[1]):
                        for r in range(count):
                            for lane in range(A.shape[1]):
                                A[i * R + at + r, lane] = X[first + r, i]
                forward(task, targets[first:], layers, W, R, at, count, A, D)
                due = alone or (not task.online and piece + 1 == tiles and now < end)
                if not (due or task.online):
                    backward(task, layers, own, piece == 0, False, R, at, count, A, D)
                if not alone:
                    for r in range(count):
                        n, row = first + r, out * R + r
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
