"""The kinds of data, told apart by how a file begins."""

from __future__ import annotations

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
    #: A folder of images, or a text file that lists some.
    IMAGES = "images"


#: What a file is meant to be that begins as no array does: no list of images, in spite of that.
_SUFFIXES = {".npy": SourceKind.NPY, ".npz": SourceKind.NPZ}


def kind_of(file: DataFile) -> SourceKind:
    """What a file is by its first bytes; what is none of the array formats is taken for a list of images, unless its
    name says that it was to be an array.
    """
    with file.open() as raw:
        head = Reader(str(file), raw).read(8)
    if head.startswith(NPY_MAGIC):
        return SourceKind.NPY
    if head.startswith(_ZIP_MAGICS):
        return SourceKind.NPZ
    if is_idx(head):
        return SourceKind.IDX
    return _SUFFIXES.get(file.path.suffix.lower(), SourceKind.IMAGES)


def is_idx(head: bytes) -> bool:
    """Whether a file that starts so may be an idx file, perhaps gzipped."""
    return head.startswith(GZIP_MAGIC) or (len(head) >= IDX_HEAD and head[:2] == b"\0\0" and head[2] in IDX_TYPES)
