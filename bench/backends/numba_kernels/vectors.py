"""Vectors of lanes that stay in registers through loops whose length is known at run time only.

LLVM makes vectors of a loop over lanes by itself, but not around another loop; and where it cannot tell which rows are
apart, it asks at run time, which for rows this short takes longer than the arithmetic.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

from bench.backends.numba_kernels.compiling import WIDE
from bench.backends.numba_kernels.row_operations import ROW_BYTES

BITS = 2048 if WIDE else 1024  # of a vector: four sums take 16 of the 32 registers of 512 bits, or the 16 of 256
PARTS = ROW_BYTES * 8 // BITS  # of a row, each a vector
ALIGN = 64  # bytes


class Vector(types.Type):  # type: ignore[misc]
    """Type of as many lanes of a row, beside each other, as BITS hold."""

    def __init__(self, dtype: Any) -> None:
        """Take the type of the numbers."""
        self.dtype = dtype
        super().__init__(f"Vector({dtype})")


@register_model(Vector)
class VectorModel(models.PrimitiveModel):  # type: ignore[misc]
    """Vector as LLVM has it."""

    def __init__(self, manager: Any, kind: Any) -> None:
        """Take the type."""
        numbers = manager[kind.dtype].get_value_type()
        super().__init__(manager, kind, ir.VectorType(numbers, BITS // kind.dtype.bitwidth))


def _place(context: Any, builder: Any, rows: Any, args: Any) -> Any:
    """Return the pointer to a vector, from an array, the row, and the part of it."""
    array, row, part = args[:3]
    vector = context.get_value_type(Vector(rows.dtype))
    data = builder.bitcast(context.make_array(rows)(context, builder, value=array).data, vector.as_pointer())
    return builder.gep(data, [builder.add(builder.mul(row, ir.Constant(row.type, ROW_BYTES * 8 // BITS)), part)])


@intrinsic
def load(_context: Any, rows: Any, row: Any, part: Any) -> Any:
    """Return a part of a row."""

    def generate(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.load(_place(context, builder, rows, args), align=ALIGN)

    return Vector(rows.dtype)(rows, row, part), generate


@intrinsic
def store(_context: Any, rows: Any, row: Any, part: Any, vector: Any) -> Any:
    """Write a part of a row."""

    def generate(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        builder.store(args[3], _place(context, builder, rows, args), align=ALIGN)
        return context.get_dummy_value()

    return types.none(rows, row, part, vector), generate


@intrinsic
def zero(_context: Any, rows: Any) -> Any:
    """Return a vector of zeros of these rows' type."""
    kind = Vector(rows.dtype)
    return kind(rows), lambda context, *_: ir.Constant(context.get_value_type(kind), None)


@intrinsic
def negative(_context: Any, a: Any) -> Any:
    """Return -a."""
    return a(a), lambda _, builder, _signature, args: builder.fneg(args[0])


@intrinsic
def multiply_add(_context: Any, a: Any, b: Any, c: Any) -> Any:
    """Return a * b + c, fused where the processor can do that: as LLVM contracts the same in a loop over lanes."""

    def generate(_: Any, builder: Any, _signature: Any, args: Any) -> Any:
        vector = args[0].type
        name = f"llvm.fmuladd.v{vector.count}{vector.element.intrinsic_name}"
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(vector, [vector] * 3), name)
        return builder.call(function, args)

    return a(a, b, c), generate


@intrinsic
def unless_zero(_context: Any, a: Any, b: Any, c: Any) -> Any:
    """Return, lane by lane, b where a is not zero, and c where it is."""

    def generate(_: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_unordered("!=", args[0], ir.Constant(args[0].type, None)), *args[1:])

    return a(a, b, c), generate
