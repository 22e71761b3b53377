"""A process that is killed while it writes a blob leaves nothing that could be taken for one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from trtfarm.blobs.folder import Folder
from trtfarm.blobs.store import BlobStore

WRITER = """
import sys
from pathlib import Path
from trtfarm.blobs.folder import Folder

def chunks():
    yield b"half of the engine"
    print("half", flush=True)
    sys.stdin.read()

Folder(Path(sys.argv[1])).put("sha256/aa/" + "a" * 62, chunks())
"""


def test_a_killed_writer_leaves_no_blob(tmp_path: Path) -> None:
    root = tmp_path / "blobs"
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "half\n"
        writer.kill()
    store = BlobStore(Folder(root))
    assert list(store.blobs()) == []
    [unfinished] = (root / "tmp").iterdir()
    assert unfinished.read_bytes() == b"half of the engine"
    assert store.sweep(-1) == 1
    assert list((root / "tmp").iterdir()) == []
