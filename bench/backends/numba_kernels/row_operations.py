"""Arguments of the kernels, and the operations on rows of lanes that both are made of.

Shapes: L lanes (the last axis of every array: as many as ROW_BYTES hold), B blocks of them, N observations, P rows of
weights.
Rows: W weights, V velocities, G gradients, X inputs, A outputs, S predictions, D slopes of the loss by the logits.
A lane goes through the same instructions wherever it lies and whatever lies beside it: loops over lanes have no
remainder. So a training's numbers do not depend on its batch.
"""

from typing import Any, NamedTuple

import numba
from numba import types
from numba.core import cgutils
from numba.core.imputils import impl_ret_borrowed
from numba.extending import intrinsic

from bench.backends.numba_kernels.arithmetic import sigmoid
from bench.backends.numba_kernels.compiling import INLINE
from bench.model.loss import SLOPE_FLOOR

ROW_BYTES = 256  # 64 lanes of float32, or 32 of float64: four vectors of 512 bits in flight
CHECK = 64  # iterations between two checks of whether every lane of a block has stopped
MSE, L1, BCE, HUBER = range(4)


class Task(NamedTuple):
    """Truth table and settings that all trainings share."""

    inputs: Any  # [N, I]
    targets: Any  # [N]
    lowest: Any  # [N] of correct predictions
    highest: Any  # [N]
    activation: int
    loss: int
    scale: Any  # 1 / N for the mean over the observations, 1 for the sum
    tolerance: Any
    hidden_bias: bool
    output_bias: bool
    moving: bool  # some momentum is not zero
    online: bool
    stop: bool


class Lanes(NamedTuple):
    """Trainings in lanes: weights and velocities ``[B, P, L]``, predictions ``[B, N, L]``, the others ``[B, L]``."""

    weights: Any
    velocities: Any
    rate: Any
    momentum: Any
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
def clear(rows: Any, row: int) -> None:
    """Set a row to zero."""
    for lane in range(rows.shape[1]):
        rows[row, lane] = 0


@numba.njit(**INLINE)
def descend(W: Any, V: Any, w: int, g: Any, lane: int, rate: Any, momentum: Any, moving: bool) -> None:
    """Move one weight of one lane down its gradient, as torch.optim.SGD does."""
    if moving:
        # without momentum as if there were no velocity: 0 times infinity would be no number
        g = momentum[lane] * V[w, lane] + g if momentum[lane] != 0 else g
        V[w, lane] = g
    W[w, lane] -= rate[lane] * g


@numba.njit(**INLINE)
def keep_first(solved: Any, correct: Any, iteration: Any, solved_at: Any, correct_at: Any, lane: int) -> None:
    """Keep the iteration in one lane if it is the first that solves the gate, or the first that is correct."""
    solved_at[lane] = iteration if solved & (solved_at[lane] < 0) else solved_at[lane]
    correct_at[lane] = iteration if correct & (correct_at[lane] < 0) else correct_at[lane]


@numba.njit(**INLINE)
def freeze(rate: Any, solved_at: Any, zero: Any) -> None:
    """Set the learning rate of every lane that has solved its gate to zero, which keeps its weights."""
    for lane in range(len(rate)):
        rate[lane] = rate[lane] if solved_at[lane] < 0 else zero


@numba.njit(**INLINE)
def all_solved(solved_at: Any) -> Any:
    """Whether every lane has solved its gate."""
    going = False
    for lane in range(len(solved_at)):
        going |= solved_at[lane] < 0
    return not going
