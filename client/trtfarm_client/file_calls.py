"""Files on their way to a farm: each function makes the call for one route of its API."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from trtfarm_client.call import Call, Span, named
from trtfarm_client.calls import facts, get, listed, post
from trtfarm_client.pages import items_of
from trtfarm_client.records import Upload
from trtfarm_client.values import value_of

Facts = dict[str, Any]


def blob_path(digest: str) -> str:
    """Where the bytes of a digest are."""
    return named("blobs", "digest", digest)


def missing_blobs(digests: Sequence[str]) -> Call[list[str]]:
    return post("/v1/blobs/missing", {"digests": list(digests)}, listed("missing"))


def uploads(digest: str) -> Call[list[Upload]]:
    parse = items_of(partial(value_of, Upload))
    return Call(method="GET", path="/v1/uploads", parse=parse, params={"digest": digest})


def upload(upload_id: str) -> Call[Upload]:
    return get(named("uploads", "upload", upload_id), Upload)


def begin_upload(digest: str, size: int) -> Call[Upload]:
    return post("/v1/uploads", {"digest": digest, "size": size}, partial(value_of, Upload))


def send_span(upload_id: str, span: Span, size: int) -> Call[Upload]:
    """Not repeatable as it is: after a break, the server knows where to go on."""
    return Call(
        method="PATCH",
        path=named("uploads", "upload", upload_id),
        parse=partial(value_of, Upload),
        headers={
            "Content-Range": f"bytes {span.start}-{span.stop - 1}/{size}",
            "Content-Length": str(span.stop - span.start),
            "Content-Type": "application/octet-stream",
        },
        span=span,
        repeatable=False,
    )


def finish_upload(upload_id: str) -> Call[Facts]:
    return Call(method="POST", path=named("uploads", "upload", upload_id) + "/finish", parse=facts, repeatable=False)
