"""Results that are there already: the farm's cache is its own tables, looked up by an action's key."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, cast

from sqlalchemy import Table, select
from sqlalchemy.orm import Session

from trtfarm.actions import Action, ActionKind
from trtfarm.database.base import Base
from trtfarm.database.kept import Kept
from trtfarm.database.many import among
from trtfarm.database.schema import (
    EngineRow,
    ObservationRow,
    QuantizationRow,
    RecordingRow,
    TableRow,
    VerificationRow,
)

#: The word under which a job's result names the key of another action whose result it stored in the same go.
ALSO = "also"


class Completeness(Protocol):
    """Whether every blob of a result is there; a result that misses one is a miss, and doing it again repairs it."""

    def __call__(self, session: Session, digests: Sequence[str]) -> bool: ...


@dataclass(frozen=True)
class _Kind:
    """Where results of a kind are kept."""

    rows: type[Base]
    #: Names the result's row in a step's `result`.
    word: str
    #: Columns that hold the digest of a blob, or null.
    blobs: tuple[str, ...] = ()
    #: The column that holds arrays by name, each with the digest of its blob.
    arrays: str | None = None

    @cached_property
    def find(self) -> Kept:
        """The statement that looks for `keys`."""
        return Kept(lambda dialect: [self._finding(dialect)])

    def _finding(self, dialect: str) -> Any:
        table = cast(Table, self.rows.__table__)
        read = (*self.blobs, *([self.arrays] if self.arrays else []))
        return select(table.c.key, table.c.id, *(table.c[name] for name in read)).where(
            among(dialect, table.c.key, "keys")
        )

    def digests(self, row: Any) -> list[str]:
        """Those of a row's blobs."""
        named = [getattr(row, name) for name in self.blobs]
        arrays = getattr(row, self.arrays).values() if self.arrays else ()
        return [*filter(None, named), *(array["blob"] for array in arrays)]


def find_all(session: Session, actions: Iterable[Action], complete: Completeness) -> dict[str, dict[str, Any]]:
    """The results of equal actions of which all is still there, by their keys."""
    keys: dict[_Kind, list[str]] = {}
    for action in actions:
        if action.kind in KINDS:
            keys.setdefault(KINDS[action.kind], []).append(action.key)
    return {
        row.key: {kind.word: row.id}
        for kind, wanted in keys.items()
        for row in kind.find(session, keys=wanted)
        if complete(session, kind.digests(row))
    }


def find(session: Session, action: Action, complete: Completeness) -> dict[str, Any] | None:
    """The result of an equal action, if all of it is still there."""
    return find_all(session, [action], complete).get(action.key)


def whole(session: Session, kind: ActionKind, key: str | None, complete: Completeness) -> bool:
    """Whether the result under a key is there with all its blobs."""
    where = KINDS[kind]
    return any(complete(session, where.digests(row)) for row in where.find(session, keys=[key]))


_REWRITTEN = _Kind(QuantizationRow, "quantization_id", blobs=("blob",))
_MEASURED = _Kind(VerificationRow, "verification_id")
#: Where the results of each kind of action are; a choice has no result of its own.
KINDS = {
    ActionKind.OBSERVE: _Kind(ObservationRow, "observation_id", blobs=("blob",)),
    ActionKind.CALIBRATE: _Kind(TableRow, "table_id", blobs=("blob",)),
    ActionKind.QUANTIZE: _REWRITTEN,
    ActionKind.SEARCH: _REWRITTEN,
    ActionKind.CONVERT: _REWRITTEN,
    ActionKind.VERIFY: _MEASURED,
    ActionKind.BUILD: _Kind(EngineRow, "engine_id", blobs=("blob", "log_blob")),
    ActionKind.RECORD: _Kind(RecordingRow, "recording_id", arrays="outputs"),
    ActionKind.MEASURE: _MEASURED,
}
