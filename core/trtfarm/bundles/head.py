"""The beginning of a bundle, its manifest and signature: enough for a farm to say what would come of all of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from trtfarm.bundles.container import Container, size_of
from trtfarm.bundles.content import files_of
from trtfarm.bundles.files import pieces_of
from trtfarm.bundles.manifest import Manifest
from trtfarm.bundles.statement import seal_of


def head_of(path: Path, name: str, tell: Callable[[int, int], None]) -> bytes:
    """That of a bundle whose files were read, and are what it says, whoever signed it; `tell` hears of the bytes read.

    `name` is what the user calls it. Raises BundleError, TableError, and as `pieces_of`.
    """
    container = Container(pieces_of(path), name)
    data, signature = container.manifest(), container.signature()
    seal_of(signature, name)
    length, manifest = container.place, Manifest.decode(data, name)
    total = size_of(len(data), len(signature), manifest.blobs)
    for _blob, content in files_of(container, manifest, {}, lambda: tell(container.place, total)):
        for _ in content:
            pass
    container.end()
    with path.open("rb") as file:
        return file.read(length)
