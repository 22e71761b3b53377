"""What scripts/gpu_check.py runs; a module of checks puts them on the list when it is imported."""

from __future__ import annotations

MODULES = (
    "calibration",
    "builds",
    "options",
    "reuse",
    "bad_input",
    "gpus",
    "engine_commands",
    "submissions",
    "full_gpu",
    "speed",
    "transformer",
)
