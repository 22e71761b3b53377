"""From messages back to the protobuf wire format, in one canonical form.

Canonical: fields by ascending number, numbers that repeat one by one (as onnx.proto declares them), shortest varints,
nothing that is not kept. The same messages give the same bytes, whoever wrote the file they came from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from trtfarm.models.messages import Field, Kind, Message, Region, Schema, Value

_VARINT, _LENGTH, _FIXED32 = 0, 2, 5
_MASK = (1 << 64) - 1
_CONTINUES = 0x80

#: What stands for a message of some type, by type.
Replacements = Mapping[str, Callable[[Message], Message]]


class Pieces:
    """Encoded bytes, with regions of files between them that stay where they are until they are written."""

    def __init__(self) -> None:
        self.parts: list[bytearray | Region] = []
        self.size = 0

    def add(self, part: bytes | bytearray | Region) -> None:
        if isinstance(part, Region):
            self.parts.append(part)
            self.size += part.size
            return
        self.size += len(part)
        if self.parts and isinstance(last := self.parts[-1], bytearray):
            last += part
        else:
            self.parts.append(bytearray(part))


def varint(value: int) -> bytes:
    """An int64 or uint64 as a varint; negative numbers as their 64-bit two's complement."""
    value &= _MASK
    if value < _CONTINUES:
        return bytes((value,))
    groups = bytearray()
    while value >= _CONTINUES:
        groups.append(value & 0x7F | _CONTINUES)
        value >>= 7
    groups.append(value)
    return bytes(groups)


class Encoder:
    """Encodes messages of `schemas`; those of a type in `replacements` are first put through the function there."""

    def __init__(self, schemas: Mapping[str, Schema], replacements: Replacements) -> None:
        self._schemas = {type_: sorted(schema.items()) for type_, schema in schemas.items()}
        self._replacements = replacements

    def encode(self, message: Message) -> Pieces:
        if message.type in self._replacements:
            message = self._replacements[message.type](message)
        pieces = Pieces()
        for number, field in self._schemas[message.type]:
            if field.kept and field.name in message.fields:
                for value in message.fields[field.name]:
                    self._add(pieces, number << 3, field, value)
        return pieces

    def _add(self, pieces: Pieces, tag: int, field: Field, value: Value) -> None:
        if isinstance(value, int):
            pieces.add(varint(tag | _VARINT) + varint(value))
        elif isinstance(value, str):
            data = value.encode()
            pieces.add(varint(tag | _LENGTH) + varint(len(data)) + data)
        elif isinstance(value, bytes) and field.kind is Kind.FIXED32:
            pieces.add(varint(tag | _FIXED32) + value)
        elif isinstance(value, bytes):
            pieces.add(varint(tag | _LENGTH) + varint(len(value)) + value)
        elif isinstance(value, Region):
            pieces.add(varint(tag | _LENGTH) + varint(value.size))
            pieces.add(value)
        elif isinstance(value, Message):
            nested = self.encode(value)
            pieces.add(varint(tag | _LENGTH) + varint(nested.size))
            for part in nested.parts:
                pieces.add(part)
        else:
            raise TypeError(f"{field.name} still lies in the model file")
