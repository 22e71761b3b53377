"""Labels of engines: words such as `prod` by which they are found, and that keep them from every clean-up."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.orm import Session

from trtfarm.catalog.lookup import find_one
from trtfarm.catalog.staying import hold_engine
from trtfarm.database.insert import conflict_insert
from trtfarm.database.schema import EngineLabelRow, EngineRow
from trtfarm.database.session import Database
from trtfarm.errors import NotFoundError, UsageError
from trtfarm.projects import DEFAULT_PROJECT

_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def label_engine(
    database: Database, text: str, label: str, project: str = DEFAULT_PROJECT, *, seen_by: str | None = None
) -> str:
    """Gives the engine whose id or digest starts with `text` a label in a project; returns its id.

    Raises NotFoundError, UsageError for what cannot be a label.
    """
    checked = checked_label(label)
    with database.write() as session:
        engine_id = hold_engine(session, text, seen_by)
        row = conflict_insert(session, EngineLabelRow).values(engine_id=engine_id, project=project, label=checked)
        session.execute(row.on_conflict_do_nothing(index_elements=["engine_id", "project", "label"]))
        return engine_id


def unlabel_engine(database: Database, text: str, label: str, *, seen_by: str | None = None) -> str:
    """Takes a label away from an engine, in all projects that are seen; returns its id.

    Raises NotFoundError, UsageError for what cannot be a label.
    """
    checked_label(label)
    with database.write() as session:
        engine_id = find_one(session, EngineRow, text, seen_by).id
        mine = EngineLabelRow.engine_id == engine_id, EngineLabelRow.label == label, *labels_seen(seen_by)
        if not session.execute(delete(EngineLabelRow).where(*mine).returning(EngineLabelRow.label)).all():
            raise NotFoundError(f"engine {engine_id} has no label {label!r}", remedy="trtfarm engines show lists them")
        return engine_id


def labels_of(
    session: Session, engines: Collection[str] | None = None, project: str | None = None
) -> dict[str, list[str]]:
    """Engine id -> its labels that a project sees, in order, for all engines that have any, or for some ids."""
    wanted = select(EngineLabelRow.engine_id, EngineLabelRow.label).where(*labels_seen(project))
    wanted = wanted.distinct().order_by(EngineLabelRow.label)
    if engines is not None:
        wanted = wanted.where(EngineLabelRow.engine_id.in_(engines))
    found: dict[str, list[str]] = defaultdict(list)
    for engine_id, label in session.execute(wanted):
        found[engine_id].append(label)
    return dict(found)


def labels_seen(project: str | None) -> list[ColumnElement[bool]]:
    """The condition under which a project sees a label; None sees all."""
    return [] if project is None else [EngineLabelRow.project == project]


def checked_label(label: str) -> str:
    """Raises UsageError."""
    if not _LABEL.fullmatch(label):
        raise UsageError(
            f"{label[:80]!r} cannot be a label", remedy="use up to 64 letters, digits, dots, dashes and underscores"
        )
    return label
