"""What takes several requests, written once for both clients: generators that yield what is to be done next.

A flow yields a `Step`, gets the answer sent in or the error thrown in, and returns its result.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from trtfarm.digests import digest_of_file
from trtfarm.errors import BusyError, ConflictError, NotFoundError, TrtfarmError
from trtfarm.file_errors import storage_errors
from trtfarm_client import calls, file_calls
from trtfarm_client.call import Call, Fetch, Pause, Span, Step, Work
from trtfarm_client.downloads import Receiving, receiving
from trtfarm_client.pages import Page
from trtfarm_client.patience import Patience
from trtfarm_client.records import Upload

Result = TypeVar("Result")
Item = TypeVar("Item")
Flow = Generator[Step, Any, Result]

#: Makes the call for a page: at most so many rows, after a cursor.
PageCall = Callable[[int, str | None], Call[Page[Item]]]

#: Digests that are asked for at once.
_BATCH = 1000
#: Bytes of one request of an upload: what a server that is gone for good costs at most.
_PIECE_BYTES = 64 << 20


@dataclass(frozen=True, kw_only=True)
class Transferred:
    """How far an upload or a download is, in bytes."""

    path: Path
    done: int
    total: int


Report = Callable[[Transferred], None]


def unreported(_transferred: Transferred) -> None:
    """For those who do not want to know how far a transfer is."""


def sending(call: Call[Result], patience: Patience) -> Flow[Result]:
    """A call, again while the server is gone or busy."""
    while True:
        try:
            answer: Result = yield call
        except TrtfarmError as error:
            # What was refused for being too much did nothing.
            if not call.repeatable and not isinstance(error, BusyError):
                raise
            yield Pause(seconds=patience.pause_after(error))
        else:
            patience.renew()
            return answer


def uploading(paths: Sequence[Path], patience: Patience, report: Report) -> Flow[dict[Path, str]]:
    """Uploads those files that the farm does not hold; returns the digest of each.

    Raises StorageError for a file that cannot be read, DataError for one that changes meanwhile.
    """
    digests: dict[Path, str] = {}
    for path in paths:
        digests[path] = yield Work(function=partial(_digest, path))
    wanted = list(dict.fromkeys(digests.values()))
    missing: set[str] = set()
    for start in range(0, len(wanted), _BATCH):
        missing.update((yield from sending(file_calls.missing_blobs(wanted[start : start + _BATCH]), patience)))
    for path, digest in digests.items():
        if digest in missing:
            missing.remove(digest)
            yield from _upload(path, digest, patience, report)
    return digests


def _digest(path: Path) -> str:
    with storage_errors(path):
        return digest_of_file(path)


def _upload(path: Path, digest: str, patience: Patience, report: Report) -> Flow[None]:
    with storage_errors(path):
        size = path.stat().st_size
    upload = yield from _begun(digest, size, patience)
    while upload.offset < size:
        report(Transferred(path=path, done=upload.offset, total=size))
        try:
            upload = yield _next_span(path, upload, report)
            patience.renew()
        except NotFoundError as error:  # the server that had it is another one now
            yield Pause(seconds=patience.pause_after_loss(error))
            upload = yield from _begun(digest, size, patience.another())
        except TrtfarmError as error:
            if not isinstance(error, ConflictError):
                yield Pause(seconds=patience.pause_after(error))
            else:  # the server still waits for what a broken connection did not bring, or has more than was answered
                yield Pause(seconds=patience.pause_after_loss(error))
            upload = yield from _where(upload, digest, size, patience.another())
    report(Transferred(path=path, done=size, total=size))
    yield from _finish(upload, patience)


def _begun(digest: str, size: int, patience: Patience) -> Flow[Upload]:
    """An unfinished upload of these bytes to go on with, or a new one."""
    begun = yield from sending(file_calls.uploads(digest), patience)
    fit = [upload for upload in begun if upload.size == size]
    if fit:
        return max(fit, key=lambda upload: upload.offset)
    return (yield from sending(file_calls.begin_upload(digest, size), patience))


def _where(upload: Upload, digest: str, size: int, patience: Patience) -> Flow[Upload]:
    try:
        return (yield from sending(file_calls.upload(upload.id), patience))
    except NotFoundError:
        return (yield from _begun(digest, size, patience))


def _next_span(path: Path, upload: Upload, report: Report) -> Call[Upload]:
    size = upload.size
    span = Span(
        path=path,
        start=upload.offset,
        stop=min(upload.offset + _PIECE_BYTES, size),
        sent=lambda place: report(Transferred(path=path, done=place, total=size)),
    )
    return file_calls.send_span(upload.id, span, size)


def _finish(upload: Upload, patience: Patience) -> Flow[None]:
    """Has the bytes checked and stored; when the answer is lost, looks whether they are."""
    while True:
        try:
            yield file_calls.finish_upload(upload.id)
        except TrtfarmError as error:
            if isinstance(error, ConflictError):  # another client sent the same, or this one's lost request is at it
                yield Pause(seconds=patience.pause_after_loss(error))
            elif not isinstance(error, NotFoundError):
                yield Pause(seconds=patience.pause_after(error))
            if not (yield from sending(file_calls.missing_blobs([upload.digest]), patience.another())):
                return
            if isinstance(error, NotFoundError):
                raise
        else:
            patience.renew()
            return


def downloading(
    path: str,
    destination: Path,
    patience: Patience,
    report: Report,
    *,
    digest: str | None = None,
    kind: type[Receiving] = Receiving,
) -> Flow[str]:
    """Writes what is at `path`, verified, and returns its digest; after a break it goes on where it was.

    Raises MissingBlobError, CorruptBlobError. `destination` appears whole or not at all.
    """

    def told(done: int, total: int) -> None:
        report(Transferred(path=destination, done=done, total=total))

    with receiving(destination, digest, told, kind) as part:
        yield from _receive(path, part, patience)
    return str(part.digest)


def _receive(path: str, part: Receiving, patience: Patience) -> Flow[None]:
    while True:
        place = part.place
        try:
            yield Fetch(path=path, headers=part.headers(), begin=part.begin, take=part.take)
        except TrtfarmError as error:
            if part.place > place:
                patience.renew()
            yield Pause(seconds=patience.pause_after(error))
        else:
            return part.check()


def listing(page: PageCall[Item], limit: int | None, patience: Patience) -> Flow[list[Item]]:
    """Up to `limit` items of a list, all of them where it is None."""
    items: list[Item] = []
    cursor: str | None = None
    while limit is None or len(items) < limit:
        room = calls.PAGE if limit is None else min(calls.PAGE, limit - len(items))
        found = yield from sending(page(room, cursor), patience)
        items += found.items
        cursor = found.next
        if cursor is None:
            break
    return items


def page_call(make: Callable[..., Call[Page[Item]]], values: Mapping[str, Any]) -> PageCall[Item]:
    """The calls for the pages of a list with these filters; times in ISO 8601."""
    filters = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}

    def page(limit: int, cursor: str | None) -> Call[Page[Item]]:
        return make(filters, limit=limit, cursor=cursor)

    return page
