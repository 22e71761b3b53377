"""Blobs: which are missing, uploads in pieces that survive a broken connection, and downloads."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Header, Path, Request, Response, status
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field
from starlette.requests import ClientDisconnect

from trtfarm.blobs.store import Blob
from trtfarm.blobs.upload_files import Piece
from trtfarm.blobs.uploads import Upload
from trtfarm.catalog.visibility import give
from trtfarm.errors import UsageError
from trtfarm_api.access import FarmHere, Reader, Submitter
from trtfarm_api.blob_access import check_blobs, unknown_to
from trtfarm_api.downloads import download
from trtfarm_api.heavy import heavily
from trtfarm_api.names import DigestText

router = APIRouter(prefix="/v1", tags=["blobs"])

_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")
#: Bytes that are gathered before they are written: each write is a thread's turn.
_WRITE_BYTES = 1 << 20
_MOST_DIGESTS = 1000
_LARGEST = 1 << 62

UploadId = Annotated[str, Path(pattern=r"^upl_[0-9a-z]{20}$")]


class Digests(BaseModel):
    digests: Annotated[list[DigestText], Field(max_length=_MOST_DIGESTS)]


class Missing(BaseModel):
    missing: list[str]


class NewUpload(BaseModel):
    digest: DigestText
    size: Annotated[int, Field(ge=0, le=_LARGEST, description="Bytes.")]


class OpenUploads(BaseModel):
    items: list[Upload]


@router.post("/blobs/missing")
def missing(farm: FarmHere, actor: Submitter, wanted: Digests) -> Missing:
    """Which of these digests are to be uploaded. The others stay for a day at least, so that they can be named.

    What only other projects have handed in is to be uploaded, too, though it is stored once.
    """
    unknown = unknown_to(farm, actor, wanted.digests)
    missing = unknown | set(farm.uploads.missing(actor.id, [each for each in wanted.digests if each not in unknown]))
    return Missing(missing=[digest for digest in dict.fromkeys(wanted.digests) if digest in missing])


@router.head("/blobs/{digest}", include_in_schema=False)
@router.get("/blobs/{digest}", response_class=Response)
def blob(farm: FarmHere, actor: Reader, request: Request, digest: DigestText) -> Response:
    """The bytes of a digest. One range of them can be asked for."""
    check_blobs(farm, actor, [digest])
    name = digest.replace(":", "-")
    return download(request, farm.blobs, digest, name=name, media_type="application/octet-stream")


@router.post("/uploads", status_code=status.HTTP_201_CREATED)
def begin(farm: FarmHere, actor: Submitter, wanted: NewUpload, response: Response) -> Upload:
    """Begins an upload. Its bytes then come by PATCH, in pieces of any size, and `finish` checks them."""
    upload = farm.uploads.begin(actor.id, wanted.digest, wanted.size)
    response.headers["Location"] = f"/v1/uploads/{upload.id}"
    return upload


@router.get("/uploads")
def uploads(farm: FarmHere, actor: Submitter, digest: DigestText | None = None) -> OpenUploads:
    """The caller's own unfinished uploads, oldest first, perhaps only those of a digest: where to go on."""
    return OpenUploads(items=farm.uploads.of(actor.id, digest))


@router.get("/uploads/{upload}")
def upload(farm: FarmHere, actor: Submitter, upload: UploadId, response: Response) -> Upload:
    """How much of an upload has come; HEAD tells it in `Upload-Offset` and `Upload-Length`."""
    return _told(farm.uploads.get(actor.id, upload), response)


@router.head("/uploads/{upload}", include_in_schema=False)
def offset(farm: FarmHere, actor: Submitter, upload: UploadId, response: Response) -> None:
    _told(farm.uploads.get(actor.id, upload), response)


@router.patch(
    "/uploads/{upload}",
    status_code=status.HTTP_202_ACCEPTED,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def patch(
    *,
    farm: FarmHere,
    actor: Submitter,
    upload: UploadId,
    request: Request,
    response: Response,
    content_range: Annotated[str, Header(max_length=100, description="bytes FIRST-LAST/SIZE")],
) -> Upload:
    """The next bytes, from the offset on. When the connection breaks, those that came stay."""
    first, stop, size = span_of(content_range)
    piece = await run_in_threadpool(farm.uploads.open_piece, actor.id, upload, first=first, stop=stop, size=size)
    try:
        await _receive(request, piece)
    finally:
        await run_in_threadpool(piece.close)
    return _told(await run_in_threadpool(farm.uploads.get, actor.id, upload), response)


@router.post("/uploads/{upload}/finish", status_code=status.HTTP_201_CREATED)
async def finish(farm: FarmHere, actor: Submitter, upload: UploadId, request: Request) -> Blob:
    """Checks and stores the bytes; they stay for a day at least, so that they can be named."""
    blob = await heavily(request, farm.uploads.finish, actor.id, upload)
    await run_in_threadpool(give, farm.database, actor.project, blob.digest)
    return blob


@router.delete("/uploads/{upload}", status_code=status.HTTP_204_NO_CONTENT)
def cancel(farm: FarmHere, actor: Submitter, upload: UploadId) -> None:
    """Forgets an upload."""
    farm.uploads.cancel(actor.id, upload)


async def _receive(request: Request, piece: Piece) -> None:
    """Writes the body, which has to be just what was announced; what came of it stays in any case."""
    gathered = bytearray()
    try:
        async for chunk in request.stream():
            gathered += chunk
            if len(gathered) >= _WRITE_BYTES:
                await run_in_threadpool(piece.write, gathered)
                gathered = bytearray()
    except ClientDisconnect:
        await run_in_threadpool(piece.write, gathered)
        raise
    await run_in_threadpool(piece.write, gathered)
    if piece.missing:
        raise UsageError("fewer bytes came than Content-Range says", remedy=f"go on at {piece.place}")


def span_of(content_range: str) -> tuple[int, int, int | None]:
    """The first byte, the one behind the last, and of how many, if that is told; raises UsageError."""
    found = _CONTENT_RANGE.fullmatch(content_range)
    if found is None:
        raise UsageError(f"Content-Range cannot be {content_range!r}", remedy="write bytes FIRST-LAST/SIZE")
    return int(found[1]), int(found[2]) + 1, None if found[3] == "*" else int(found[3])


def _told(upload: Upload, response: Response) -> Upload:
    response.headers["Upload-Offset"], response.headers["Upload-Length"] = str(upload.offset), str(upload.size)
    return upload
