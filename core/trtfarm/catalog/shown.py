"""What lists say of engines, found by their ids.

One statement for any number of them, put together once: the search, which is another one for each choice of filters,
then has little to say, and both a database and SQLAlchemy take their time over what is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import Column, ScalarSelect, String, bindparam, func, select
from sqlalchemy.orm import Session

from trtfarm.catalog.entries import EngineEntry
from trtfarm.catalog.labels import labels_seen
from trtfarm.catalog.measured import shown_of_engine
from trtfarm.database.engines import EngineLabelRow, EngineRow
from trtfarm.database.inputs import ModelRow
from trtfarm.database.kept import Kept
from trtfarm.database.many import among
from trtfarm.database.measurements import VerificationRow

#: What an entry says of an engine and its model. Not the whole row: its facts have a line for each layer.
_SHOWN = (
    EngineRow.id,
    ModelRow.name.label("model"),
    ModelRow.digest.label("model_digest"),
    EngineRow.precision,
    EngineRow.calibrator,
    EngineRow.table_id.label("table"),
    EngineRow.tensorrt,
    EngineRow.toolchain,
    EngineRow.compute_capability,
    EngineRow.gpu,
    EngineRow.size,
    EngineRow.blob.label("digest"),
    EngineRow.created,
    EngineRow.pinned,
)
_NAMES = (*(column.key for column in _SHOWN), "metrics")
_SPACE = " "
_ID = cast("Column[str]", EngineRow.__table__.c.id)


def engine_entries(session: Session, ids: Sequence[str], project: str | None = None) -> list[EngineEntry]:
    """The engines with these ids, in their order; those that are gone by now are left out."""
    if not ids:
        return []
    told = {"engines": list(ids)} | ({} if project is None else {"project": project})
    found = {}
    for *shown, labels in (_TO_ALL if project is None else _TO_PROJECT)(session, **told):
        # Several projects may have given an engine the same label.
        words = sorted(set(labels.split())) if labels else []
        found[shown[0]] = EngineEntry(**dict(zip(_NAMES, shown, strict=True)), labels=words)
    return [found[one] for one in ids if one in found]


def _statement(dialect: str, project: Any) -> Any:
    metrics = shown_of_engine(VerificationRow.metrics, project).label("metrics")
    found = select(*_SHOWN, metrics, _labels(dialect, project).label("labels"))
    found = found.join(ModelRow, EngineRow.model_id == ModelRow.id)
    return found.where(among(dialect, _ID, "engines"))


def _labels(dialect: str, project: Any) -> ScalarSelect[str]:
    """All labels of an engine that are seen, in one text: a row for each would repeat the rest of the engine."""
    in_one = func.group_concat if dialect == "sqlite" else func.string_agg
    mine = EngineLabelRow.engine_id == EngineRow.id, *labels_seen(project)
    return select(in_one(EngineLabelRow.label, _SPACE)).where(*mine).scalar_subquery()


_TO_ALL = Kept(lambda dialect: [_statement(dialect, None)])
_TO_PROJECT = Kept(lambda dialect: [_statement(dialect, bindparam("project", type_=String))])
