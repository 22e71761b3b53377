"""Blobs as downloads: whole or one range of bytes, and verified before the last piece leaves."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from fastapi import Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from trtfarm.blobs.store import BlobStore
from trtfarm.errors import MissingBlobError, UsageError
from trtfarm_api.problems import answer
from trtfarm_api.tracing import request_id_of

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_PARTIAL, _NOT_MODIFIED, _NOT_SATISFIABLE = 206, 304, 416


@dataclass(frozen=True, kw_only=True)
class Span:
    """Bytes from `start` up to, and without, `stop`."""

    start: int
    stop: int

    @property
    def size(self) -> int:
        return self.stop - self.start


def download(request: Request, blobs: BlobStore, digest: str, *, name: str, media_type: str) -> Response:
    """The response to a GET or HEAD of a blob, whose ETag is its digest. Raises MissingBlobError.

    Every byte of the blob is read and hashed, also those outside of a range: what a client put together of several
    answers is then as sound as one.
    """
    size = blobs.size(digest)
    if size is None:
        raise MissingBlobError(f"the bytes of {name} are gone", remedy="submit again: what is missing is made anew")
    return given(request, lambda: blobs.stream(digest), tag=digest, size=size, name=name, media_type=media_type)


def given(
    request: Request, content: Callable[[], Iterator[bytes]], *, tag: str, size: int, name: str, media_type: str
) -> Response:
    """The response to a GET or HEAD of what `content` gives, `size` bytes; it raises if they are not those of `tag`."""
    headers = {
        "ETag": f'"{tag}"',
        "Accept-Ranges": "bytes",
        "Content-Disposition": f'attachment; filename="{name}"',
        "X-Content-Type-Options": "nosniff",
    }
    if _names(request.headers.get("if-none-match"), tag):
        return Response(status_code=_NOT_MODIFIED, headers=headers)
    span = _span(request, tag, size)
    if span is None:
        return _unsatisfiable(request, size)
    headers["Content-Length"] = str(span.size)
    status = 200
    if span.size < size:
        status, headers["Content-Range"] = _PARTIAL, f"bytes {span.start}-{span.stop - 1}/{size}"
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type=media_type)
    return StreamingResponse(verified(content(), span), status, headers, media_type)


def verified(chunks: Iterator[bytes], span: Span) -> Iterator[bytes]:
    """The bytes of a span, the last piece only when the stream has come to its end: it raises if they do not match."""
    held = b""
    place = 0
    for chunk in chunks:
        part = chunk[max(span.start - place, 0) : max(span.stop - place, 0)]
        place += len(chunk)
        if part:
            if held:
                yield held
            held = part
    yield held


def _span(request: Request, tag: str, size: int) -> Span | None:
    """What of the blob is asked for: all of it unless one range is; None for a range that it does not have."""
    everything = Span(start=0, stop=size)
    found = _RANGE.fullmatch(request.headers.get("range", ""))
    if not found or found[0] == "bytes=-" or not _fresh(request, tag):
        return everything
    first, last = found[1], found[2]
    if not first:
        span = Span(start=max(size - int(last), 0), stop=size)
    else:
        span = Span(start=int(first), stop=min(int(last) + 1, size) if last else size)
        if last and int(last) < int(first):
            return everything
    return span if span.size > 0 else None


def _fresh(request: Request, tag: str) -> bool:
    """Whether a range may be given: not to a client that holds part of something else."""
    held = request.headers.get("if-range")
    return held is None or held == f'"{tag}"'


def _names(header: str | None, tag: str) -> bool:
    tags = {tag.strip().removeprefix("W/") for tag in (header or "").split(",")}
    return f'"{tag}"' in tags or "*" in tags


def _unsatisfiable(request: Request, size: int) -> JSONResponse:
    told = UsageError(f"there is no such range in {size} bytes", remedy="ask for what is missing, or for all")
    return answer(told, request_id_of(request), _NOT_SATISFIABLE, {"Content-Range": f"bytes */{size}"})
