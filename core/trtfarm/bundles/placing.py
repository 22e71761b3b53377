"""Where each row of a bundle belongs on this farm: it is new, or there already, or something else has its key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from trtfarm.blobs.naming import arrays_blobs
from trtfarm.bundles.kinds import KINDS, Kind, Record
from trtfarm.bundles.manifest import Manifest
from trtfarm.database.schema import ModelRow, RecordingRow, TableRow
from trtfarm.ids import new_id
from trtfarm.submissions.results import Completeness

#: Ids that the rows of a bundle have here, by kind and id there.
Places = dict[tuple[str, str], str]


class Verdict(StrEnum):
    """What becomes of a row of a bundle."""

    #: It is taken in.
    NEW = "new"
    #: An equal one is here.
    THERE = "there"
    #: Another result is here under its key, or under that of something that it was made of: it stays out.
    CONFLICT = "conflict"


@dataclass(frozen=True, kw_only=True)
class Placed:
    """`here` is the id of the row that it is or becomes; in a conflict that of what is in its way, if it is known.

    `values` are the columns of a new row, `files` the digests that have to be stored for it; `carried` says whether the
    bundle has its files, whether they are needed or not.
    """

    kind: Kind
    record: Record
    verdict: Verdict
    here: str | None
    reason: str | None = None
    values: dict[str, Any] | None = None
    files: tuple[str, ...] = ()
    carried: bool = False


def place(session: Session, manifest: Manifest, complete: Completeness) -> list[Placed]:
    """All rows of a bundle, each after those that it names."""
    places: Places = {}
    placed: list[Placed] = []
    for kind in KINDS:
        for record in manifest.rows[kind.name]:
            found = _lost(kind, record, places) or _FINDERS.get(kind.name, _find)(session, kind, record, places)
            if found.verdict is not Verdict.CONFLICT and found.here is not None:
                places[kind.name, record["id"]] = found.here
            placed.append(_with_files(session, manifest, found, complete))
    return placed


def _lost(kind: Kind, record: Record, places: Places) -> Placed | None:
    """A row that was made of one that stays out."""
    for name, of_kind in kind.names.items():
        if record[name] is not None and (of_kind, record[name]) not in places:
            reason = f"{record[name]}, which it was made of, stays out"
            return Placed(kind=kind, record=record, verdict=Verdict.CONFLICT, here=None, reason=reason)
    return None


def _find(session: Session, kind: Kind, record: Record, places: Places) -> Placed:
    known = _known(session, kind, record)
    if known is None:
        return _new(session, kind, record, places)
    if all(getattr(known, name) == record[name] for name in kind.files[:1]):
        return Placed(kind=kind, record=record, verdict=Verdict.THERE, here=known.id)
    reason = f"{known.id} was made here, of the same and with another result: it stays"
    return Placed(kind=kind, record=record, verdict=Verdict.CONFLICT, here=known.id, reason=reason)


def _find_table(session: Session, kind: Kind, record: Record, places: Places) -> Placed:
    """A table with another's key is taken in without one: engines were built from just this one."""
    known = _known(session, kind, record)
    if known is not None and known.blob == record["blob"]:
        return Placed(kind=kind, record=record, verdict=Verdict.THERE, here=known.id)
    model = places["models", record["model_id"]]
    equal = select(TableRow.id).where(TableRow.model_id == model, TableRow.blob == record["blob"])
    here = session.scalar(equal.order_by(TableRow.created, TableRow.id).limit(1))
    if here is not None:
        return Placed(kind=kind, record=record, verdict=Verdict.THERE, here=here)
    if known is None:
        return _new(session, kind, record, places)
    reason = f"{known.id} was made here, of the same and with other scales: it stays what submissions find"
    return _new(session, kind, {**record, "key": None}, places, reason)


_FINDERS: dict[str, Callable[[Session, Kind, Record, Places], Placed]] = {"tables": _find_table}


def _known(session: Session, kind: Kind, record: Record) -> Any:
    value = record[kind.unique]
    wanted = select(kind.rows).where(getattr(kind.rows, kind.unique) == value)
    return None if value is None else session.scalars(wanted).one_or_none()


def _new(session: Session, kind: Kind, record: Record, places: Places, reason: str | None = None) -> Placed:
    """Under its own id, unless something else has that here."""
    taken = session.get(kind.rows, record["id"]) is not None
    here = new_id(record["id"].partition("_")[0]) if taken else str(record["id"])
    named = {
        name: None if record[name] is None else places[of_kind, record[name]] for name, of_kind in kind.names.items()
    }
    values = {**kind.values(record), **named, "id": here}
    return Placed(kind=kind, record=record, verdict=Verdict.NEW, here=here, values=values, reason=reason)


def _with_files(session: Session, manifest: Manifest, placed: Placed, complete: Completeness) -> Placed:
    if placed.verdict is Verdict.CONFLICT:
        return placed
    files = manifest.files_of(placed.kind, placed.record)
    carried = bool(files)
    if placed.kind.name == "models" and placed.verdict is Verdict.THERE and _is_whole(session, placed.here, complete):
        # The farm's own copy may be written otherwise, and is as good.
        files = []
    if placed.kind.name == "recordings" and placed.verdict is Verdict.THERE:
        # So is what another processor computed here of the same.
        own = arrays_blobs(session.get_one(RecordingRow, placed.here).outputs)
        files = [digest for digest in files if digest in own]
    return replace(placed, files=tuple(files), carried=carried)


def _is_whole(session: Session, model: str | None, complete: Completeness) -> bool:
    row = session.get_one(ModelRow, model)
    return complete(session, [blob for blob in (row.blob, row.weights_blob) if blob])


def needed(placed: Sequence[Placed]) -> set[str]:
    """Digests of the files that have to be stored."""
    return {digest for each in placed for digest in each.files}
