"""From the protobuf wire format to messages, with every length, depth and count checked before it is followed.

Stricter than protobuf's own parsers, so that no two readers can see different models in one file: a field that may
stand once and stands twice, two members of a choice, a known field with another wire type, and groups are refused.
"""

from __future__ import annotations

import mmap
from collections.abc import Mapping

from trtfarm.models import limits
from trtfarm.models.malformed import MalformedError
from trtfarm.models.messages import Field, Kind, Message, Schema, Span, Value

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_FIXED_SIZES = {_FIXED64: 8, _FIXED32: 4}
_VARINT_BITS = 64
#: Protobuf reads no tag and no length from more than 5 bytes.
_SHORT_BITS = 35
_LARGEST_NUMBER = (1 << 29) - 1
_CONTINUES = 0x80
_SIGN, _MODULUS = 1 << 63, 1 << 64

Buffer = bytes | mmap.mmap


def signed(value: int) -> int:
    """A varint's 64 bits as int64."""
    return value - _MODULUS if value >= _SIGN else value


def read_varint(data: Buffer, position: int, end: int, bits: int = _VARINT_BITS) -> tuple[int, int]:
    """The varint at `position`, of up to so many bits, and the position after it; both within `end`."""
    value = shift = 0
    while position < end and shift < bits:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < _CONTINUES:
            return value & (_MODULUS - 1), position
        shift += 7
    raise MalformedError(f"the number that ends at byte {position} is cut short or too long")


class Decoder:
    """Decodes one buffer; counts what it reads against the limits. `unknown` collects fields that no schema lists."""

    def __init__(self, data: Buffer, schemas: Mapping[str, Schema]) -> None:
        self._data = data
        self._schemas = schemas
        self._choices = {type_: _choices(schema) for type_, schema in schemas.items()}
        self._fields_left = limits.FIELDS
        self._nodes_left = limits.NODES
        self.unknown: set[str] = set()

    def message(self, type_: str, start: int, end: int, depth: int = 1) -> Message:
        """The message of type `type_` in the bytes from `start` to `end`; raises MalformedError."""
        self._enter(type_, depth)
        data, schema = self._data, self._schemas[type_]
        fields: dict[str, list[Value]] = {}
        position, last, ordered = start, 0, True
        while position < end:
            key = data[position]
            position += 1
            if key >= _CONTINUES:
                key, position = read_varint(data, position - 1, end, _SHORT_BITS)
            number, wire = key >> 3, key & 7
            self._count(1)
            field = schema.get(number)
            span = self._extent(wire, position, end, type_, number)
            position = span.end
            if field is None:
                self.unknown.add(f"{type_} field {number}")
                continue
            if field.kind is Kind.SKIPPED:
                continue
            ordered, last = ordered and number >= last, number
            values = fields.setdefault(field.name, [])
            if values and not field.repeated:
                raise MalformedError(f"{type_}.{field.name} stands twice (byte {span.start})")
            self._read(field, wire, span, values, depth)
        for choice in self._choices[type_]:
            if len(choice & fields.keys()) > 1:
                raise MalformedError(f"{type_} has two values where only one may stand: {', '.join(sorted(choice))}")
        if not ordered:
            fields = {field.name: fields[field.name] for _, field in sorted(schema.items()) if field.name in fields}
        return Message(type_, fields)

    def _enter(self, type_: str, depth: int) -> None:
        if depth > limits.DEPTH:
            raise MalformedError(f"messages are nested more than {limits.DEPTH} deep")
        if type_ == "NodeProto":
            self._nodes_left -= 1
            if self._nodes_left < 0:
                raise MalformedError(f"it has more than {limits.NODES:,} nodes")

    def _count(self, number: int) -> None:
        self._fields_left -= number
        if self._fields_left < 0:
            raise MalformedError(f"more than {limits.FIELDS:,} fields")

    def _extent(self, wire: int, position: int, end: int, type_: str, number: int) -> Span:
        """Where the value that starts at `position` lies, without its length prefix."""
        start = position
        if wire == _LENGTH:
            size, start = read_varint(self._data, position, end, _SHORT_BITS)
            stop = start + size
        elif wire == _VARINT:
            _, stop = read_varint(self._data, position, end)
        elif wire in _FIXED_SIZES:
            stop = start + _FIXED_SIZES[wire]
        else:
            raise MalformedError(f"{type_} field {number} at byte {start:,} has the wire type {wire}, unknown to ONNX")
        if not 0 < number <= _LARGEST_NUMBER:
            raise MalformedError(f"{type_} has a field number {number} at byte {start:,}, which protobuf has not")
        if stop > end:
            raise MalformedError(
                f"{type_} field {number} at byte {start:,} should have {stop - start:,} bytes, but only "
                f"{end - start:,} are left: the file is cut short or damaged",
                remedy="compare its size with the original, and copy or download it again",
            )
        return Span(start, stop)

    def _read(self, field: Field, wire: int, span: Span, values: list[Value], depth: int) -> None:
        """Adds what the span holds to `values`."""
        kind = field.kind
        if wire != field.wire and not (wire == _LENGTH and field.repeated):
            raise MalformedError(f"{field.name} at byte {span.start:,} has the wire type {wire}, not {field.wire}")
        if kind is Kind.MESSAGE:
            values.append(self.message(field.message, span.start, span.end, depth + 1))
        elif kind is Kind.TEXT:
            values.append(self._text(field, span.start, span.end))
        elif kind is Kind.INTEGER:
            self._integers(span.start, span.end, values)
        elif kind is Kind.ELEMENTS:
            values.append(span)
        elif kind is Kind.FIXED32:
            self._floats(field, span.start, span.end, values)
        else:
            values.append(self._bytes(field, span.start, span.end))

    def _integers(self, position: int, end: int, values: list[Value]) -> None:
        while position < end:
            value, position = read_varint(self._data, position, end)
            values.append(signed(value))
            self._count(1)

    def _floats(self, field: Field, start: int, end: int, values: list[Value]) -> None:
        if (end - start) % 4:
            raise MalformedError(f"{field.name} at byte {start} has {end - start} bytes, which is not a multiple of 4")
        self._count((end - start) // 4)
        values.extend(self._data[at : at + 4] for at in range(start, end, 4))

    def _bytes(self, field: Field, start: int, end: int) -> bytes:
        if end - start > limits.BYTES_BYTES:
            raise MalformedError(f"{field.name} at byte {start} is longer than {limits.BYTES_BYTES:,} bytes")
        return self._data[start:end]

    def _text(self, field: Field, start: int, end: int) -> str:
        if end - start > limits.TEXT_BYTES:
            raise MalformedError(f"{field.name} at byte {start} is longer than {limits.TEXT_BYTES:,} bytes")
        try:
            text = self._data[start:end].decode()
        except UnicodeDecodeError:
            raise MalformedError(f"{field.name} at byte {start} is not UTF-8") from None
        if not text.isprintable():
            # Names end in tables, logs and terminals: a line feed there would forge a line.
            raise MalformedError(f"{field.name} at byte {start} has control characters: {text[:80]!r}")
        return text


def _choices(schema: Schema) -> list[set[str]]:
    """The names of fields that exclude each other."""
    names = {field.choice for field in schema.values() if field.choice}
    return [{field.name for field in schema.values() if field.choice == name} for name in names]


def decode(data: Buffer, schemas: Mapping[str, Schema], root: str) -> tuple[Message, frozenset[str]]:
    """The whole buffer as a message of type `root`, and what was in it that no schema lists."""
    decoder = Decoder(data, schemas)
    return decoder.message(root, 0, len(data)), frozenset(decoder.unknown)
