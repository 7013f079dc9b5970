"""Exponential, logarithm, sigmoid, hyperbolic tangent and activations of one number, compiled into loops over lanes.

Numba types a literal as float64 and would widen float32 with it: hence ``real(1)``. Where torch has a float32 smaller
than any normal number, these have 0.
"""

from collections.abc import Callable
from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

from bench.backends.numba_kernels.compiling import INLINE

SIGMOID, TANH, RELU, SYMMETRIC, LINEAR = range(5)


@intrinsic
def select(_context: Any, condition: Any, a: Any, b: Any) -> Any:
    """Return a where the condition holds, else b, both being computed: no branch keeps LLVM from making vectors."""

    def generate(_: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.select(*args)

    return a(condition, a, b), generate


@intrinsic
def power_of_two(_context: Any, t: Any) -> Any:
    """Return 2**k of the float k + 1.5 * 2**(bits of the mantissa), by moving its last bits into the exponent."""

    def generate(_: Any, builder: Any, _signature: Any, args: Any) -> Any:
        bits, mantissa, one = (32, 23, 0x3F800000) if t == types.float32 else (64, 52, 0x3FF0000000000000)
        whole = ir.IntType(bits)
        moved = builder.shl(builder.bitcast(args[0], whole), ir.Constant(whole, mantissa))
        return builder.bitcast(builder.add(moved, ir.Constant(whole, one)), args[0].type)

    return t(t), generate


def exponential(_x: Any) -> tuple[Any, Any, Any]:
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
    k = t - real(12582912.0)
    r = (x - k * real(0.693359375)) + k * real(2.12194440e-4)  # log(2) in two parts: the first times k is exact
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
    """Return a neuron's output."""
    if kind == SIGMOID:
        return sigmoid(z)
    if kind == TANH:
        return tanh(z)
    if kind == SYMMETRIC:
        return sigmoid(z) - type(z)(0.5)
    if kind == LINEAR:
        return z
    zero = type(z)(0)
    return zero if z < zero else z  # NaN stays


@numba.njit(**INLINE)
def slope(kind: int, a: Any) -> Any:
    """Return a neuron's slope in terms of its output."""
    real = type(a)
    if kind == SIGMOID:
        return a * (real(1) - a)
    if kind == TANH:
        return real(1) - a * a
    if kind == SYMMETRIC:
        return (real(0.5) + a) * (real(0.5) - a)
    if kind == LINEAR:
        return real(1)
    return real(1) if a > real(0) else real(0)


@intrinsic
def parted(_context: Any, x: Any) -> Any:
    """Return ``(k, m)`` with x = 2**k * m and m from √½ to √2, of a normal number above 0."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        single = signature.args[0] == types.float32
        bits, mantissa, root = (32, 23, 0x3F3504F3) if single else (64, 52, 0x3FE6A09E00000000)
        whole = ir.IntType(bits)
        above = builder.sub(builder.bitcast(args[0], whole), ir.Constant(whole, root))
        power = builder.sitofp(builder.ashr(above, ir.Constant(whole, mantissa)), args[0].type)
        rest = builder.add(builder.and_(above, ir.Constant(whole, 2**mantissa - 1)), ir.Constant(whole, root))
        return context.make_tuple(builder, signature.return_type, (power, builder.bitcast(rest, args[0].type)))

    return types.UniTuple(x, 2)(x), generate


@numba.njit(**INLINE)
def logarithm(x: Any) -> Any:
    """Return the natural logarithm of a normal number above 0, as FreeBSD's e_log.c has it (Sun Microsystems 1993)."""
    real = type(x)
    k, m = parted(x)
    f = m - real(1)
    s = f / (real(2) + f)
    z = s * s
    w = z * z
    odd = z * (
        real(6.666666666666735130e-01)
        + w
        * (real(2.857142874366239149e-01) + w * (real(1.818357216161805012e-01) + w * real(1.479819860511658591e-01)))
    )
    even = w * (
        real(3.999999999940941908e-01) + w * (real(2.222219843214978396e-01) + w * real(1.531383769920937332e-01))
    )
    half = real(0.5) * f * f
    low = s * (half + odd + even) + k * real(1.90821492927058770002e-10)
    return k * real(6.93147180369123816490e-01) - ((half - low) - f)
