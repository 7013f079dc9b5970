"""Kernel for networks with one hidden layer and tables of few observations, whose sums stay in registers.

Shapes: L lanes, B blocks of them, N observations, I inputs, H hidden neurons, P rows of weights.
"""

from functools import cache
from typing import Any

import numpy as np

from bench.backends.numba_kernels.arithmetic import activated, slope
from bench.backends.numba_kernels.compiling import compiled
from bench.backends.numba_kernels.row_operations import (
    CHECK,
    Lanes,
    Task,
    all_solved,
    deltas,
    descend_or_keep,
    fixed,
    freeze,
    keep_first,
)
from bench.backends.numba_kernels.steps import DIRECT, NONE, Rule, take_step

MAX_INPUTS = 4
MAX_OBSERVATIONS = 8  # loops over more are not unrolled, and then not vectorised


@cache
def one_hidden_kernel(inputs: int, observations: int, activation: int, moving: bool, kind: int = DIRECT) -> Any:
    """Return the kernel for one hidden layer of any size, which makes three passes an iteration.

    The arguments are constants of the compilation: loops over inputs and observations are unrolled within a lane.
    ``kind`` is the optimizer; with DIRECT each weight steps down its gradient as soon as that is known.
    """
    direct = kind == DIRECT

    @compiled
    def advance(
        start: int,
        end: int,
        task: Task,
        rule: Rule,
        lanes: Lanes,
        outputs: Any,
        slopes: Any,
        gradients: Any,
        powers: Any,
    ) -> None:
        """Advance all lanes from the predictions of iteration ``start`` (-1: none yet) to those of ``end``.

        A hidden neuron has ``I + 2`` rows of ``W``: its weights, its bias, and its weight in the output; the last row
        is the output's bias. ``outputs [B, H * N, L]`` of the hidden neurons and ``slopes [B, N, L]`` of the loss by
        the output's logit are kept from one call to the next. Scratch: ``gradients [P + 3, L]``, of which the last two
        rows are for sums, and ``powers [2]``.
        """
        X, targets = task.inputs, task.targets
        zero = type(task.scale)(0)
        hidden = outputs.shape[1] // observations
        for block in range(len(lanes.weights)):
            W, M, S = fixed(lanes.weights[block]), fixed(lanes.memory[block]), fixed(lanes.predictions[block])
            A, D, G = fixed(outputs[block]), fixed(slopes[block]), fixed(gradients)
            rate, momentum = fixed(lanes.rate[block]), lanes.momentum[block]
            solved_at, correct_at = lanes.solved_at[block], lanes.correct_at[block]
            for now in range(start + 1, end + 1):
                if task.stop and now % CHECK == 0 and all_solved(solved_at):
                    break
                if now > 0 and kind != NONE:
                    if task.output_bias:
                        for lane in range(S.shape[1]):
                            by_bias = zero
                            for n in range(observations):
                                by_bias += D[n, lane]
                            descend_or_keep(
                                direct, W, M, G, hidden * (inputs + 2), by_bias, lane, rate, momentum, moving
                            )
                    for h in range(hidden):
                        first = h * (inputs + 2)
                        for lane in range(S.shape[1]):
                            w = W[first + inputs + 1, lane]
                            by_weight = by_bias = by_0 = by_1 = by_2 = by_3 = zero
                            for n in range(observations):
                                a = A[h * observations + n, lane]
                                by_weight += a * D[n, lane]
                                d = D[n, lane] * w * slope(activation, a)
                                by_bias += d
                                by_0 += d * X[n, 0]
                                if inputs > 1:
                                    by_1 += d * X[n, 1]
                                if inputs > 2:
                                    by_2 += d * X[n, 2]
                                if inputs > 3:
                                    by_3 += d * X[n, 3]
                            descend_or_keep(direct, W, M, G, first, by_0, lane, rate, momentum, moving)
                            if inputs > 1:
                                descend_or_keep(direct, W, M, G, first + 1, by_1, lane, rate, momentum, moving)
                            if inputs > 2:
                                descend_or_keep(direct, W, M, G, first + 2, by_2, lane, rate, momentum, moving)
                            if inputs > 3:
                                descend_or_keep(direct, W, M, G, first + 3, by_3, lane, rate, momentum, moving)
                            if task.hidden_bias:
                                descend_or_keep(direct, W, M, G, first + inputs, by_bias, lane, rate, momentum, moving)
                            descend_or_keep(
                                direct, W, M, G, first + inputs + 1, by_weight, lane, rate, momentum, moving
                            )
                if now > 0 and not (direct or kind == NONE):
                    take_step(
                        *(kind, rule, moving, now - 1, now - 1, now == max(start + 1, 1), powers),
                        *(W, G, M, rate, fixed(lanes.rate_output[block]), momentum, lanes.seed[block]),
                    )
                for h in range(hidden):
                    first = h * (inputs + 2)
                    for n in range(observations):
                        for lane in range(S.shape[1]):
                            z = W[first + inputs, lane]
                            for i in range(inputs):
                                z += W[first + i, lane] * X[n, i]
                            a = activated(activation, z)
                            A[h * observations + n, lane] = a
                            begun = W[hidden * (inputs + 2), lane] if h == 0 else S[n, lane]
                            S[n, lane] = a * W[first + inputs + 1, lane] + begun
                for n in range(observations):
                    deltas(S, D, n, targets[n], task.loss, task.scale)
                iteration = np.int32(now)
                for lane in range(S.shape[1]):
                    solved = correct = True
                    for n in range(observations):
                        solved &= abs(S[n, lane] - targets[n]) <= task.tolerance
                        correct &= (S[n, lane] >= task.lowest[n]) & (S[n, lane] <= task.highest[n])
                    keep_first(solved, correct, iteration, solved_at, correct_at, lane)
                if task.stop:
                    freeze(rate, lanes.rate_output[block], solved_at, zero)

    return advance
