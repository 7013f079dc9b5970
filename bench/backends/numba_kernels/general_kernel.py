"""Kernel for any network, any table, any optimizer: full batch, or one batch of observations after the other.

Shapes: L lanes, B blocks of them, N observations, I inputs, O outputs, R observations in a tile, P rows of weights. A
layer has J neurons and K inputs, of which the last is always 1: its weight is the bias.
"""

from functools import cache
from typing import Any

import numba
import numpy as np

from bench.backends.numba_kernels.arithmetic import RELU, SIGMOID, SYMMETRIC, TANH, activated, slope
from bench.backends.numba_kernels.compiling import COMPILED, INLINE, compiled
from bench.backends.numba_kernels.random_lanes import uniform, word
from bench.backends.numba_kernels.row_operations import (
    BY_LOSS,
    CHECK,
    Lanes,
    Task,
    add_losses,
    all_solved,
    fixed,
    freeze,
    judge,
    keep_first,
    slopes,
)
from bench.backends.numba_kernels.steps import DIRECT, NONE, SUMS, Rule, descend_all, step_down, take_step
from bench.backends.numba_kernels.vectors import PARTS, load, multiply_add, negative, store, zero
from bench.model.threefry import DROPOUT, LABELS, NEURON, ORDER

NEVER, ONCE, ALWAYS = range(3)  # observations are shuffled


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


@numba.njit(**COMPILED)
def add_gradients(
    block: Any,
    moving: bool,
    fresh: bool,
    descends: bool,
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

    ``fresh``: they begin here, and are 0. ``descends``: they end here, and the weights step down them at once.
    """
    W, M, G, rate, momentum = block
    for part in range(PARTS):
        down = negative(load(rate, 0, part))
        for j in range(J):
            first, r = w + j * w_step, 0
            while r < count:
                g, g_step = (len(G) - SUMS, 0) if fresh and r == 0 else (first, 1)  # below them lies a row of zeros
                row = d + j * R + r
                if r + 4 <= count:
                    d0, d1 = load(D, row, part), load(D, row + 1, part)
                    d2, d3 = load(D, row + 2, part), load(D, row + 3, part)
                    ends = descends and r + 4 == count
                    for k in range(K):
                        row = a + k * R + r
                        total = multiply_add(load(A, row, part), d0, load(G, g + k * g_step, part))
                        total = multiply_add(load(A, row + 1, part), d1, total)
                        total = multiply_add(load(A, row + 2, part), d2, total)
                        total = multiply_add(load(A, row + 3, part), d3, total)
                        descend_or_keep(W, M, G, first + k, part, total, down, momentum, moving, ends)
                    r += 4
                else:
                    d0, ends = load(D, row, part), descends and r + 1 == count
                    for k in range(K):
                        total = multiply_add(load(A, a + k * R + r, part), d0, load(G, g + k * g_step, part))
                        descend_or_keep(W, M, G, first + k, part, total, down, momentum, moving, ends)
                    r += 1


@numba.njit(**INLINE)
def descend_or_keep(
    W: Any, M: Any, G: Any, w: int, part: int, g: Any, down: Any, momentum: Any, moving: bool, ends: bool
) -> None:
    """Move a weight down its whole gradient, or keep the part that is known."""
    if ends:
        step_down(W, M, w, part, g, down, momentum, moving)
    else:
        store(G, w, part, g)


@numba.njit(**INLINE)
def activate(kind: int, A: Any, row: int) -> None:
    """Replace a neuron's logits by its outputs."""
    if kind == SIGMOID:
        for lane in range(A.shape[1]):
            A[row, lane] = activated(SIGMOID, A[row, lane])
    elif kind == TANH:
        for lane in range(A.shape[1]):
            A[row, lane] = activated(TANH, A[row, lane])
    elif kind == RELU:
        for lane in range(A.shape[1]):
            A[row, lane] = activated(RELU, A[row, lane])
    elif kind == SYMMETRIC:
        for lane in range(A.shape[1]):
            A[row, lane] = activated(SYMMETRIC, A[row, lane])


@numba.njit(**INLINE)
def deactivate(task: Task, A: Any, D: Any, row: int, kept: Any, dropping: bool) -> None:
    """Multiply the slopes by a hidden neuron's outputs with the activation's, which gives those by its logits."""
    kind, offset = task.activation, task.offset
    if dropping:
        for lane in range(A.shape[1]):
            a, factor = A[row, lane] / task.enlarged, kept[row, lane]  # as it was before it was made larger
            if kind == SIGMOID:
                D[row, lane] *= (slope(SIGMOID, a) + offset) * factor
            elif kind == TANH:
                D[row, lane] *= (slope(TANH, a) + offset) * factor
            elif kind == RELU:
                D[row, lane] *= (slope(RELU, a) + offset) * factor
            else:
                D[row, lane] *= (slope(SYMMETRIC, a) + offset) * factor
    elif kind == SIGMOID:
        for lane in range(A.shape[1]):
            D[row, lane] *= slope(SIGMOID, A[row, lane]) + offset
    elif kind == TANH:
        for lane in range(A.shape[1]):
            D[row, lane] *= slope(TANH, A[row, lane]) + offset
    elif kind == RELU:
        for lane in range(A.shape[1]):
            D[row, lane] *= slope(RELU, A[row, lane]) + offset
    else:
        for lane in range(A.shape[1]):
            D[row, lane] *= slope(SYMMETRIC, A[row, lane]) + offset


@numba.njit(**INLINE)
def load_tile(task: Task, A: Any, T: Any, shortcut: int, R: int, first: int, count: int) -> None:
    """Put so many observations from the first on into a tile, the same in every lane."""
    X, outputs = task.inputs, len(task.targets) // len(task.inputs)
    for r in range(count):
        for i in range(X.shape[1]):
            for lane in range(A.shape[1]):
                A[i * R + r, lane] = X[first + r, i]
            if shortcut > 0:
                for lane in range(A.shape[1]):
                    A[(shortcut + i) * R + r, lane] = X[first + r, i]
        for j in range(outputs):
            for lane in range(A.shape[1]):
                T[r * outputs + j, lane] = task.targets[(first + r) * outputs + j]


@numba.njit(**INLINE)
def load_ordered(task: Task, A: Any, T: Any, order: Any, shortcut: int, R: int, first: int, count: int) -> None:
    """Put observations from the first place of every lane's own order on into a tile."""
    X, outputs = task.inputs, len(task.targets) // len(task.inputs)
    for r in range(count):
        for lane in range(A.shape[1]):
            n = order[first + r, lane]
            for i in range(X.shape[1]):
                A[i * R + r, lane] = X[n, i]
                if shortcut > 0:
                    A[(shortcut + i) * R + r, lane] = X[n, i]
            for j in range(outputs):
                T[r * outputs + j, lane] = task.targets[n * outputs + j]


@numba.njit(**INLINE)
def flip_labels(task: Task, T: Any, at: int, order: Any, seed: Any, number: int, first: int, count: int) -> None:
    """Replace some targets of a tile by the other one."""
    low, high = np.uint32(number & 0xFFFFFFFF), np.uint32(number >> 32)
    outputs = len(task.targets) // len(task.inputs)
    for r in range(count):
        for j in range(outputs):
            if task.shuffle == NEVER:
                place = (first + r) * outputs + j
                target, key = task.targets[place], np.uint32(LABELS | place)
                other = task.both - target
                for lane in range(T.shape[1]):
                    drawn = uniform(task.flips, seed[lane], key, low, high)
                    T[(at + r) * outputs + j, lane] = other if drawn < task.flips else target
                continue
            for lane in range(T.shape[1]):
                place = order[first + r, lane] * outputs + j
                drawn = uniform(task.flips, seed[lane], np.uint32(LABELS | place), low, high)
                target = task.targets[place]
                T[(at + r) * outputs + j, lane] = task.both - target if drawn < task.flips else target


@numba.njit(**INLINE)
def shuffle(order: Any, seed: Any, iteration: int) -> None:
    """Draw an order of all observations for every lane."""
    low, high = np.uint32(iteration & 0xFFFFFFFF), np.uint32(iteration >> 32)
    observations = len(order) - 1  # the last row is for what is drawn
    for n in range(observations):
        for lane in range(order.shape[1]):
            order[n, lane] = n
    for last in range(observations - 1, 0, -1):
        key, size = np.uint32(ORDER | last), np.uint64(last + 1)
        for lane in range(order.shape[1]):
            drawn = np.uint64(word(seed[lane], key, low, high))
            order[observations, lane] = np.int32((drawn * size) >> np.uint64(32))
        for lane in range(order.shape[1]):
            other = order[observations, lane]
            order[last, lane], order[other, lane] = order[other, lane], order[last, lane]


@numba.njit(**INLINE)
def drop(task: Task, A: Any, kept: Any, row: int, order: Any, seed: Any, number: int, neuron: int, place: int) -> None:
    """Set a hidden neuron's outputs to 0 in some lanes, and make the others larger."""
    low, high = np.uint32(number & 0xFFFFFFFF), np.uint32(number >> 32)
    for lane in range(A.shape[1]):
        key = np.uint32(DROPOUT | (neuron << NEURON) | order[place, lane])
        drawn = uniform(task.dropout, seed[lane], key, low, high)
        factor = task.enlarged if drawn >= task.dropout else type(task.dropout)(0)
        kept[row, lane] = factor
        A[row, lane] *= factor


@numba.njit(**INLINE)
def forward(
    task: Task,
    layers: Any,
    W: Any,
    R: int,
    at: int,
    count: int,
    A: Any,
    kept: Any,
    order: Any,
    seed: Any,
    number: int,
    place: int,
    dropping: bool,
) -> None:
    """Fill ``A`` with the outputs of ``count`` observations whose inputs lie there.

    ``dropping``: without some of the hidden ones, as the step of this number has it.
    """
    neurons = 0
    for layer in range(len(layers)):
        K, J, w, before, neuron = layers[layer]
        first = neuron * R + at
        weighted_sums(A, first, A, before * R + at, W, w, K, 1, J, K, R, count)
        is_hidden = layer + 1 < len(layers)
        kind = task.activation if is_hidden else task.output
        for j in range(J):
            for r in range(count):
                activate(kind, A, first + j * R + r)
                if dropping and is_hidden:
                    drop(task, A, kept, first + j * R + r, order, seed, number, neurons + j, place + r)
        neurons += J


@numba.njit(**INLINE)
def backward(
    task: Task,
    layers: Any,
    block: Any,
    fresh: bool,
    descends: bool,
    scale: Any,
    R: int,
    at: int,
    count: int,
    A: Any,
    D: Any,
    T: Any,
    kept: Any,
    dropping: bool,
) -> None:
    """Add what ``count`` observations give to the gradients, from their outputs and targets."""
    W = block[0]
    K, J, w, before, neuron = layers[-1]
    for j in range(J):
        for r in range(count):
            slopes(task, A, D, neuron * R + j * R + at + r, T, (at + r) * J + j, scale)
    for layer in range(len(layers) - 1, -1, -1):
        K, J, w, before, neuron = layers[layer]
        first, deltas = before * R + at, neuron * R + at
        if layer > 0:
            hidden = layers[layer - 1, 1]
            weighted_sums(D, first, D, deltas, W, w, 1, K, hidden, J, R, count)
            for k in range(hidden):
                for r in range(count):
                    deactivate(task, A, D, first + k * R + r, kept, dropping)
        trained = K if (task.hidden_bias if layer + 1 < len(layers) else task.output_bias) else K - 1
        add_gradients(block, task.moving, fresh, descends, A, first, D, deltas, w, K, J, trained, R, count)


@cache
def general_kernel(kind: int, batches: bool, drawn: bool) -> Any:
    """Return the kernel for an optimizer.

    ``batches``: each step looks at what is not looked at for convergence; ``drawn``: at what is partly random. With
    DIRECT each weight steps down its gradient as soon as that is known, where all of the table is in one tile.
    """
    direct = kind == DIRECT

    @compiled
    def advance(
        start: int,
        end: int,
        task: Task,
        rule: Rule,
        lanes: Lanes,
        layers: Any,
        gradients: Any,
        A: Any,
        D: Any,
        T: Any,
        kept: Any,
        order: Any,
        powers: Any,
        solved: Any,
        correct: Any,
        sums: Any,
    ) -> None:
        """Advance all lanes from the predictions of iteration ``start`` (-1: none yet) to those of ``end``.

        Observations are taken in tiles of R. ``layers``: for each K, J, its first row of ``W``, first input, and first
        neuron. ``gradients [B, P + 3, L]`` are kept from one call to the next; below them lies a row of zeros, and two
        for sums. Scratch: ``A, D [neurons * R, L]`` outputs and slopes by logits of a tile, ``T [R * O, L]`` its
        targets, ``kept`` like ``A`` factors of dropout, ``order [N + 1, L]`` of the observations, ``[L]`` the others.
        """
        targets, observations = task.targets, len(task.inputs)
        A, D, T, kept = fixed(A), fixed(D), fixed(T), fixed(kept)
        outputs, out = layers[-1, 1], layers[-1, 4]
        R = len(A) // (out + outputs)
        tiles = -(-observations // R)
        shortcut = layers[-1, 3] + layers[-2, 1] if task.shortcuts else 0
        # the table lies in its only tile for good, and steps take it from there
        lies = tiles == 1 and not (drawn and task.shuffle != NEVER)
        steps = -(-observations // task.batch)
        dropping = drawn and task.dropout > 0
        real = type(task.scale)
        for block in range(len(lanes.weights)):
            W, M, S = fixed(lanes.weights[block]), fixed(lanes.memory[block]), fixed(lanes.predictions[block])
            G, rate, momentum = fixed(gradients[block]), fixed(lanes.rate[block]), lanes.momentum[block]
            rate_output, seed = fixed(lanes.rate_output[block]), lanes.seed[block]
            own = (W, M, G, rate, momentum)
            solved_at, correct_at, in_a_row = lanes.solved_at[block], lanes.correct_at[block], lanes.in_a_row[block]
            if drawn and task.shuffle == ONCE:
                shuffle(order, seed, 0)
            is_first = True
            for now in range(start + 1, end + 1):
                if task.stop and now % CHECK == 0 and all_solved(solved_at):
                    break
                if batches and now > 0 and kind != NONE:
                    if drawn and task.shuffle == ALWAYS:
                        shuffle(order, seed, now - 1)
                    for step in range(steps):
                        number, begin = (now - 1) * steps + step, step * task.batch
                        stop = min(begin + task.batch, observations)
                        scale = task.scale if task.summed else real(1) / real((stop - begin) * outputs)
                        for first in range(begin, stop, R):
                            at, count = (first if lies else 0), min(R, stop - first)
                            if not lies and drawn:
                                load_ordered(task, A, T, order, shortcut, R, first, count)
                            elif not lies:
                                load_tile(task, A, T, shortcut, R, first, count)
                            elif now == start + 1 and step == 0:
                                load_tile(task, A, T, shortcut, R, 0, observations)
                            if drawn and task.flips > 0:
                                flip_labels(task, T, at, order, seed, number, first, count)
                            forward(task, layers, W, R, at, count, A, kept, order, seed, number, first, dropping)
                            begins, ends = first == begin, direct and first + count == stop
                            backward(
                                *(task, layers, own, begins, ends, scale),
                                *(R, at, count, A, D, T, kept, dropping),
                            )
                        if not direct:
                            take_step(
                                *(kind, rule, task.moving, now - 1, number, is_first, powers),
                                *(W, G, M, rate, rate_output, momentum, seed),
                            )
                        is_first = False
                elif now > 0 and kind != NONE and not direct:
                    take_step(
                        *(kind, rule, task.moving, now - 1, now - 1, is_first, powers),
                        *(W, G, M, rate, rate_output, momentum, seed),
                    )
                    is_first = False
                elif now > 0 and kind != NONE and (tiles > 1 or is_first):
                    descend_all(rule, W, G, M, rate, momentum, task.moving)
                    is_first = False
                solved[:] = correct[:] = True
                sums[:] = 0
                for first in range(0, observations, R):
                    count = min(R, observations - first)
                    if now == start + 1 or not (lies if batches else tiles == 1):
                        load_tile(task, A, T, shortcut, R, first, count)
                    forward(task, layers, W, R, 0, count, A, kept, order, seed, 0, first, False)
                    for r in range(count):
                        for j in range(outputs):
                            n, row = (first + r) * outputs + j, (out + j) * R + r
                            for lane in range(A.shape[1]):
                                p = A[row, lane]
                                S[n, lane] = p
                                solved[lane] &= abs(p - targets[n]) <= task.tolerance
                                correct[lane] &= (p >= task.lowest[n]) & (p <= task.highest[n])
                            if task.success == BY_LOSS:
                                add_losses(task, A, row, targets[n], sums)
                    if first + count == observations:
                        judge(task, solved, correct, sums, in_a_row)
                        iteration = np.int32(now)
                        for lane in range(A.shape[1]):
                            keep_first(solved[lane], correct[lane], iteration, solved_at, correct_at, lane)
                        if task.stop:
                            freeze(rate, rate_output, solved_at, real(0))
                    if not batches:
                        descends = direct and tiles == 1 and now < end  # else the next call, or iteration, steps
                        backward(task, layers, own, first == 0, descends, task.scale, R, 0, count, A, D, T, kept, False)

    return advance
