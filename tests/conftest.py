"""What tests of every kind share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine takes longer than a property's deadline of 0.2 s, which says nothing about the code.
settings.register_profile("trtfarm", deadline=None)
settings.load_profile("trtfarm")

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
