from __future__ import annotations

import os
from pathlib import Path

from trtfarm.blobs.objects import Objects
from trtfarm.blobs.store import BlobStore
from trtfarm_worker.steps.shared import Shared


def test_a_file_is_fetched_once_unless_something_has_touched_it(tmp_path: Path) -> None:
    blobs, shared = BlobStore(Objects.in_folder(tmp_path / "blobs")), Shared()
    model, other = blobs.put_bytes(b"model"), blobs.put_bytes(b"other")
    path = tmp_path / "inputs" / "model.onnx"
    shared.fetch(blobs, model.digest, path)
    first = path.stat()
    shared.fetch(blobs, model.digest, path)
    assert path.stat().st_ino == first.st_ino
    path.write_bytes(b"wrong")
    os.utime(path, ns=(first.st_atime_ns, first.st_mtime_ns))
    shared.fetch(blobs, model.digest, path)
    assert path.read_bytes() == b"model"
    path.unlink()
    shared.fetch(blobs, model.digest, path)
    assert path.read_bytes() == b"model"
    shared.fetch(blobs, other.digest, path)
    assert path.read_bytes() == b"other"
