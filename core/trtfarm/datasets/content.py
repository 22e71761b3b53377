"""What a file or folder of data is, told by what is in it."""

from __future__ import annotations

from pathlib import Path

from trtfarm.datasets.archives import member_names
from trtfarm.datasets.feeds import feeds_of, is_feeds_folder
from trtfarm.datasets.files import DataFile
from trtfarm.datasets.kinds import SourceKind, kind_of
from trtfarm.datasets.sources import InputSource


def array_file(path: Path) -> InputSource:
    """A file as a source by its content; raises DataError."""
    file = DataFile(path=path)
    return InputSource(kind=kind_at(file), file=file)


def kind_at(file: DataFile) -> SourceKind:
    """What a file or folder is."""
    if not file.path.is_dir():
        return kind_of(file)
    return SourceKind.POLYGRAPHY if is_feeds_folder(file.path) else SourceKind.IMAGES


def names_in(source: InputSource) -> tuple[str, ...] | None:
    """The names of the arrays in a file that may have several; None for one that has a single one without a name."""
    if source.kind is SourceKind.NPZ:
        return member_names(source.file)
    return tuple(feeds_of(source.file)) if source.kind is SourceKind.POLYGRAPHY else None
