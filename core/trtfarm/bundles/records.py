"""Rows as a manifest tells of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from trtfarm.bundles.kinds import KINDS, Kind, Record
from trtfarm.bundles.selection import Chosen
from trtfarm.catalog.labels import labels_of
from trtfarm.database.schema import ModelNameRow
from trtfarm.stored_names import as_stored


def records_of(session: Session, chosen: Chosen, project: str | None = None) -> dict[str, list[Record]]:
    """The records of each kind, with the labels that a project sees."""
    besides = {
        "names": _names(session, list(chosen["models"])),
        "labels": labels_of(session, list(chosen["engines"]), project),
    }
    return {kind.name: [_record(kind, row, besides) for row in chosen[kind.name].values()] for kind in KINDS}


def _record(kind: Kind, row: Any, besides: Mapping[str, Mapping[str, Sequence[str]]]) -> Record:
    plain = {name: getattr(row, name) for name in kind.form if name not in kind.besides}
    listed = {name: list(besides[name].get(row.id, ())) for name in kind.besides}
    record = {**plain, **listed, "created": row.created.isoformat()}
    if kind.name == "models":  # older releases kept names as they came
        record |= {"name": as_stored(row.name), "names": sorted({as_stored(name) for name in record["names"]})}
    if kind.name == "datasets":
        record["inputs"] = [{"name": name, **array} for name, array in row.inputs.items()]
    return record


def _names(session: Session, models: Sequence[str]) -> dict[str, list[str]]:
    """Model -> the names that it came under later, in order."""
    named = select(ModelNameRow.model_id, ModelNameRow.name).order_by(ModelNameRow.model_id, ModelNameRow.name)
    found: dict[str, list[str]] = {}
    for model, name in session.execute(named.where(ModelNameRow.model_id.in_(models))):
        found.setdefault(model, []).append(name)
    return found
