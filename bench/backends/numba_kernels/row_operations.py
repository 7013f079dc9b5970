"""Arguments of the kernels, and the operations on rows of lanes that both are made of.

Shapes: L lanes (the last axis of every array: as many as ROW_BYTES hold), B blocks of them, N observations, P rows of
weights.
Rows: W weights, M what an optimizer keeps of them, G gradients, X inputs, A outputs, S predictions, D slopes of the
loss by the logits.
A lane goes through the same instructions wherever it lies and whatever lies beside it: loops over lanes have no
remainder. So a training's numbers do not depend on its batch.
"""

from typing import Any, NamedTuple

import numba
import numpy as np
from numba import types
from numba.core import cgutils
from numba.core.imputils import impl_ret_borrowed
from numba.extending import intrinsic

from bench.backends.numba_kernels.arithmetic import SIGMOID, SYMMETRIC, TANH, logarithm, sigmoid, slope
from bench.backends.numba_kernels.compiling import INLINE
from bench.model.loss import ARCTANH_CEILING, LOG_FLOOR, SLOPE_FLOOR

ROW_BYTES = 256  # 64 lanes of float32, or 32 of float64: four vectors of 512 bits in flight
CHECK = 64  # iterations between two checks of whether every lane of a block has stopped
MSE, L1, BCE, HUBER, ARCTANH = range(5)
BY_TOLERANCE, BY_SIDE, BY_LOSS = range(3)


class Task(NamedTuple):
    """Truth table and settings that all trainings share."""

    inputs: Any  # [N, I]
    targets: Any  # [N * O]
    lowest: Any  # [N * O] of correct predictions
    highest: Any  # [N * O]
    activation: int
    output: int
    offset: Any  # added to slopes of activations
    loss: int
    scale: Any  # 1 / (N * O) for the mean over the observations, 1 for the sum
    summed: bool
    success: int
    tolerance: Any
    loss_bound: Any
    success_for: int
    hidden_bias: bool
    output_bias: bool
    shortcuts: bool
    moving: bool  # some momentum is not zero
    batch: int  # observations of a step
    shuffle: int
    flips: Any  # share of targets
    both: Any  # the sum of a target and the other one
    dropout: Any
    enlarged: Any  # 1 / (1 - dropout)
    stop: bool


class Lanes(NamedTuple):
    """Trainings in lanes: weights ``[B, P, L]``, predictions ``[B, N * O, L]``, the others ``[B, L]``.

    ``memory`` has a row, or two, of what the optimizer keeps of each weight.
    """

    weights: Any
    memory: Any
    rate: Any
    rate_output: Any
    momentum: Any
    seed: Any
    in_a_row: Any
    predictions: Any
    solved_at: Any
    correct_at: Any


@intrinsic
def fixed(_context: Any, rows: Any) -> Any:
    """Return an array whose last axis is known to fill ROW_BYTES: the compiler sees which rows are apart."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = signature.return_type
        array = context.make_array(kind)(context, builder, value=args[0])
        sizes = cgutils.unpack_tuple(builder, array.shape)[:-1]
        lanes = context.get_constant(types.intp, ROW_BYTES * 8 // kind.dtype.bitwidth)
        array.shape = cgutils.pack_array(builder, [*sizes, lanes])
        return impl_ret_borrowed(context, builder, kind, array._getvalue())  # noqa: SLF001 - so do Numba's own

    return rows(rows), generate


@numba.njit(**INLINE)
def deltas(S: Any, D: Any, n: int, target: Any, loss: int, scale: Any) -> None:
    """Replace the logits ``S[n]`` by predictions, and write the loss's slopes by the logits into ``D[n]``."""
    real = type(target)
    one = real(1)
    floor = real(SLOPE_FLOOR)
    for lane in range(S.shape[1]):
        S[n, lane] = sigmoid(S[n, lane])
    if loss == MSE:
        for lane in range(S.shape[1]):
            p = S[n, lane]
            D[n, lane] = (scale + scale) * (p - target) * (p * (one - p))
    elif loss == L1:
        for lane in range(S.shape[1]):
            p = S[n, lane]
            sign = one if p > target else (-one if p < target else real(0))
            D[n, lane] = scale * sign * (p * (one - p))
    elif loss == BCE:
        for lane in range(S.shape[1]):
            p = S[n, lane]
            q = p * (one - p)
            D[n, lane] = scale * (p - target) * (one if q >= floor else q / floor)
    else:
        for lane in range(S.shape[1]):
            p = S[n, lane]
            e = p - target
            e = one if e > one else (-one if e < -one else e)
            D[n, lane] = scale * e * (p * (one - p))


@numba.njit(**INLINE)
def slopes(task: Task, A: Any, D: Any, row: int, T: Any, t: int, scale: Any) -> None:
    """Write into ``D[row]`` the loss's slopes by the logits, from an output neuron's outputs and their targets."""
    real = type(scale)
    one = real(1)
    if task.loss == MSE:
        for lane in range(A.shape[1]):
            D[row, lane] = (scale + scale) * (A[row, lane] - T[t, lane])
    elif task.loss == L1:
        for lane in range(A.shape[1]):
            p, target = A[row, lane], T[t, lane]
            D[row, lane] = scale * (one if p > target else (-one if p < target else p - target))
    elif task.loss == BCE:
        floor = real(SLOPE_FLOOR)
        for lane in range(A.shape[1]):
            p = A[row, lane]
            q = p * (one - p)
            e = scale * (p - T[t, lane])
            D[row, lane] = e * (one if q >= floor else q / floor) + e * task.offset / (q if q >= floor else floor)
        return
    elif task.loss == HUBER:
        for lane in range(A.shape[1]):
            e = A[row, lane] - T[t, lane]
            D[row, lane] = scale * (one if e > one else (-one if e < -one else e))
    else:
        ceiling = real(ARCTANH_CEILING)
        for lane in range(A.shape[1]):
            e = A[row, lane] - T[t, lane]
            e = ceiling if e > ceiling else (-ceiling if e < -ceiling else e)
            D[row, lane] = scale * (real(0.5) * logarithm((one + e) / (one - e)))
    if task.output == SIGMOID:
        for lane in range(A.shape[1]):
            D[row, lane] *= slope(SIGMOID, A[row, lane]) + task.offset
    elif task.output == TANH:
        for lane in range(A.shape[1]):
            D[row, lane] *= slope(TANH, A[row, lane]) + task.offset
    elif task.output == SYMMETRIC:
        for lane in range(A.shape[1]):
            D[row, lane] *= slope(SYMMETRIC, A[row, lane]) + task.offset
    else:
        for lane in range(A.shape[1]):
            D[row, lane] *= one + task.offset


@numba.njit(**INLINE)
def add_losses(task: Task, A: Any, row: int, target: Any, sums: Any) -> None:
    """Add the losses of an output neuron's outputs to the lanes' sums, as `bench.model.loss` has them."""
    real = type(target)
    one, half, floor = real(1), real(0.5), real(LOG_FLOOR)
    for lane in range(A.shape[1]):
        p = A[row, lane]
        e = abs(p - target)
        if task.loss == MSE:
            sums[lane] += e * e
        elif task.loss == L1:
            sums[lane] += e
        elif task.loss == HUBER:
            sums[lane] += half * e * e if e < one else e - half
        elif task.loss == BCE:
            log_p, log_q = log_or_floor(p, floor), log_or_floor(one - p, floor)
            sums[lane] += (target - one) * log_q - target * log_p
        else:
            e = real(ARCTANH_CEILING) if e > real(ARCTANH_CEILING) else e
            more, less = logarithm(one + e), logarithm(one - e)
            sums[lane] += half * ((one + e) * more + (one - e) * less)


@numba.njit(**INLINE)
def log_or_floor(p: Any, floor: Any) -> Any:
    """Return a logarithm that ends at a floor; what is no number stays so."""
    real = type(floor)
    return logarithm(p) if p > real(1e-37) else (floor if p <= real(1e-37) else p)


@numba.njit(**INLINE)
def judge(task: Task, solved: Any, correct: Any, sums: Any, in_a_row: Any) -> None:
    """Replace what is within the tolerance by what meets the trial's success, often enough in a row."""
    if task.success == BY_SIDE:
        for lane in range(len(solved)):
            solved[lane] = correct[lane]
    elif task.success == BY_LOSS:
        for lane in range(len(solved)):
            total = sums[lane] if task.summed else sums[lane] / type(task.scale)(len(task.targets))
            solved[lane] = total <= task.loss_bound
    if task.success_for > 1:
        for lane in range(len(solved)):
            in_a_row[lane] = in_a_row[lane] + np.int32(1) if solved[lane] else np.int32(0)
            solved[lane] = in_a_row[lane] >= task.success_for


@numba.njit(**INLINE)
def descend_or_keep(
    direct: bool, W: Any, M: Any, G: Any, w: int, g: Any, lane: int, rate: Any, momentum: Any, moving: bool
) -> None:
    """Move one weight of one lane down its gradient, as torch.optim.SGD does, or keep that for a step to come."""
    if not direct:
        G[w, lane] = g
        return
    if moving:
        # without momentum as if there were no velocity: 0 times infinity would be no number
        g = momentum[lane] * M[w, lane] + g if momentum[lane] != 0 else g
        M[w, lane] = g
    W[w, lane] -= rate[lane] * g


@numba.njit(**INLINE)
def keep_first(solved: Any, correct: Any, iteration: Any, solved_at: Any, correct_at: Any, lane: int) -> None:
    """Keep the iteration in one lane if it is the first that solves the gate, or the first that is correct."""
    solved_at[lane] = iteration if solved & (solved_at[lane] < 0) else solved_at[lane]
    correct_at[lane] = iteration if correct & (correct_at[lane] < 0) else correct_at[lane]


@numba.njit(**INLINE)
def freeze(rate: Any, rate_output: Any, solved_at: Any, zero: Any) -> None:
    """Set the learning rates of every lane that has solved its gate to zero, which keeps its weights."""
    for lane in range(len(rate)):
        rate[lane] = rate[lane] if solved_at[lane] < 0 else zero
        rate_output[lane] = rate_output[lane] if solved_at[lane] < 0 else zero


@numba.njit(**INLINE)
def all_solved(solved_at: Any) -> Any:
    """Whether every lane has solved its gate."""
    going = False
    for lane in range(len(solved_at)):
        going |= solved_at[lane] < 0
    return not going
