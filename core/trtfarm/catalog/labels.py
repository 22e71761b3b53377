"""Labels of engines: words such as `prod` by which they are found, and that keep them from every clean-up."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from trtfarm.catalog.lookup import find_one
from trtfarm.database.insert import conflict_insert
from trtfarm.database.schema import EngineLabelRow, EngineRow
from trtfarm.database.session import Database
from trtfarm.errors import NotFoundError, UsageError

_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def label_engine(database: Database, text: str, label: str) -> str:
    """Gives the engine whose id or digest starts with `text` a label; returns its id.

    Raises NotFoundError, UsageError for what cannot be a label.
    """
    checked = checked_label(label)
    with database.write() as session:
        engine_id = find_one(session, EngineRow, text).id
        row = conflict_insert(session, EngineLabelRow).values(engine_id=engine_id, label=checked)
        session.execute(row.on_conflict_do_nothing(index_elements=["engine_id", "project", "label"]))
        return engine_id


def unlabel_engine(database: Database, text: str, label: str) -> str:
    """Takes a label away from an engine; returns its id. Raises NotFoundError where it has no such label."""
    with database.write() as session:
        engine_id = find_one(session, EngineRow, text).id
        mine = EngineLabelRow.engine_id == engine_id, EngineLabelRow.label == label
        if session.execute(delete(EngineLabelRow).where(*mine).returning(EngineLabelRow.label)).first() is None:
            raise NotFoundError(f"engine {engine_id} has no label {label!r}", remedy="trtfarm engines show lists them")
        return engine_id


def labels_of(session: Session, engines: Collection[str] | None = None) -> dict[str, list[str]]:
    """Engine id -> its labels in order, for all engines that have any, or for those of the given ids."""
    wanted = select(EngineLabelRow.engine_id, EngineLabelRow.label).order_by(EngineLabelRow.label)
    if engines is not None:
        wanted = wanted.where(EngineLabelRow.engine_id.in_(engines))
    found: dict[str, list[str]] = defaultdict(list)
    for engine_id, label in session.execute(wanted):
        found[engine_id].append(label)
    return dict(found)


def checked_label(label: str) -> str:
    """Raises UsageError."""
    if not _LABEL.fullmatch(label):
        raise UsageError(
            f"{label[:80]!r} cannot be a label", remedy="use up to 64 letters, digits, dots, dashes and underscores"
        )
    return label
