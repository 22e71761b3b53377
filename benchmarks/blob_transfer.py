"""A blob of a GiB to the farm and back, over HTTP with the farm's own client, against `cp` and `sha256sum`.

That is what one does by hand for the same: bytes in another place, and the certainty that they are the same. The farm
moves them between two processes, and syncs them to the disk besides. Debian's `sha256sum` does not use the processor's
instructions for SHA-256, and what does is several times as fast; so the farm is compared with `cp` and such a hash too.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.servers import free_port
from benchmarks.sizes import size
from trtfarm.digests import digest_of_file
from trtfarm.errors import UnreachableError
from trtfarm_client import Client, Link

_CP_SHA256SUM = "cp and sha256sum"
_CP_QUICK = "cp and a hash by the processor"
_UP, _DOWN = "upload", "download"
_WANTED = 2.0
_START_SECONDS = 30.0
_PIECE_BYTES = 1 << 24
#: The original, the copy of `cp`, what the server has twice while it takes it in, and what came back.
_COPIES = 5


def run() -> None:
    count = size("BLOB_BYTES", 1 << 30)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if shutil.disk_usage(folder).free < _COPIES * count:
            raise RuntimeError(f"{folder} has no room for {_COPIES * count:,} bytes")
        with _server(folder / "farm") as client:
            rounds = [_round(client, folder, count) for _ in range(size("TRANSFERS", 3))]
    seconds = {what: statistics.median(each[what] for each in rounds) for what in rounds[0]}
    for what, taken in seconds.items():
        print(f"{what:32}{taken:8.2f} s{count / taken / 1e6:10.0f} MB/s")
    for ours in (_UP, _DOWN):
        slow, quick = seconds[ours] / seconds[_CP_SHA256SUM], seconds[ours] / seconds[_CP_QUICK]
        print(f"{ours}: {slow:.2f} times {_CP_SHA256SUM} (wanted: {_WANTED:g} or less), {quick:.2f} times {_CP_QUICK}")


def _round(client: Client, folder: Path, count: int) -> dict[str, float]:
    """Seconds of each, with bytes that the farm has not seen."""
    original, copy = folder / "original", folder / "copy"
    digest = _write(original, count)
    taken = {
        _CP_SHA256SUM: _seconds(lambda: _copied(original, copy, _sha256sum)),
        _CP_QUICK: _seconds(lambda: _copied(original, copy, digest_of_file)),
        _UP: _seconds(lambda: client.upload([original])),
        _DOWN: _seconds(lambda: client.download_blob(digest, copy)),
    }
    copy.unlink()
    return taken


def _seconds(action: Callable[[], object]) -> float:
    os.sync()  # nobody pays for what another one has written
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun


def _copied(original: Path, copy: Path, hashed: Callable[[Path], object]) -> None:
    subprocess.run(["/bin/cp", original, copy], check=True)
    hashed(copy)
    copy.unlink()


def _sha256sum(path: Path) -> None:
    subprocess.run(["/usr/bin/sha256sum", path], check=True, stdout=subprocess.DEVNULL)


def _write(path: Path, count: int) -> str:
    """Bytes that nobody has seen before, and that nothing can make smaller; returns their digest."""
    with path.open("wb") as file:
        for start in range(0, count, _PIECE_BYTES):
            file.write(os.urandom(min(_PIECE_BYTES, count - start)))
    return digest_of_file(path)


@contextmanager
def _server(home: Path) -> Iterator[Client]:
    """A client of an API process of its own, on SQLite and a folder."""
    port = free_port()
    command = [sys.executable, "-m", "trtfarm_cli", "api", "--port", str(port)]
    environment = {**os.environ, "TRTFARM_HOME": str(home)}
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, env=environment, stdout=said, stderr=said)
        try:
            with Client(Link(url=f"http://127.0.0.1:{port}")) as client:
                _wait(client)
                yield client
        finally:
            process.terminate()
            process.wait()


def _wait(client: Client) -> None:
    """Until it answers; the client itself waits a few seconds for that. Raises UnreachableError."""
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            client.whoami()
        except UnreachableError:
            if time.monotonic() > deadline:
                raise
        else:
            return
