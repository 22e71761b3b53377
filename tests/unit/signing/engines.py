"""Rows of engines to sign."""

from __future__ import annotations

from typing import Any

from trtfarm.database.schema import EngineRow
from trtfarm.digests import digest_of_bytes

PLAN = b"a plan: native code, as far as anybody knows"


def engine_row(**changes: Any) -> EngineRow:
    values: dict[str, Any] = {
        "id": "eng_1",
        "key": digest_of_bytes(b"key"),
        "blob": digest_of_bytes(PLAN),
        "size": len(PLAN),
        "precision": "int8",
        "tensorrt": "8.5.3.1",
        "compute_capability": "sm_90",
        "gpu": "NVIDIA H200",
        "profiles": {"data": {"min": [1, 4], "opt": [8, 4], "max": [32, 4]}},
        "facts": {
            "toolchain": "tensorrt",
            "io": [{"name": "data", "mode": "input", "dtype": "float32", "shape": [-1, 4]}],
        },
    }
    return EngineRow(**{**values, **changes})
