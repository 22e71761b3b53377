"""Scales as tables write them: the 8 hex digits of a big-endian float32, equal to amax / 127."""

from __future__ import annotations

import math
import re
import struct

#: The largest magnitude of a symmetric INT8 value.
LEVELS = 127
#: The smallest normal float32. GPUs flush what is below to zero.
SMALLEST = 2.0**-126

_FLOAT32 = re.compile(r"[0-9a-f]{8}")
_FLOAT64 = re.compile(r"[0-9a-f]{16}")


def is_float32_hex(digits: str) -> bool:
    return _FLOAT32.fullmatch(digits) is not None


def is_float64_hex(digits: str) -> bool:
    return _FLOAT64.fullmatch(digits) is not None


def float32_from_hex(digits: str) -> float:
    """The value as a Python float, which holds every float32 exactly."""
    return float(struct.unpack(">f", bytes.fromhex(digits))[0])


def float64_from_hex(digits: str) -> float:
    return float(struct.unpack(">d", bytes.fromhex(digits))[0])


def hex_from_float64(value: float) -> str:
    return struct.pack(">d", value).hex()


def amax_from_hex(digits: str) -> float:
    """amax = scale * 127 rounded once to float32; infinite where float32 ends."""
    # The product of 24 and 7 significant bits is exact in float64.
    product = float32_from_hex(digits) * LEVELS
    try:
        return float(struct.unpack(">f", struct.pack(">f", product))[0])
    except OverflowError:
        return math.copysign(math.inf, product)
