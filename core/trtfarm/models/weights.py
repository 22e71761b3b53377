"""A model's tensors: where their bytes are, whichever of the ways to store them was used."""

from __future__ import annotations

import array
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from trtfarm.models import limits
from trtfarm.models.decoding import Buffer, read_varint
from trtfarm.models.elements import ELEMENT_TYPES, ElementType
from trtfarm.models.external import external_reference, open_external
from trtfarm.models.malformed import MalformedError
from trtfarm.models.messages import Message, Region, Span
from trtfarm.regular_files import open_regular

_EXTERNAL = 1
_PIECE = 1 << 20
_INTEGER_CODES = {8: "B", 16: "H", 32: "I", 64: "Q"}
_FIELDS = ("raw_data", "float_data", "int32_data", "string_data", "int64_data", "double_data", "uint64_data")


@dataclass(frozen=True, kw_only=True)
class Weight:
    """A tensor stored in the model: an initializer, or one in a node's attribute.

    `content` is its elements as little-endian bytes in row-major order, or where they lie in a file; for string
    tensors, the strings. `size` is in bytes. Tensors in attributes often have no name.
    """

    name: str
    dtype: str
    dims: tuple[int, ...]
    size: int
    content: Region | bytes | tuple[bytes, ...]


class ModelFiles:
    """The model file and those beside it."""

    def __init__(self, model: Path) -> None:
        self._model = model
        self._sizes: dict[str, int] = {}

    def size(self, location: str) -> int:
        """Bytes of an external file; raises MalformedError when it is not there or must not be read."""
        if location not in self._sizes:
            with open_external(self._model.parent, location) as file:
                self._sizes[location] = file.seek(0, 2)
        return self._sizes[location]

    @property
    def locations(self) -> tuple[str, ...]:
        """The external files that were asked for."""
        return tuple(sorted(self._sizes))

    def chunks(self, region: Region) -> Iterator[bytes]:
        """The region's bytes in pieces; raises MalformedError when the file is too short by now."""
        with self._open(region.location) as file:
            file.seek(region.offset)
            left = region.size
            while left:
                piece = file.read(min(left, _PIECE))
                if not piece:
                    raise MalformedError(f"{region.location or 'the model file'} became shorter while it was read")
                left -= len(piece)
                yield piece

    def _open(self, location: str) -> BinaryIO:
        return open_external(self._model.parent, location) if location else open_regular(self._model)


class WeightReader:
    """Finds tensors' contents in a model file's buffer and external files; counts them against the limits."""

    def __init__(self, data: Buffer, files: ModelFiles) -> None:
        self._data = data
        self._files = files
        self._bytes_left = limits.WEIGHT_BYTES
        self._integers_left = limits.UNPACKED_INTEGERS
        self._string_bytes_left = limits.STRING_TENSOR_BYTES

    def read(self, tensor: Message) -> Weight:
        """The weight that a TensorProto holds; raises MalformedError when data and dimensions do not agree."""
        name, dims = tensor.text("name"), tensor.integers("dims")
        element = ELEMENT_TYPES.get(tensor.integer("data_type"))
        if element is None:
            raise MalformedError(f"the tensor {name!r} has the unknown data type {tensor.integer('data_type')}")
        if len(dims) > limits.RANK or any(dim < 0 for dim in dims) or "segment" in tensor:
            raise MalformedError(f"the tensor {name!r} has dimensions or segments that cannot be: {dims[:8]}")
        size = element.size(dims)
        self._bytes_left -= size
        if self._bytes_left < 0:
            raise MalformedError(f"its weights are more than {limits.WEIGHT_BYTES:,} bytes")
        content = self._content(tensor, element, size)
        found = content.size if isinstance(content, Region) else len(content)
        expected = size if element.bits else math.prod(dims)
        if found != expected:
            raise MalformedError(
                f"the tensor {name!r} is {element.name} {list(dims)}, which takes {expected:,} "
                f"{'bytes' if element.bits else 'strings'}, but holds {found:,}"
            )
        return Weight(name=name, dtype=element.name, dims=dims, size=size, content=content)

    def _content(self, tensor: Message, element: ElementType, size: int) -> Region | bytes | tuple[bytes, ...]:
        name = tensor.text("name")
        used = [field for field in _FIELDS if tensor.spans(field)]
        if tensor.integer("data_location") == _EXTERNAL:
            if used or not element.bits:
                raise MalformedError(f"the tensor {name!r} has its data both in the model and outside")
            return self._external(tensor, size)
        if len(used) > 1:
            raise MalformedError(f"the tensor {name!r} has its data in several fields: {', '.join(used)}")
        if not used:
            return b"" if element.bits else ()
        field, spans = used[0], tensor.spans(used[0])
        if not element.bits and field == element.field:
            return self._strings(spans)
        if field == "raw_data" and element.bits:
            return _region(spans[0])
        if field != element.field or (element.bits % 8 and 8 % element.bits):
            raise MalformedError(f"the tensor {name!r} of {element.name} has its data in {field}")
        if field in ("float_data", "double_data"):
            return self._fixed(spans)
        return self._integers(spans, max(element.bits, 8))

    def _external(self, tensor: Message, size: int) -> Region:
        reference = external_reference(tensor)
        length = size if reference.length is None else reference.length
        if reference.offset + length > self._files.size(reference.location):
            raise MalformedError(
                f"the tensor {tensor.text('name')!r} ends at byte {reference.offset + length:,} of "
                f"{reference.location!r}, which has {self._files.size(reference.location):,}: it is cut short",
                remedy="copy or download the file with the weights again",
            )
        return Region(reference.location, reference.offset, length)

    def _strings(self, spans: tuple[Span, ...]) -> tuple[bytes, ...]:
        self._string_bytes_left -= sum(span.end - span.start for span in spans)
        if self._string_bytes_left < 0:
            raise MalformedError(f"its string tensors have more than {limits.STRING_TENSOR_BYTES:,} bytes")
        return tuple(self._data[span.start : span.end] for span in spans)

    def _fixed(self, spans: tuple[Span, ...]) -> Region | bytes:
        if len(spans) == 1:
            return _region(spans[0])
        return b"".join(self._data[span.start : span.end] for span in spans)

    def _integers(self, spans: tuple[Span, ...], bits: int) -> bytes:
        values = array.array(_INTEGER_CODES[bits])
        mask = (1 << bits) - 1
        for span in spans:
            position = span.start
            while position < span.end:
                value, position = read_varint(self._data, position, span.end)
                values.append(value & mask)
                self._integers_left -= 1
                if self._integers_left < 0:
                    raise MalformedError(
                        f"more than {limits.UNPACKED_INTEGERS:,} integers are not stored as raw bytes",
                        remedy="save the model with raw_data (onnx.numpy_helper.from_array writes it)",
                    )
        if sys.byteorder == "big":
            values.byteswap()
        return values.tobytes()


def _region(span: Span) -> Region:
    return Region("", span.start, span.end - span.start)
