"""Bundles: tables and engines for another farm, and those of one."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict
from sse_starlette import EventSourceResponse

from trtfarm.bundles.exporting import export_of
from trtfarm.bundles.importing import Tell, import_bundle, judge_head
from trtfarm.bundles.selection import Selection
from trtfarm.errors import UsageError
from trtfarm_api.access import FarmHere, Reader, Submitter
from trtfarm_api.auditing import note
from trtfarm_api.blob_access import check_blobs
from trtfarm_api.downloads import given
from trtfarm_api.names import DigestText, Word
from trtfarm_api.pages import Text
from trtfarm_api.streams import stream

router = APIRouter(prefix="/v1/bundles", tags=["bundles"])
TAR = "application/x-tar"
#: What a bundle is called whose user named a file elsewhere.
_NAME = "the bundle"

Words = Annotated[list[Word], Query(max_length=1000)]


class NewBundle(BaseModel):
    """A bundle that was uploaded. With `labels`, engines get those that they have in it.

    With `head`, for a dry run, only its beginning was: the manifest and the signature, without any file.
    """

    model_config = ConfigDict(extra="forbid")

    blob: DigestText
    labels: bool = False
    dry_run: bool = False
    head: bool = False


@router.head("", include_in_schema=False)
@router.get("", response_class=Response)
def export(
    *,
    farm: FarmHere,
    actor: Reader,
    request: Request,
    engine: Words = [],  # noqa: B006 - FastAPI copies it
    table: Words = [],  # noqa: B006
    model: Text = None,
    label: Text = None,
    with_models: bool = False,
    with_recordings: bool = False,
) -> Response:
    """A bundle of engines and tables, of those that have a label, or of all that a model has, signed by this farm.

    Its ETag is the digest of its manifest, which has those of everything else; one range of bytes can be asked for.
    """
    along = {"with_models": with_models, "with_recordings": with_recordings}
    selection = Selection(engines=tuple(engine), tables=tuple(table), model=model, label=label, **along)
    found = export_of(farm, selection, actor.sees)
    content = partial(found.chunks, farm.blobs)
    return given(request, content, tag=found.manifest.digest, size=found.size, name="farm.bundle", media_type=TAR)


@router.post("", response_class=EventSourceResponse)
def import_(farm: FarmHere, actor: Submitter, request: Request, new: NewBundle) -> EventSourceResponse:
    """Takes in a bundle that a trusted key signed, all of it or nothing, told as server-sent events.

    `progress` with `done` and `total` in bytes, and last `end` with what came (with `dry_run`: would come) or `error`
    with a problem. Whoever hangs up ends it. The same bundle once more changes nothing.
    """
    check_blobs(farm, actor, [new.blob])
    if new.head and not new.dry_run:
        raise UsageError("of a bundle's beginning nothing can be taken in", remedy="upload all of it, or add dry_run")

    def work(tell: Tell) -> Mapping[str, Any]:
        with farm.scratch("bundle") as folder:
            path = farm.blobs.materialize(new.blob, folder / "farm.bundle")
            if new.head:
                imported = judge_head(farm, path, name=_NAME)
            else:
                asked = {"dry_run": new.dry_run, "labels": new.labels}
                imported = import_bundle(farm, path, name=_NAME, **asked, project=actor.project, tell=tell)
        facts = imported.as_dict()
        counts = {name: str(len(ids)) for name, ids in facts["new"].items()}
        note(request, bundle=imported.origin.bundle, dry_run=str(new.dry_run), **counts)
        return facts

    return stream(request.app.state.imports.run(request, work))
