"""Results that are there already: the farm's cache is its own tables of artefacts, looked up by an action's key."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from trtfarm.actions import Action, ActionKind
from trtfarm.database.schema import (
    EngineRow,
    ObservationRow,
    QuantizationRow,
    RecordingRow,
    TableRow,
    VerificationRow,
)

#: The word under which each kind of action names its result's row in a step's `result`.
RESULT_ID = {
    ActionKind.OBSERVE: "observation_id",
    ActionKind.CALIBRATE: "table_id",
    ActionKind.QUANTIZE: "quantization_id",
    ActionKind.SEARCH: "quantization_id",
    ActionKind.CONVERT: "quantization_id",
    ActionKind.VERIFY: "verification_id",
    ActionKind.BUILD: "engine_id",
    ActionKind.RECORD: "recording_id",
    ActionKind.MEASURE: "verification_id",
}
#: The word under which a job's result names the key of another action whose result it stored in the same go.
ALSO = "also"
_ROWS: dict[ActionKind, Any] = {
    ActionKind.OBSERVE: ObservationRow,
    ActionKind.CALIBRATE: TableRow,
    ActionKind.QUANTIZE: QuantizationRow,
    ActionKind.SEARCH: QuantizationRow,
    ActionKind.CONVERT: QuantizationRow,
    ActionKind.VERIFY: VerificationRow,
    ActionKind.BUILD: EngineRow,
    ActionKind.RECORD: RecordingRow,
    ActionKind.MEASURE: VerificationRow,
}
_BLOBS: dict[ActionKind, Callable[[Any], Sequence[str | None]]] = {
    ActionKind.OBSERVE: lambda observation: [observation.blob],
    ActionKind.CALIBRATE: lambda table: [table.blob],
    ActionKind.QUANTIZE: lambda quantization: [quantization.blob],
    ActionKind.SEARCH: lambda quantization: [quantization.blob],
    ActionKind.CONVERT: lambda conversion: [conversion.blob],
    ActionKind.VERIFY: lambda _verification: [],
    ActionKind.BUILD: lambda engine: [engine.blob, engine.log_blob],
    ActionKind.RECORD: lambda recording: [output["blob"] for output in recording.outputs.values()],
    ActionKind.MEASURE: lambda _verification: [],
}


class Completeness(Protocol):
    """Whether every blob of a result is there; a result that misses one is a miss, and doing it again repairs it."""

    def __call__(self, session: Session, digests: Sequence[str]) -> bool: ...


def find_all(session: Session, actions: Iterable[Action], complete: Completeness) -> dict[str, dict[str, Any]]:
    """The results of equal actions of which all is still there, by their keys."""
    keys: dict[ActionKind, list[str]] = {}
    for action in actions:
        if action.kind in _ROWS:
            keys.setdefault(action.kind, []).append(action.key)
    return {
        row.key: {RESULT_ID[kind]: row.id}
        for kind, wanted in keys.items()
        for row in session.scalars(select(_ROWS[kind]).where(_ROWS[kind].key.in_(wanted)))
        if _complete(session, kind, row, complete)
    }


def find(session: Session, action: Action, complete: Completeness) -> dict[str, Any] | None:
    """The result of an equal action, if all of it is still there."""
    found = _row(session, action.kind, action.key)
    if found is None or not _complete(session, action.kind, found, complete):
        return None
    return {RESULT_ID[action.kind]: found.id}


def whole(session: Session, kind: ActionKind, key: str | None, complete: Completeness) -> bool:
    """Whether the result under a key is there with all its blobs."""
    found = _row(session, kind, key)
    return found is not None and _complete(session, kind, found, complete)


def _row(session: Session, kind: ActionKind, key: str | None) -> Any:
    rows = _ROWS[kind]
    return session.scalars(select(rows).where(rows.key == key)).one_or_none()


def _complete(session: Session, kind: ActionKind, row: Any, complete: Completeness) -> bool:
    return complete(session, [blob for blob in _BLOBS[kind](row) if blob])
