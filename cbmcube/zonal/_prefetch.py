"""Ask the processor to fetch memory that will be needed soon; it changes no result."""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]  # comes with numba, as fits it
from numba import types
from numba.extending import intrinsic

_READ, _KEEP, _DATA = 0, 3, 1  # arguments of llvm.prefetch


def _prefetch(_context: Any, array: Any, _index: Any) -> Any:
    """Return type and code of `prefetch`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        anything, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        place = builder.bitcast(builder.gep(data, [arguments[1]]), anything)
        kind = ir.FunctionType(ir.VoidType(), [anything, number, number, number])
        fetch = builder.module.declare_intrinsic("llvm.prefetch", [anything], kind)
        builder.call(fetch, [place, number(_READ), number(_KEEP), number(_DATA)])
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


prefetch: Any = intrinsic(_prefetch)
"""``prefetch(array, index)`` in compiled code: ask for the memory of one element."""
