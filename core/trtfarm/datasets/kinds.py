"""The kinds of data, told apart by how a file begins."""

from __future__ import annotations

import re
from enum import StrEnum

from trtfarm.datasets.files import DataFile, Reader

NPY_MAGIC = b"\x93NUMPY"
GZIP_MAGIC = b"\x1f\x8b"
_ZIP_MAGICS = (b"PK\x03\x04", b"PK\x05\x06")
#: NumPy's name of an idx file's elements, by the file's third byte.
IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
#: Bytes of an idx file before its dimensions.
IDX_HEAD = 4


class SourceKind(StrEnum):
    """What a file or folder of data is."""

    #: One array, from numpy.save.
    NPY = "npy"
    #: Arrays by name, from numpy.savez.
    NPZ = "npz"
    #: The format of the MNIST files, perhaps gzipped.
    IDX = "idx"
    #: Batches by name, from Polygraphy's --save-inputs: a JSON file, or a folder of such.
    POLYGRAPHY = "polygraphy"
    #: Elements of the model's type and shape alone, from tofile.
    RAW = "raw"
    #: A folder of images, or a text file that lists some.
    IMAGES = "images"


#: What a file is meant to be that begins as no array does: no list of images, in spite of that.
_SUFFIXES = {".npy": SourceKind.NPY, ".npz": SourceKind.NPZ, ".json": SourceKind.POLYGRAPHY}
#: What has no beginning of its own, and so may begin as an idx file does.
_RAW_SUFFIX = ".bin"
_FEEDS_HEAD = re.compile(rb"\s*\[\s*(\{|\])")
_HEAD = 64


def kind_of(file: DataFile) -> SourceKind:
    """What a file is by its first bytes; what is none of the array formats is taken for a list of images, unless its
    name says that it was to be an array. A `.bin` that is no `.npy` or `.npz` holds nothing but elements.
    """
    with file.open() as raw:
        head = Reader(str(file), raw).read(_HEAD)
    if head.startswith(NPY_MAGIC):
        return SourceKind.NPY
    if head.startswith(_ZIP_MAGICS):
        return SourceKind.NPZ
    if file.path.suffix.lower() == _RAW_SUFFIX:
        return SourceKind.RAW
    if _FEEDS_HEAD.match(head):
        return SourceKind.POLYGRAPHY
    if is_idx(head):
        return SourceKind.IDX
    return _SUFFIXES.get(file.path.suffix.lower(), SourceKind.IMAGES)


def begins_as_feeds(file: DataFile) -> bool:
    """Whether a JSON file is no specification, but a list as Polygraphy saves inputs."""
    with file.open() as raw:
        return _FEEDS_HEAD.match(Reader(str(file), raw).read(_HEAD)) is not None


def is_idx(head: bytes) -> bool:
    """Whether a file that starts so may be an idx file, perhaps gzipped."""
    return head.startswith(GZIP_MAGIC) or (len(head) >= IDX_HEAD and head[:2] == b"\0\0" and head[2] in IDX_TYPES)
