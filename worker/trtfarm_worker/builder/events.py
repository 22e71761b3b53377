"""What a builder process says, read from the bytes of its pipe without trusting them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

#: An answer for a network of 100,000 tensors is about 5 MB.
LINE_BYTES = 32 << 20
TOTAL_BYTES = 512 << 20
_TEXT_CHARACTERS = 8192
#: What is counted: samples, bytes, layers.
_LARGEST = 1 << 62
_LEVELS = frozenset({"debug", "info", "warning", "error"})
# Terminal escapes in a node's name must not reach a terminal.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class MalformedEventError(ValueError):
    """Bytes that no builder of ours sends: its memory is corrupt, or somebody else wrote them."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a stage is; `total` None when that is not known."""

    stage: str
    done: int
    total: int | None
    unit: str


@dataclass(frozen=True, kw_only=True)
class LogLine:
    """A line for the job's log; `level` is debug, info, warning or error."""

    level: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Answer:
    result: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class HandedOver:
    """What is worth keeping before the answer, and without one."""

    result: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Failure:
    code: str
    message: str
    cause: str | None
    remedy: str | None
    trace: str | None


Event = Progress | LogLine | HandedOver | Answer | Failure


def clean(text: str) -> str:
    """Text fit for a terminal and a database: no control characters but tab and newline, at most 8,192 characters."""
    text = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)
    return text if len(text) <= _TEXT_CHARACTERS else text[:_TEXT_CHARACTERS] + " …"


class EventDecoder:
    """Cuts a byte stream into events; holds at most one unfinished line."""

    def __init__(self, *, line_bytes: int = LINE_BYTES, total_bytes: int = TOTAL_BYTES) -> None:
        self._line_bytes = line_bytes
        self._left = total_bytes
        self._pending = bytearray()

    def feed(self, data: bytes) -> Iterator[Event]:
        """The events that `data` completes; raises MalformedEventError."""
        self._left -= len(data)
        if self._left < 0:
            raise MalformedEventError("more events than any step has to tell")
        *lines, rest = data.split(b"\n")
        for line in lines:
            self._extend(line)
            whole, self._pending = self._pending, bytearray()
            yield event_of_line(whole)
        self._extend(rest)

    def end(self) -> None:
        """To be called at the end of the stream; an unfinished line is malformed."""
        if self._pending:
            raise MalformedEventError(f"an event that breaks off: {_quote(self._pending)}")

    def _extend(self, part: bytes) -> None:
        self._pending += part
        if len(self._pending) > self._line_bytes:
            raise MalformedEventError(f"an event longer than {self._line_bytes} bytes: {_quote(self._pending)}")


def event_of_line(line: bytes | bytearray) -> Event:
    """Reads one line; raises MalformedEventError."""
    try:
        data = json.loads(line, parse_constant=_refuse_constant, parse_float=_finite)
        # Half a surrogate pair can be written in JSON, escaped or as bytes, but in no file or database.
        if b"\\u" in line or b"\xed" in line:
            json.dumps(data, ensure_ascii=False).encode()
        return _READERS[data["event"]](data)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise MalformedEventError(f"{type(error).__name__}: {error} in {_quote(line)}") from error


def _progress(data: Mapping[str, Any]) -> Progress:
    total = data["total"]
    return Progress(
        stage=_text(data["stage"]),
        done=_integer(data["done"]),
        total=None if total is None else _integer(total),
        unit=_text(data["unit"]),
    )


def _log_line(data: Mapping[str, Any]) -> LogLine:
    level = _text(data["level"])
    if level not in _LEVELS:
        raise ValueError(f"no such level: {level!r}")
    return LogLine(level=level, text=_text(data["text"]))


def _answer(data: Mapping[str, Any]) -> Answer:
    return Answer(result=_result(data))


def _handed_over(data: Mapping[str, Any]) -> HandedOver:
    return HandedOver(result=_result(data))


def _failure(data: Mapping[str, Any]) -> Failure:
    return Failure(
        code=_text(data["code"]),
        message=_text(data["message"]),
        cause=_optional_text(data["cause"]),
        remedy=_optional_text(data["remedy"]),
        trace=_optional_text(data["trace"]),
    )


_READERS: dict[object, Callable[[Mapping[str, Any]], Event]] = {
    "progress": _progress,
    "log": _log_line,
    "handed over": _handed_over,
    "answer": _answer,
    "failure": _failure,
}


def _result(data: Mapping[str, Any]) -> Mapping[str, Any]:
    result = data["result"]
    if not isinstance(result, dict):
        raise TypeError("a result is an object")
    return result


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return clean(value)


def _optional_text(value: object) -> str | None:
    return None if value is None else _text(value)


def _integer(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{value!r} is no whole number")
    if abs(value) > _LARGEST:
        raise ValueError("a number that nothing is counted to")
    return value


def _finite(text: str) -> float:
    """1e999 is JSON, and infinite in Python, which no JSON says."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text:.40} is too large")
    return number


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _quote(line: bytes | bytearray) -> str:
    return repr(bytes(line[:120]))
