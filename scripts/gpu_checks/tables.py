"""Tables compared, tensor by tensor."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any


def read_table(text: bytes) -> tuple[str, dict[str, str]]:
    """Header and scales (hex) of a table's text."""
    header, *lines = text.decode().splitlines()
    parts = (line.rpartition(": ") for line in lines)
    return header, {tensor: scale for tensor, _, scale in parts}


def number(scale: str) -> float:
    value: float = struct.unpack(">f", bytes.fromhex(scale))[0]
    return value


def differences(ours: Mapping[str, str], theirs: Mapping[str, str]) -> dict[str, Any]:
    """How far the scales of common tensors are apart: bit-equal ones, the largest relative difference and its tensor,
    and those that differ by more than 1e-5; and tensors that only one side has."""
    common = [tensor for tensor in ours if tensor in theirs]
    apart = {tensor: abs(number(ours[tensor]) / number(theirs[tensor]) - 1) for tensor in common}
    worst = max(apart, key=lambda tensor: apart[tensor], default=None)
    return {
        "common": len(common),
        "equal": sum(ours[tensor] == theirs[tensor] for tensor in common),
        "largest_relative": apart[worst] if worst else 0.0,
        "worst": worst,
        "apart": {tensor: round(value, 7) for tensor, value in apart.items() if value > 1e-5},
        "only_ours": [tensor for tensor in ours if tensor not in theirs],
        "only_theirs": [tensor for tensor in theirs if tensor not in ours],
    }
