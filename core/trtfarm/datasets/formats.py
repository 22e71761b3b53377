"""The file formats of data, told apart by content; those of arrays open as an `ArrayStream`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from enum import StrEnum

from trtfarm.datasets import npy
from trtfarm.datasets.idx import is_idx, open_idx
from trtfarm.datasets.npz import open_npz
from trtfarm.datasets.streams import ArrayStream, DataFile, Reader


class SourceKind(StrEnum):
    """What a file or folder of data is."""

    #: One array, from numpy.save.
    NPY = "npy"
    #: Arrays by name, from numpy.savez.
    NPZ = "npz"
    #: The format of the MNIST files, perhaps gzipped.
    IDX = "idx"
    #: A folder of images, or a text file that lists some.
    IMAGES = "images"


#: Opens an array: the file, and the name of the array where there can be several.
OPENERS: dict[SourceKind, Callable[[DataFile, str | None], AbstractContextManager[ArrayStream]]] = {
    SourceKind.NPY: lambda file, _: npy.open_npy(file),
    SourceKind.NPZ: open_npz,
    SourceKind.IDX: lambda file, _: open_idx(file),
}
_ZIP_MAGIC = b"PK\x03\x04"
_EMPTY_ZIP_MAGIC = b"PK\x05\x06"


def kind_of(file: DataFile) -> SourceKind:
    """What a file is by its first bytes; what is none of the array formats is taken for a list of images."""
    with file.open() as raw:
        head = Reader(str(file), raw).read(8)
    if head.startswith(npy.MAGIC):
        return SourceKind.NPY
    if head.startswith((_ZIP_MAGIC, _EMPTY_ZIP_MAGIC)):
        return SourceKind.NPZ
    return SourceKind.IDX if is_idx(head) else SourceKind.IMAGES
