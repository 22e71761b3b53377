"""How large a benchmark is: what the issue asks for, unless the environment says less, to see that it works at all."""

from __future__ import annotations

import os


def size(name: str, default: int) -> int:
    """The whole number in TRTFARM_BENCH_<name>, or the default."""
    return int(os.environ.get(f"TRTFARM_BENCH_{name}", default))
