"""Removing engines that a policy lets go of, and blobs that no row names."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from trtfarm.blobs.garbage import GRACE_SECONDS, find_garbage, remove_garbage
from trtfarm.blobs.store import StoredBlob
from trtfarm.catalog.labels import labels_of
from trtfarm.catalog.removal import forget_engines, remove_files
from trtfarm.database.clock import now
from trtfarm.database.schema import EngineRow, StepRow, SubmissionRow
from trtfarm.farm import Farm
from trtfarm.jobs.state import SubmissionState
from trtfarm.retention.policy import Policy, StoredEngine, doomed


@dataclass(frozen=True, kw_only=True)
class Cleaned:
    """What went, or what would: engines, with their bytes, and blobs that no row named before."""

    engines: Sequence[StoredEngine]
    garbage: Sequence[StoredBlob]


def clean(farm: Farm, policy: Policy, *, grace_seconds: float = GRACE_SECONDS, dry_run: bool = False) -> Cleaned:
    """Engines by the policy, and garbage older than the grace period; with `dry_run` only looks.

    Safe beside submissions, builds and uploads. Which engines go is decided again while no submission can move on, so
    that none that was found meanwhile goes.
    """
    garbage = find_garbage(farm.database, farm.blobs, grace_seconds=grace_seconds)
    with farm.database.read() as session:
        gone = doomed(stored_engines(session), policy, _moment(session))
    if dry_run:
        return Cleaned(engines=gone, garbage=garbage)
    removed = remove_garbage(farm.database, farm.blobs, garbage)
    if gone:
        gone = _forget(farm, policy, {engine.id for engine in gone})
    farm.uploads.sweep()
    farm.sweep()
    return Cleaned(engines=gone, garbage=removed)


def stored_engines(session: Session) -> list[StoredEngine]:
    """All engines of the farm."""
    asked = select(StepRow.key, func.max(SubmissionRow.created).label("last"))
    asked = asked.join(SubmissionRow, SubmissionRow.id == StepRow.submission_id).where(StepRow.key.is_not(None))
    used = {row.key: row.last for row in session.execute(asked.group_by(StepRow.key))}
    unfinished = select(StepRow.key).join(SubmissionRow, SubmissionRow.id == StepRow.submission_id)
    wanted = set(session.scalars(unfinished.where(SubmissionRow.state == SubmissionState.ACTIVE)))
    labels = labels_of(session)
    rows = session.execute(select(EngineRow.id, EngineRow.key, EngineRow.size, EngineRow.created, EngineRow.pinned))
    return [
        StoredEngine(
            id=row.id,
            size=row.size,
            used=max(row.created, used.get(row.key, row.created)),
            kept=_kept(pinned=row.pinned, labels=labels.get(row.id, ()), wanted=row.key in wanted),
        )
        for row in rows
    ]


def _kept(*, pinned: bool, labels: Collection[str], wanted: bool) -> str | None:
    if pinned:
        return "pinned"
    if labels:
        return "labelled " + ", ".join(labels)
    return "a submission that goes on needs it" if wanted else None


def _forget(farm: Farm, policy: Policy, chosen: set[str]) -> list[StoredEngine]:
    """Removes those of the chosen engines that the policy still lets go; returns them."""
    with farm.database.write() as session:
        if not farm.database.is_sqlite:
            # Whatever moves a submission on locks its row first, and so waits here; SQLite's writers wait anyway.
            session.execute(text("LOCK TABLE submissions IN EXCLUSIVE MODE"))
        gone = [engine for engine in doomed(stored_engines(session), policy, _moment(session)) if engine.id in chosen]
        files = forget_engines(session, [engine.id for engine in gone])
    remove_files(farm.database, farm.blobs, files)
    return gone


def _moment(session: Session) -> datetime:
    return session.scalars(select(now())).one()
