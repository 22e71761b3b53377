"""A decoded protobuf message, and how a message type is described."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, Union


class Kind(Enum):
    """What a field holds; its value in a `Message` is given in brackets."""

    #: A varint: int32, int64, enum or bool (int, signed).
    INTEGER = 0
    #: Four bytes, little-endian (bytes).
    FIXED32 = 5
    #: UTF-8 without control characters (str).
    TEXT = 2
    #: Bytes that are kept (bytes).
    BYTES = 3
    #: A nested message (Message).
    MESSAGE = 4
    #: A tensor's elements, left where they are (Span); those of one field, put together, are its packed form.
    ELEMENTS = 6
    #: Read over.
    SKIPPED = 7


@dataclass(frozen=True, kw_only=True)
class Field:
    """A field of a message type. `kept` is False for what has no influence on an engine (who made it, remarks)."""

    name: str
    kind: Kind
    repeated: bool = False
    kept: bool = True
    message: str = ""
    #: Fields of the same choice exclude each other (protobuf's oneof).
    choice: str = ""
    #: The wire type of one value. Numbers that repeat may also be packed into a byte string, which has type 2.
    wire: int = 2


Schema = Mapping[int, Field]


class Span(NamedTuple):
    """Where some bytes of the model file start and end."""

    start: int
    end: int


class Region(NamedTuple):
    """Bytes of a file beside the model (or of the model file, when `location` is empty) that are not in memory."""

    location: str
    offset: int
    size: int


Value = Union[int, str, bytes, Span, Region, "Message"]


class Message:
    """A message's type and its values by field name; a field that is absent has no entry."""

    __slots__ = ("fields", "type")

    def __init__(self, type_: str, fields: dict[str, list[Value]]) -> None:
        self.type = type_
        self.fields = fields

    def __contains__(self, name: str) -> bool:
        return name in self.fields

    def integer(self, name: str) -> int:
        values = self.fields.get(name)
        return values[0] if values and isinstance(values[0], int) else 0

    def text(self, name: str) -> str:
        values = self.fields.get(name)
        return values[0] if values and isinstance(values[0], str) else ""

    def texts(self, name: str) -> tuple[str, ...]:
        return tuple(value for value in self.fields.get(name, ()) if isinstance(value, str))

    def integers(self, name: str) -> tuple[int, ...]:
        return tuple(value for value in self.fields.get(name, ()) if isinstance(value, int))

    def spans(self, name: str) -> tuple[Span, ...]:
        return tuple(value for value in self.fields.get(name, ()) if isinstance(value, Span))

    def messages(self, name: str) -> tuple[Message, ...]:
        return tuple(value for value in self.fields.get(name, ()) if isinstance(value, Message))

    def message(self, name: str) -> Message | None:
        return next(iter(self.messages(name)), None)

    def nested(self) -> Iterator[Message]:
        """This message and all within it, each before those it holds, by field number and then as in the file."""
        pending = [self]
        while pending:
            message = pending.pop()
            yield message
            found = [value for values in message.fields.values() for value in values if isinstance(value, Message)]
            pending.extend(reversed(found))
