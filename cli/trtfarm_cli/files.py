"""Files that commands write: whole or not at all, and never over what they read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from trtfarm.errors import UsageError

_MODE = 0o644
_CHUNK_BYTES = 1 << 22
#: Bytes of a model's name in that of a file: with what comes before and after, file systems take 255.
_LONGEST_NAME = 180


def writable(path: Path, *, unlike: Sequence[Path] = ()) -> Path:
    """The path, if a file can be written there; told before long work is done for it.

    `unlike` are files that the command reads, or folders of such, and must not replace. Raises UsageError.
    """
    with _looking_at(path):
        _check_writable(path, unlike)
    return path


def _check_writable(path: Path, unlike: Sequence[Path]) -> None:
    if path.is_dir():
        raise UsageError(f"{path} is a folder", remedy="name a file in it")
    if path.exists() and any(_is_of(path, source) for source in unlike):
        raise UsageError(f"{path} would be replaced, and it is what is read", remedy="name another file")
    if path.exists() and not path.is_file():  # it would be replaced by a file, for everybody
        raise UsageError(f"{path} is a device or a pipe", remedy="name a file")
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent}", remedy="make it, or name another file")
    if not os.access(path.parent, os.W_OK):
        raise UsageError(f"the folder {path.parent} cannot be written", remedy="name a file elsewhere")


@contextmanager
def _looking_at(path: Path) -> Iterator[None]:
    """Tells why it cannot even be said what is at a path: a folder above that one may not enter, a name too long."""
    try:
        yield
    except OSError as error:
        raise UsageError(f"{path} cannot be written", cause=error.strerror, remedy="name a place elsewhere") from error


def _is_of(path: Path, source: Path) -> bool:
    """Whether an existing file is the source, or lies in it."""
    if not os.path.isdir(source):  # noqa: PTH112 - Path.is_dir raises for what one may not look at
        return os.path.exists(source) and path.samefile(source)  # noqa: PTH110 - as above
    return path.resolve().is_relative_to(source.resolve())


def folder_for(path: Path) -> Path:
    """The path of a folder that is there or can be made; told before long work is done for it. Raises UsageError."""
    with _looking_at(path):
        if not path.exists():
            return writable(path)
        if not path.is_dir():
            raise UsageError(f"{path} is no folder", remedy="name one; files in it get names of their own")
        if not os.access(path, os.W_OK | os.X_OK):
            raise UsageError(f"the folder {path} cannot be written", remedy="name another one")
    return path


def placed(destination: Path | None, name: str) -> Path:
    """Where a file goes: to `destination`; under its own name where that is a folder, or nothing was named."""
    into = destination is not None and os.path.isdir(destination)  # noqa: PTH112 - as above
    return destination / name if destination and into else destination or Path(name)


def engine_file_name(model: object, precision: object, compute_capability: object) -> str:
    """A name of our own making: what a server says is never a path, and a model's name may be too long for one."""
    short = str(model).encode()[:_LONGEST_NAME].decode(errors="ignore")
    words = (short, precision, compute_capability)
    return "-".join(str(word).replace("/", "_").replace("\0", "") for word in words) + ".engine"


def write_new(path: Path, data: bytes) -> None:
    """Writes or replaces a file in one step; on an error what was there before stays."""
    write_pieces(path, iter([data]))


def copy_new(source: Path, path: Path) -> None:
    """Copies a file in one step, like `write_new`."""
    with source.open("rb") as file:
        write_pieces(path, iter(lambda: file.read(_CHUNK_BYTES), b""))


def copy_once(source: Path, path: Path) -> None:
    """Copies a file unless an equal one is there. Raises UsageError where another one is: somebody may need it."""
    from trtfarm.digests import digest_of_file

    if path.exists():
        if digest_of_file(path) != digest_of_file(source):
            raise UsageError(
                f"there is another {path.name} in {path.parent}",
                cause="the model's weights, which are too large for its own file, would replace it",
                remedy="write the model to a folder of its own",
            )
        return
    copy_new(source, path)


def write_pieces(path: Path, pieces: Iterator[bytes]) -> None:
    """Writes or replaces a file in one step, like `write_new`; whatever `pieces` raises passes through."""
    from trtfarm.durable_files import write_durably
    from trtfarm.file_errors import storage_errors

    with storage_errors(path):
        write_durably(path, pieces, temporary=path.parent, mode=_MODE)
