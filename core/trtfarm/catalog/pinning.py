"""Pinning engines: a pinned one is kept by every clean-up."""

from __future__ import annotations

from trtfarm.catalog.staying import hold_engine
from trtfarm.database.schema import EngineRow
from trtfarm.database.session import Database


def pin_engine(database: Database, text: str, *, pinned: bool, seen_by: str | None = None) -> str:
    """Pins the engine whose id or digest starts with `text`, or lets it go; returns its id. Raises NotFoundError."""
    with database.write() as session:
        engine_id = hold_engine(session, text, seen_by)
        session.get_one(EngineRow, engine_id).pinned = pinned
        return engine_id
