"""One request as a value: what is sent, and how its answer is read. Sending is left to the clients."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeAlias, TypeVar

from trtfarm.errors import NotFoundError
from trtfarm_client.sse import ServerEvent

Answer = TypeVar("Answer")

_NAME = re.compile(r"[0-9A-Za-z_:.-]{1,100}")


@dataclass(frozen=True, kw_only=True)
class Span:
    """Bytes of a file, from `start` up to, and without, `stop`; `sent` hears the place after each piece."""

    path: Path
    start: int
    stop: int
    sent: Callable[[int], None]


@dataclass(frozen=True, kw_only=True)
class Call(Generic[Answer]):
    """`parse` gets the JSON of the answer, None where it has no body; with `raw` the bytes as they came.

    `repeatable` says that it may be sent again when nobody knows what became of it.
    """

    method: str
    path: str
    parse: Callable[[Any], Answer]
    params: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    span: Span | None = None
    repeatable: bool = True
    raw: bool = False


@dataclass(frozen=True, kw_only=True)
class Fetch:
    """A download from an offset on; `begin` hears the headers, then `take` each piece."""

    path: str
    headers: Mapping[str, str]
    begin: Callable[[int, Mapping[str, str]], None]
    take: Callable[[bytes], None]


@dataclass(frozen=True, kw_only=True)
class Listen:
    """A call that is answered by events up to one called `end`; `hear` gets each of them, and may raise."""

    call: Call[Any]
    hear: Callable[[ServerEvent], None]


@dataclass(frozen=True, kw_only=True)
class Pause:
    """Seconds to wait for."""

    seconds: float


@dataclass(frozen=True, kw_only=True)
class Work:
    """Something to be done here that takes long, such as hashing a file."""

    function: Callable[[], Any]


#: What a flow may ask for.
Step: TypeAlias = Call[Any] | Fetch | Listen | Pause | Work


def named(folder: str, word: str, text: str) -> str:
    """The path of what a person calls `text`; raises NotFoundError for what nothing is ever called."""
    if not _NAME.fullmatch(text) or text in (".", ".."):
        raise NotFoundError(f"there is no {word} {text!r}", remedy="list what there is and copy its id")
    return f"/v1/{folder}/{text}"
