"""Engines that somebody is about to keep: clean-up, which may be taking them just now, goes first or waits."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from trtfarm.catalog.lookup import find_one
from trtfarm.database.batches import batches
from trtfarm.database.engines import EngineRow
from trtfarm.errors import NotFoundError


def hold_engine(session: Session, text: str, seen_by: str | None = None) -> str:
    """The id of the engine whose id or digest starts with `text`, which is there until the transaction ends.

    Raises NotFoundError, UsageError when several start so.
    """
    engine_id = find_one(session, EngineRow, text, seen_by).id
    if not hold_engines(session, [engine_id]):
        raise NotFoundError(f"engine {engine_id} was removed just now", remedy="submit again, which makes it anew")
    return engine_id


def hold_engines(session: Session, ids: Collection[str]) -> set[str]:
    """Locks those of the engines that are still there, so that meanwhile nobody pins, labels or removes one."""
    held: set[str] = set()
    for some in batches(sorted(ids)):
        found = select(EngineRow.id).where(EngineRow.id.in_(some)).order_by(EngineRow.id)
        held.update(session.scalars(found.with_for_update()))
    return held
