"""Batches of inputs as Polygraphy saves them (`--save-inputs`, `save_json`): where in its files which array is.

JSON, read in pieces and without Polygraphy: a list of dictionaries, one for each batch, of
input -> {"array": a `.npy` in base64, "polygraphy_class": "ndarray"}; or a folder of files `0000000000.json`, … with
a dictionary each. The batches of an input make up its samples.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar

from trtfarm.datasets import limits
from trtfarm.datasets.files import DataFile, Reader, damaged
from trtfarm.errors import DataError

Value = TypeVar("Value")

_FILE_OF_ONE = re.compile(r"[0-9]{10}\.json")
_MARKS = {"polygraphy_class": "ndarray", "__polygraphy_encoded_ndarray": "polygraphy_serialized_json_type"}
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"')
_LONGEST_NAME = 1 << 16
_NO_SPACE = re.compile(rb"[^ \t\r\n]")
_REMEDY = "write it with polygraphy run --save-inputs, or the arrays as .npz: numpy.savez(path, **{'<input>': array})"


@dataclass(frozen=True, kw_only=True)
class EncodedArray:
    """Where an array stands in a file, as base64: bytes from `start` to `end`."""

    file: DataFile
    start: int
    end: int


def is_feeds_folder(folder: Path) -> bool:
    """Whether a folder has files of one batch each and none of another kind of data."""
    names = [path.name for path in folder.iterdir()]
    return any(map(_FILE_OF_ONE.fullmatch, names)) and not any(name.endswith((".npy", ".toml")) for name in names)


def feeds_of(file: DataFile) -> Mapping[str, Sequence[EncodedArray]]:
    """The arrays by name, each in the order of the batches; raises DataError."""
    found: dict[str, list[EncodedArray]] = {}
    batch = arrays = 0
    for one in _files(file):
        with one.open() as raw:
            for feed in _Scanner(one, raw, limits.FEED_ARRAYS - arrays).feeds():
                if not feed or (found and feed.keys() != found.keys()):
                    raise DataError(
                        f"batch {batch} of {file} has {_listed(feed)}",
                        cause=f"the first one has {_listed(found)}" if found else None,
                        remedy="each batch has to have all inputs",
                    )
                for name, text in feed.items():
                    found.setdefault(name, []).append(text)
                batch, arrays = batch + 1, arrays + len(feed)
    if not found:
        raise DataError(f"{file} has no batches", remedy=_REMEDY)
    return found


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"{name:.80}" for name in list(names)[:20]) or "nothing"


def _files(file: DataFile) -> Iterator[DataFile]:
    if not file.path.is_dir():
        yield file
        return
    for path in sorted(path for path in file.path.iterdir() if _FILE_OF_ONE.fullmatch(path.name)):
        yield DataFile(path=path, root=file.root or file.path)


class _Scanner:
    """Reads the one form of JSON that Polygraphy writes, in pieces; raises DataError for any other."""

    def __init__(self, file: DataFile, raw: BinaryIO, most: int) -> None:
        self._file = file
        self._arrays_left = most
        self._reader = Reader(str(file), raw)
        self._buffer = b""
        #: Where the buffer begins in the file, and how much of it was read.
        self._start = self._at = 0

    def feeds(self) -> Iterator[dict[str, EncodedArray]]:
        """The batches: one, or a list of them."""
        if self._peek() == b"{":
            yield dict(self._entries(self._array))
        else:
            yield from self._parts(b"[", lambda: dict(self._entries(self._array)), b"]")
        if self._peek():
            raise self._unlike("something comes after its end")

    def _parts(self, first: bytes, read: Callable[[], Value], last: bytes) -> Iterator[Value]:
        """What stands between two brackets, with commas between."""
        self._take(first)
        if self._peek() != last:
            yield read()
            while self._peek() == b",":
                self._at += 1
                yield read()
        self._take(last)

    def _entries(self, read: Callable[[str], Value]) -> Iterator[tuple[str, Value]]:
        """The names in a dictionary, each once, and what `read` makes of their values."""
        names: set[str] = set()

        def entry() -> tuple[str, Value]:
            name = self._text()
            if name in names:
                raise self._unlike(f"{name:.80} stands there twice")
            names.add(name)
            self._take(b":")
            return name, read(name)

        yield from self._parts(b"{", entry, b"}")

    def _array(self, name: str) -> EncodedArray:
        self._arrays_left -= 1
        if self._arrays_left < 0:
            raise DataError(f"{self._file} has too many arrays", cause=f"{limits.FEED_ARRAYS:,} are allowed in all")
        values = dict(self._entries(self._field))
        text = values.pop("array", None)
        if (
            not isinstance(text, EncodedArray)
            or not values
            or any(_MARKS[key] != value for key, value in values.items())
        ):
            raise self._unlike(f"{name:.80} is no NumPy array")
        return text

    def _field(self, name: str) -> EncodedArray | str:
        if name == "array":
            return self._base64()
        if name not in _MARKS:
            raise self._unlike(f"{name:.80} is no part of a NumPy array")
        return self._text()

    def _text(self) -> str:
        self._peek()
        self._fill(_LONGEST_NAME)
        found = _STRING.match(self._buffer, self._at, self._at + _LONGEST_NAME)
        if found is None:
            raise self._unlike("a name should stand there")
        self._at = found.end()
        try:
            return str(json.loads(found[0].decode()))
        except ValueError:
            raise self._unlike("a name is no text") from None

    def _base64(self) -> EncodedArray:
        """Where the next string stands; whether it is base64 is seen when it is decoded."""
        self._take(b'"')
        start = self._start + self._at
        while (end := self._buffer.find(b'"', self._at)) < 0:
            self._at = len(self._buffer)
            if not self._fill(1):
                raise damaged(str(self._file), "it ends within an array")
        self._at = end + 1
        return EncodedArray(file=self._file, start=start, end=self._start + end)

    def _peek(self) -> bytes:
        """The next byte that is no space; nothing at the end."""
        while self._fill(1):
            if found := _NO_SPACE.search(self._buffer, self._at):
                self._at = found.start()
                return found[0]
            self._at = len(self._buffer)
        return b""

    def _take(self, expected: bytes) -> None:
        if self._peek() != expected:
            raise self._unlike(f"{expected.decode()} should stand there")
        self._at += 1

    def _fill(self, size: int) -> bool:
        """Reads on until so many bytes are at hand, or all that there are; whether there is any."""
        while len(self._buffer) - self._at < size and (piece := self._reader.read(limits.CHUNK_BYTES)):
            self._buffer = self._buffer[self._at :] + piece
            self._start += self._at
            self._at = 0
        return self._at < len(self._buffer)

    def _unlike(self, cause: str) -> DataError:
        return DataError(
            f"{self._file} is no list of inputs as Polygraphy saves it",
            cause=f"byte {self._start + self._at:,}: {cause}",
            remedy=_REMEDY,
        )
