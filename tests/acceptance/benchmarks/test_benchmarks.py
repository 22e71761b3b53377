"""Benchmarks that take little more than what they measure run at all; what they measure is not looked at."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY

_SIZES = {
    "ENGINES": 400,
    "SEARCHES": 2,
    "BLOB_BYTES": 3_000_000,
    "TRANSFERS": 1,
}


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("engine_queries", "PostgreSQL: p95 of all"),
        ("blob_transfer", "download: "),
    ],
)
def test_it_measures(name: str, told: str) -> None:
    sizes = {f"TRTFARM_BENCH_{what}": str(size) for what, size in _SIZES.items()}
    command = [sys.executable, "-m", "benchmarks", name]
    ended = subprocess.run(
        command, cwd=REPOSITORY, env={**os.environ, **sizes}, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert told in ended.stdout
