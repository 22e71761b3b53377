"""Names and operators of an ONNX file's nodes, read off the protobuf itself: TensorRT's interpreters have no `onnx`."""

from pathlib import Path
from typing import BinaryIO, Dict, Iterator, Tuple

# Field numbers in onnx.proto, and wire types of protobuf's encoding.
_MODEL_GRAPH, _GRAPH_NODE, _NODE_NAME, _NODE_OPERATOR = 7, 1, 3, 4
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_FIXED_BYTES = {_FIXED64: 8, _FIXED32: 4}
_VARINT_BYTES = 10
_CONTINUES = 0x80
_SHOWN = 200


def node_label(path: Path, index: int) -> str:
    """`'/norm/LayerNormalization' (LayerNormalization)` for the node with this index; empty where it is not found.

    The file may be damaged or hostile, and this is only told beside an error: what cannot be followed ends the search.
    Weights are skipped, not read.
    """
    if index < 0:
        return ""
    with path.open("rb") as file:
        end = path.stat().st_size
        try:
            nodes = (node for graph in _parts(file, 0, end, _MODEL_GRAPH) for node in _parts(file, *graph, _GRAPH_NODE))
            start, stop = next(span for number, span in enumerate(nodes) if number == index)
            texts = _texts(file, start, stop)
        except (StopIteration, _CutShortError):
            return ""
    return "{!r} ({})".format(texts.get(_NODE_NAME, ""), texts.get(_NODE_OPERATOR, ""))


class _CutShortError(Exception):
    """The bytes end, or are no protobuf."""


def _texts(file: BinaryIO, start: int, end: int) -> Dict[int, str]:
    texts = {}
    for number in (_NODE_NAME, _NODE_OPERATOR):
        for begin, stop in _parts(file, start, end, number):
            file.seek(begin)
            texts[number] = file.read(min(stop - begin, _SHOWN)).decode("utf-8", "replace")
    return texts


def _parts(file: BinaryIO, start: int, end: int, wanted: int) -> Iterator[Tuple[int, int]]:
    """Start and end of each field `wanted` within a message; raises _CutShortError."""
    position = start
    while position < end:
        file.seek(position)
        key, wire = divmod(_varint(file), 8)
        size = _FIXED_BYTES.get(wire, 0)
        if wire in (_VARINT, _LENGTH):
            value = _varint(file)
            size = value if wire == _LENGTH else 0
        elif not size:
            raise _CutShortError
        begin = file.tell()
        position = begin + size
        if position > end:
            raise _CutShortError
        if key == wanted and wire == _LENGTH:
            yield begin, position


def _varint(file: BinaryIO) -> int:
    value = 0
    for place in range(_VARINT_BYTES):
        byte = file.read(1)
        if not byte:
            raise _CutShortError
        value |= (byte[0] & 0x7F) << 7 * place
        if byte[0] < _CONTINUES:
            return value
    raise _CutShortError
