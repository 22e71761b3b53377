"""A store of blobs in a folder of the test's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from trtfarm.blobs.objects import Objects
from trtfarm.blobs.store import BlobStore


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "blobs"


@pytest.fixture
def store(root: Path) -> BlobStore:
    return BlobStore(Objects.in_folder(root))
