"""The element types of ONNX tensors: names, widths, and the field that holds them when they are not raw bytes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ElementType:
    """`bits` of one element (0 for strings); those narrower than a byte are packed, the first in the lowest bits."""

    name: str
    bits: int
    field: str

    def size(self, dims: Sequence[int]) -> int:
        """Bytes of a tensor of these dimensions."""
        return (math.prod(dims) * self.bits + 7) // 8


_INT32, _UINT64 = "int32_data", "uint64_data"

#: By TensorProto.DataType. Names are numpy's where numpy has the type.
ELEMENT_TYPES = {
    1: ElementType("float32", 32, "float_data"),
    2: ElementType("uint8", 8, _INT32),
    3: ElementType("int8", 8, _INT32),
    4: ElementType("uint16", 16, _INT32),
    5: ElementType("int16", 16, _INT32),
    6: ElementType("int32", 32, _INT32),
    7: ElementType("int64", 64, "int64_data"),
    8: ElementType("string", 0, "string_data"),
    9: ElementType("bool", 8, _INT32),
    10: ElementType("float16", 16, _INT32),
    11: ElementType("float64", 64, "double_data"),
    12: ElementType("uint32", 32, _UINT64),
    13: ElementType("uint64", 64, _UINT64),
    14: ElementType("complex64", 64, "float_data"),
    15: ElementType("complex128", 128, "double_data"),
    16: ElementType("bfloat16", 16, _INT32),
    17: ElementType("float8e4m3fn", 8, _INT32),
    18: ElementType("float8e4m3fnuz", 8, _INT32),
    19: ElementType("float8e5m2", 8, _INT32),
    20: ElementType("float8e5m2fnuz", 8, _INT32),
    21: ElementType("uint4", 4, _INT32),
    22: ElementType("int4", 4, _INT32),
    23: ElementType("float4e2m1", 4, _INT32),
    24: ElementType("float8e8m0", 8, _INT32),
    25: ElementType("uint2", 2, _INT32),
    26: ElementType("int2", 2, _INT32),
    27: ElementType("float6e2m3", 6, _INT32),
    28: ElementType("float6e3m2", 6, _INT32),
}
