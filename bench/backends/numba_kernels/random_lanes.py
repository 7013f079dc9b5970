"""Random numbers of every lane, by its training's seed: those of `bench.model.threefry`, in loops over lanes."""

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from bench.backends.numba_kernels.arithmetic import logarithm
from bench.backends.numba_kernels.compiling import INLINE
from bench.model.threefry import PARITY, ROTATIONS

WORD = ir.IntType(32)


def _constant(value: int) -> Any:
    return ir.Constant(WORD, value)


def _rotated(builder: Any, word: Any, bits: int) -> Any:
    return builder.or_(builder.shl(word, _constant(bits)), builder.lshr(word, _constant(32 - bits)))


def _encrypted(builder: Any, args: Any) -> Any:
    """Return the two words of Threefry-2x32: written out, for Numba would compute with 64 bits."""
    first, second, low, high = args
    keys = [first, second, builder.xor(builder.xor(first, second), _constant(PARITY))]
    x, y = builder.add(low, first), builder.add(high, second)
    for part in range(5):
        for bits in ROTATIONS[part % 2]:
            x = builder.add(x, y)
            y = builder.xor(_rotated(builder, y, bits), x)
        x = builder.add(x, keys[(part + 1) % 3])
        y = builder.add(builder.add(y, keys[(part + 2) % 3]), _constant(part + 1))
    return x, y


def _share(builder: Any, word: Any, bits: int, real: Any) -> Any:
    """Return the first so many bits of a word as a number from 0 to below 1."""
    whole = builder.sitofp(builder.lshr(word, _constant(32 - bits)), real)
    return builder.fmul(whole, ir.Constant(real, 2.0**-bits))


@intrinsic
def word(_context: Any, seed: Any, key: Any, low: Any, high: Any) -> Any:
    """Return a word of a seed, a key and the two halves of a step's number, all of them uint32."""

    def generate(_: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return _encrypted(builder, args)[0]

    return types.uint32(seed, key, low, high), generate


@intrinsic
def uniform(_context: Any, like: Any, seed: Any, key: Any, low: Any, high: Any) -> Any:
    """Return likewise a number from 0 to below 1, a multiple of 2**-24, of the first argument's type."""

    def generate(_: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return _share(builder, _encrypted(builder, args[1:])[0], 24, args[0].type)

    return like(like, seed, key, low, high), generate


@intrinsic
def two_uniform(_context: Any, like: Any, seed: Any, key: Any, low: Any, high: Any) -> Any:
    """Return likewise a number above 0 and below 1, and one from 0 to below 1."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        x, y = _encrypted(builder, args[1:])
        real = args[0].type
        above = builder.fadd(_share(builder, x, 23, real), ir.Constant(real, 2.0**-24))
        return context.make_tuple(builder, signature.return_type, (above, _share(builder, y, 24, real)))

    return types.UniTuple(like, 2)(like, seed, key, low, high), generate


@numba.njit(**INLINE)
def two_normal(like: Any, seed: Any, key: Any, low: Any, high: Any) -> Any:
    """Return two standard normal numbers (Box & Muller 1958); sine and cosine of an eighth are those of Cephes."""
    real = type(like)
    share, turn = two_uniform(like, seed, key, low, high)
    radius = np.sqrt(real(-2) * logarithm(share))
    quarter = np.floor(real(4) * turn + real(0.5))
    a = (turn - quarter * real(0.25)) * real(6.283185307179586)
    z = a * a
    sine = a + a * z * (
        real(-1.66666666666666307295e-1)
        + z
        * (
            real(8.33333333332211858878e-3)
            + z
            * (
                real(-1.98412698295895385996e-4)
                + z
                * (
                    real(2.75573136213857245213e-6)
                    + z * (real(-2.50507477628578072866e-8) + z * real(1.58962301576546568060e-10))
                )
            )
        )
    )
    cosine = (
        real(1)
        - real(0.5) * z
        + z
        * z
        * (
            real(4.16666666666665929218e-2)
            + z
            * (
                real(-1.38888888888730564116e-3)
                + z
                * (
                    real(2.48015872888517045348e-5)
                    + z
                    * (
                        real(-2.75573141792967388112e-7)
                        + z * (real(2.08757008419747316778e-9) + z * real(-1.13585365213876817300e-11))
                    )
                )
            )
        )
    )
    turned = (quarter == real(1)) | (quarter == real(3))
    along, across = (sine, cosine) if turned else (cosine, sine)
    along = -along if (quarter == real(1)) | (quarter == real(2)) else along
    across = -across if (quarter == real(2)) | (quarter == real(3)) else across
    return radius * along, radius * across
