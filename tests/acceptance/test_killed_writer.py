"""A process that is killed while it writes a blob leaves nothing that could be taken for one."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contracts.blobs import key_of
from trtfarm.blobs.location import store_at
from trtfarm.digests import digest_of_bytes

#: Three pieces, more than one part of an upload.
CONTENT = bytes(20 << 20)
#: Stores them and kills itself where argv[3] says: among the bytes, or at one of the calls that make them last.
WRITER = """
import os, signal, sys
from pathlib import Path
import obstore
from trtfarm.blobs import folder
from trtfarm.blobs.objects import Objects

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def chunks():
    yield bytes(12 << 20)
    yield bytes(4 << 20)
    if point == "bytes":
        die()
    yield bytes(4 << 20)

root, key, point = sys.argv[1:]
if point == "sync":
    folder.sync = die
if point == "rename":
    obstore.rename = die
Objects.in_folder(Path(root)).put(key, chunks())
"""


@pytest.mark.parametrize("point", ["bytes", "sync", "rename"])
def test_a_killed_writer_leaves_no_blob(tmp_path: Path, point: str) -> None:
    digest = digest_of_bytes(CONTENT)
    writer = subprocess.run([sys.executable, "-c", WRITER, str(tmp_path), key_of(digest), point], check=False)
    assert writer.returncode == -signal.SIGKILL
    store = store_at(str(tmp_path))
    assert list(store.blobs()) == []
    assert store.size(digest) is None
    assert len(list((tmp_path / "tmp").iterdir())) == 1
    assert store.sweep(-1) == 1
    assert list((tmp_path / "tmp").iterdir()) == []
    assert store.verify(store.put_bytes(CONTENT).digest)
