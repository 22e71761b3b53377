"""Writing the rows of a bundle, in one transaction that is the caller's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

from trtfarm.bundles.placing import Placed, Verdict
from trtfarm.catalog.details import IMPORTED
from trtfarm.catalog.visibility import grant
from trtfarm.database.insert import conflict_insert
from trtfarm.database.schema import EngineLabelRow, ModelNameRow, ModelRow

if TYPE_CHECKING:
    from trtfarm.tables.table import CalibrationTable

_TELLS = {"engines": "facts", "tables": "rule"}
_BROUGHT = frozenset({"engines", "tables", "verifications"})


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where rows came from: the digest of the bundle's manifest, and the key of the farm that made it."""

    bundle: str
    farm: str


@dataclass(frozen=True, kw_only=True)
class Taker:
    """Whom rows are for: a project, which gives engines the bundle's `labels` if it is to."""

    project: str
    labels: bool


def add(
    session: Session, placed: Sequence[Placed], tables: Mapping[str, CalibrationTable], origin: Origin, taker: Taker
) -> None:
    """`tables` by the digests of their texts."""
    for _kind, group in groupby(placed, key=lambda each: each.kind.name):
        for each in group:
            if each.verdict is Verdict.NEW and each.values is not None:
                session.add(each.kind.rows(**_columns(each, each.values, tables, origin)))
        session.flush()
    grant(session, taker.project, (each.here for each in placed if _brings(each)))
    for each in placed:
        if each.kind.name == "models" and each.here is not None:
            _complete_model(session, each.here, each)
        if taker.labels and each.kind.name == "engines" and each.verdict is not Verdict.CONFLICT:
            _label(session, each, taker.project)


def _brings(placed: Placed) -> bool:
    """Whether the project has this from now on; a model only if the bundle has its files, and not just its name."""
    known = placed.kind.name in _BROUGHT or (placed.kind.name == "models" and placed.carried)
    return known and placed.verdict is not Verdict.CONFLICT


def _columns(
    placed: Placed, values: Mapping[str, Any], tables: Mapping[str, CalibrationTable], origin: Origin
) -> dict[str, Any]:
    columns = dict(values)
    if tells := _TELLS.get(placed.kind.name):
        # When it was made is told here: `created` is when it came, from which on clean-up counts.
        columns[tells] = {**columns[tells], IMPORTED: {**vars(origin), "made": placed.record["created"]}}
    if placed.kind.name == "tables":
        table = tables[placed.record["blob"]]
        columns |= {"scales": dict(table.scales), "tensors": len(table.scales)}
    return columns


def _label(session: Session, engine: Placed, project: str) -> None:
    for label in engine.record["labels"]:
        row = conflict_insert(session, EngineLabelRow).values(engine_id=engine.here, project=project, label=label)
        session.execute(row.on_conflict_do_nothing())


def _complete_model(session: Session, model_id: str, placed: Placed) -> None:
    """A model that was here by name only gets its files; and it is found by all names that it has."""
    row = session.get_one(ModelRow, model_id)
    if placed.files:
        row.blob, row.weights_blob = placed.record["blob"], placed.record["weights_blob"]
    for name in {placed.record["name"], *placed.record["names"]} - {row.name}:
        named = conflict_insert(session, ModelNameRow).values(model_id=model_id, name=name)
        session.execute(named.on_conflict_do_nothing(index_elements=["model_id", "name"]))
