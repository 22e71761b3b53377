"""What tests of every kind share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def golden() -> Path:
    """The folder of tables that TensorRT itself wrote, with the models and data that made them."""
    folder = Path(os.environ.get("TRTFARM_GOLDEN", REPOSITORY.parent / "shared" / "golden"))
    if not folder.is_dir():
        if os.environ.get("CI"):
            pytest.fail(f"the golden files are not at {folder}: set TRTFARM_GOLDEN")
        pytest.skip("no golden files: set TRTFARM_GOLDEN")
    return folder
