"""Timing caches on their way from one build to the next, of the same TensorRT on the same kind of GPU."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import select, update

from trtfarm.blobs.records import record
from trtfarm.blobs.store import Blob
from trtfarm.database.clock import now
from trtfarm.database.insert import insert_or_get
from trtfarm.database.schema import TimingCacheRow
from trtfarm.digests import digest_of_file, digest_of_json
from trtfarm.errors import BuilderError, CorruptBlobError, MissingBlobError, ToolchainError
from trtfarm.ids import new_id
from trtfarm_worker.builder.request import BuilderAnswer, BuilderRequest, Limits, result_file
from trtfarm_worker.builder.supervisor import run_builder
from trtfarm_worker.logs import logger
from trtfarm_worker.steps.hosts import toolchain_of
from trtfarm_worker.steps.inputs import blob_file
from trtfarm_worker.steps.rows import hold_file
from trtfarm_worker.steps.step import Task

_log = logger()

_DIGITS = 16


def handed_caches(task: Task) -> dict[str, str]:
    """Name of a GPU -> path of its cache, for every model of GPU of the job's compute capability: only the builder
    learns which one it has. One whose bytes are gone or damaged is left out, which costs time and nothing else."""
    request = task.job.request
    if not request.get("timing_cache", True):
        return {}
    wanted = select(TimingCacheRow).where(
        TimingCacheRow.tensorrt == request["tensorrt"],
        TimingCacheRow.compute_capability == request["compute_capability"],
    )
    with task.farm.database.read() as session:
        rows = session.scalars(wanted).all()
    handed = {}
    for row in rows:
        try:
            handed[row.gpu] = blob_file(task, row.blob, _name(row.key))
        except (CorruptBlobError, MissingBlobError):
            continue
    return handed


def keep_cache(task: Task, answer: BuilderAnswer, result: Mapping[str, Any]) -> None:
    """Stores the cache that a build gave back, combined with what other builds have stored since it began.

    That is done at once and not with the job's end: timings hold whether its result counts or not. Of two builds that
    end together, the second finds another revision than it has read and combines again, so none is lost. Where
    TensorRT cannot combine them, the larger stays: that costs some kernels' timings, which the next build takes anew.
    """
    if result.get("timing_cache") is None or not task.job.request.get("timing_cache", True):
        return
    device = result["device"]
    place = {
        "tensorrt": result["tensorrt"],
        "gpu": device["name"],
        "compute_capability": device["compute_capability"],
    }
    key = digest_of_json({"toolchain": task.job.request["toolchain"], **place})
    ours = result_file(answer.scratch, result["timing_cache"])
    handed = task.inputs / _name(key)
    known = digest_of_file(handed) if handed.exists() else None
    while True:
        stored = _stored(task, key)
        if stored is not None and stored.blob not in (known, digest_of_file(ours)):
            combined = _combined(task, stored, ours)
            if combined is None and ours.stat().st_size <= stored.size:
                return
            ours = combined or ours
        if _replaced(task, key, stored, hold_file(task, ours), place):
            return


def _stored(task: Task, key: str) -> TimingCacheRow | None:
    with task.farm.database.read() as session:
        return session.scalars(select(TimingCacheRow).where(TimingCacheRow.key == key)).one_or_none()


def _replaced(task: Task, key: str, stored: TimingCacheRow | None, blob: Blob, place: Mapping[str, str]) -> bool:
    """Puts the blob in the place of the cache that was read; False where another one is there by now."""
    facts = {"blob": blob.digest, "size": blob.size, "changed": now()}
    with task.farm.database.write() as session:
        record(session, [blob], holder=task.job.id)
        if stored is None:
            row = {"id": new_id("tim"), "revision": 1, **place, **facts}
            return insert_or_get(session, TimingCacheRow, unique="key", key=key, **row)[1]
        as_read = (TimingCacheRow.key == key, TimingCacheRow.revision == stored.revision)
        changed = update(TimingCacheRow).where(*as_read).values(revision=stored.revision + 1, **facts)
        return session.execute(changed.returning(TimingCacheRow.id)).first() is not None


def _combined(task: Task, stored: TimingCacheRow, ours: Path) -> Path | None:
    """What both know, by the job's own TensorRT on the GPU that is still its own; None where that cannot be done."""
    if task.gpu is None:
        return None
    scratch = task.scratch / f"combine-{stored.revision}"
    try:
        theirs = blob_file(task, stored.blob, f"timing-{stored.revision}.cache")
        request = BuilderRequest(
            toolchain=toolchain_of(task),
            step="trt-combine",
            args={"timing_caches": [theirs, str(ours)]},
            limits=Limits.of(task.farm.settings),
            scratch=scratch,
            gpu=task.gpu.turn,
        )
        return run_builder(request, on_event=lambda _event: None).file("timing_cache")
    except (BuilderError, ToolchainError, CorruptBlobError, MissingBlobError) as error:
        _log.warning("timing caches not combined", job=task.job.id, error=error.message, cause=error.cause)
        return None


def _name(key: str) -> str:
    return f"timing-{key.removeprefix('sha256:')[:_DIGITS]}.cache"
