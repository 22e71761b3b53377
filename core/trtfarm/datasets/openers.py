"""How each kind of array file is opened as an `ArrayStream`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from trtfarm.datasets.feed_arrays import open_feeds
from trtfarm.datasets.files import DataFile
from trtfarm.datasets.idx import open_idx
from trtfarm.datasets.kinds import SourceKind
from trtfarm.datasets.npy import open_npy
from trtfarm.datasets.npz import open_npz
from trtfarm.datasets.streams import ArrayStream

#: Opens an array: the file, and the name of the array where there can be several.
OPENERS: dict[SourceKind, Callable[[DataFile, str | None], AbstractContextManager[ArrayStream]]] = {
    SourceKind.NPY: lambda file, _: open_npy(file),
    SourceKind.NPZ: open_npz,
    SourceKind.IDX: lambda file, _: open_idx(file),
    SourceKind.POLYGRAPHY: open_feeds,
}
