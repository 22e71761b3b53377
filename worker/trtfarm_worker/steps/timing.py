"""Timing caches on their way from one build to the next, of the same TensorRT on the same kind of GPU."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from trtfarm.blobs.records import record
from trtfarm.database.clock import now
from trtfarm.database.insert import insert_or_get
from trtfarm.database.schema import TimingCacheRow
from trtfarm.digests import digest_of_file, digest_of_json
from trtfarm.errors import CorruptBlobError, MissingBlobError
from trtfarm.ids import new_id
from trtfarm_worker.builder.request import BuilderAnswer, result_file
from trtfarm_worker.steps.rows import keep_file
from trtfarm_worker.steps.step import Task

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
        path = _path(task, row.key)
        try:
            task.farm.blobs.materialize(row.blob, path)
        except (CorruptBlobError, MissingBlobError):
            continue
        handed[row.gpu] = str(path)
    return handed


def keep_cache(task: Task, answer: BuilderAnswer, result: Mapping[str, Any]) -> Callable[[Session], None]:
    """Stores the cache that a build gave back; what it returns puts it into its row, in the job's transaction.

    A cache that another build has put there meanwhile gives way only to a larger one: combining the two takes a
    TensorRT, and what is lost is at most some kernels' timings.
    """
    if result.get("timing_cache") is None or not task.job.request.get("timing_cache", True):
        return lambda _session: None
    device = result["device"]
    place = {
        "tensorrt": result["tensorrt"],
        "gpu": device["name"],
        "compute_capability": device["compute_capability"],
    }
    key = digest_of_json({"toolchain": task.job.request["toolchain"], **place})
    handed = _path(task, key)
    before = digest_of_file(handed) if handed.exists() else None
    blob = keep_file(task, result_file(answer.scratch, result["timing_cache"]))

    def commit(session: Session) -> None:
        record(session, [blob])
        facts = {"id": new_id("tim"), **place, "blob": blob.digest, "size": blob.size, "revision": 1}
        row, made = insert_or_get(session, TimingCacheRow, unique="key", key=key, **facts)
        if not made and blob.digest != row.blob and (row.blob == before or blob.size > row.size):
            row.blob, row.size, row.revision, row.changed = blob.digest, blob.size, row.revision + 1, now()

    return commit


def _path(task: Task, key: str) -> Path:
    return task.inputs / f"timing-{key.removeprefix('sha256:')[:_DIGITS]}.cache"
