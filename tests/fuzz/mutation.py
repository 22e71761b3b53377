"""Bytes that are nearly what a parser expects: real files with a few changes, which reach deeper than noise does."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from hypothesis import strategies as st

#: A seed is repeated, spliced and extended up to this; beyond, an example only takes longer.
_LARGEST = 1 << 18
#: Formats have their headers at the start and their lists of contents at the end.
_EDGE = 1 << 12
_DIGITS = re.compile(rb"[0-9]+")

#: Where counts and sizes overflow, wrap round, or stop being numbers.
_EDGES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 62, (1 << 63) - 1, 1 << 63)
_NUMBERS = (*_EDGES, (1 << 64) - 1)
_WRITTEN = (
    *(str(number).encode() for number in _NUMBERS),
    *(str(-number).encode() for number in _EDGES),
    b"1" + b"0" * 5000,
    b"0x" + b"f" * 5000,
    b"1e999",
    b"nan",
    b"0.1",
    b"",
)
_NOISE = (b"\0", b"\n", b"\r\n", b"\x1b[31m", b"\xff\xfe", b"\xed\xa0\x80", "\u2028".encode(), b"../", b"/etc/passwd")

Draw = Callable[[st.SearchStrategy[int]], int]
_Change = Callable[[Draw, bytearray, "_Palette"], None]


class _Palette:
    """What is put into a seed: other seeds, and words that mean something in the format."""

    def __init__(self, seeds: Sequence[bytes], words: Sequence[bytes]) -> None:
        self.seeds = seeds
        self.words = (*words, *_NOISE)


def mutated(seeds: Sequence[bytes], words: Sequence[bytes] = ()) -> st.SearchStrategy[bytes]:
    """One of the seeds after up to eight changes; `words` are tokens of the format."""
    palette = _Palette(seeds, words)

    @st.composite
    def made(draw: Callable[[st.SearchStrategy[int]], int]) -> bytes:
        data = bytearray(seeds[draw(st.integers(0, len(seeds) - 1))])
        for _ in range(draw(st.integers(0, 8))):
            _CHANGES[draw(st.integers(0, len(_CHANGES) - 1))](draw, data, palette)
            del data[max(_LARGEST, *map(len, seeds)) :]
        return bytes(data)

    return made()


def _place(draw: Draw, data: bytearray) -> int:
    last = len(data)
    return draw(st.integers(0, min(last, _EDGE)) | st.integers(max(0, last - _EDGE), last) | st.integers(0, last))


def _span(draw: Draw, data: bytearray) -> slice:
    start = _place(draw, data)
    return slice(start, start + draw(st.integers(1, 16) | st.integers(1, 1024)))


def _flip(draw: Draw, data: bytearray, _: _Palette) -> None:
    if data:
        data[_place(draw, data) % len(data)] ^= 1 << draw(st.integers(0, 7))


def _remove(draw: Draw, data: bytearray, _: _Palette) -> None:
    del data[_span(draw, data)]


def _cut(draw: Draw, data: bytearray, _: _Palette) -> None:
    del data[_place(draw, data) :]


def _repeat(draw: Draw, data: bytearray, _: _Palette) -> None:
    span = _span(draw, data)
    data[span] = data[span] * draw(st.integers(2, 3) | st.integers(2, 300))


def _move(draw: Draw, data: bytearray, _: _Palette) -> None:
    piece, place = data[_span(draw, data)], _place(draw, data)
    data[place:place] = piece


def _insert(draw: Draw, data: bytearray, palette: _Palette) -> None:
    place, word = _place(draw, data), palette.words[draw(st.integers(0, len(palette.words) - 1))]
    data[place:place] = word


def _overwrite(draw: Draw, data: bytearray, palette: _Palette) -> None:
    place, word = _place(draw, data), palette.words[draw(st.integers(0, len(palette.words) - 1))]
    data[place : place + len(word)] = word


def _splice(draw: Draw, data: bytearray, palette: _Palette) -> None:
    other = bytearray(palette.seeds[draw(st.integers(0, len(palette.seeds) - 1))])
    data[_place(draw, data) :] = other[_place(draw, other) :]


def _number(draw: Draw, data: bytearray, _: _Palette) -> None:
    """A binary number of 1 to 8 bytes, in either order."""
    size, place = 1 << draw(st.integers(0, 3)), _place(draw, data)
    value = _NUMBERS[draw(st.integers(0, len(_NUMBERS) - 1))] & ((1 << 8 * size) - 1)
    data[place : place + size] = value.to_bytes(size, "big" if draw(st.integers(0, 1)) else "little")


def _written_number(draw: Draw, data: bytearray, _: _Palette) -> None:
    """A number written in digits becomes another one."""
    found = list(_DIGITS.finditer(data[:_EDGE])) + list(_DIGITS.finditer(data[-_EDGE:]))
    if found:
        match = found[draw(st.integers(0, len(found) - 1))]
        data[match.start() : match.end()] = _WRITTEN[draw(st.integers(0, len(_WRITTEN) - 1))]


_CHANGES: tuple[_Change, ...] = (
    _flip,
    _remove,
    _cut,
    _repeat,
    _move,
    _insert,
    _overwrite,
    _splice,
    _number,
    _written_number,
)
