"""What is stored, as a policy sees it: when it was last used, what keeps it, and what it was made from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from trtfarm.catalog.labels import labels_of
from trtfarm.database.schema import (
    BlobRow,
    DatasetRow,
    EngineRow,
    JobRow,
    QuantizationRow,
    StepRow,
    SubmissionRow,
    TableRow,
    VerificationRow,
)
from trtfarm.jobs.state import LIVE, SubmissionState
from trtfarm.retention.policy import Kind, Stored

#: Fields of a submission's request, or of a job's, that name rows.
_DATA = ("dataset_id", "test_dataset_id")
_TABLE = ("table_id",)


@dataclass(frozen=True, kw_only=True)
class _Uses:
    """When things were last asked for, and which of them something unfinished needs: by key or by id."""

    last: Mapping[str, datetime]
    wanted: Collection[str]

    def used(self, created: datetime, *names: str | None) -> datetime:
        return max([created, *(self.last[name] for name in names if name is not None and name in self.last)])

    def why_kept(self, *names: str | None) -> str | None:
        return "a submission that goes on needs it" if any(name in self.wanted for name in names) else None


def stored_rows(session: Session, kinds: Collection[Kind]) -> list[Stored]:
    """All that the farm has of these kinds."""
    readers = {Kind.ENGINE: _engines, Kind.TABLE: _tables, Kind.DATASET: _datasets}
    uses = _uses(session, ids=kinds != {Kind.ENGINE})
    return [stored for kind in readers if kind in kinds for stored in readers[kind](session, uses)]


def _engines(session: Session, uses: _Uses) -> Iterator[Stored]:
    labels, checked = labels_of(session), _data_by_maker(session)
    tables: dict[str, str | None] = dict(session.execute(select(QuantizationRow.id, QuantizationRow.table_id)).all())
    columns = EngineRow.id, EngineRow.key, EngineRow.size, EngineRow.created, EngineRow.pinned
    for row in session.execute(select(*columns, EngineRow.table_id, EngineRow.quantization_id)):
        made_from = {row.table_id, tables.get(row.quantization_id), *checked[row.id], *checked[row.quantization_id]}
        labelled = "labelled " + ", ".join(labels[row.id]) if row.id in labels else None
        yield Stored(
            kind=Kind.ENGINE,
            id=row.id,
            size=row.size,
            created=row.created,
            used=uses.used(row.created, row.key),
            kept="pinned" if row.pinned else labelled or uses.why_kept(row.key),
            made_from=frozenset(made_from - {None}),
        )


def _tables(session: Session, uses: _Uses) -> Iterator[Stored]:
    rewritten = _rewritten_with(session)
    columns = TableRow.id, TableRow.key, TableRow.created, TableRow.dataset_id, TableRow.parent_id, BlobRow.size
    for row in session.execute(select(*columns).join(BlobRow, BlobRow.digest == TableRow.blob, isouter=True)):
        yield Stored(
            kind=Kind.TABLE,
            id=row.id,
            size=row.size or 0,
            created=row.created,
            used=uses.used(row.created, row.key, row.id, *rewritten[row.id]),
            kept=uses.why_kept(row.key, row.id, *rewritten[row.id]),
            made_from=frozenset({row.dataset_id, row.parent_id} - {None}),
        )


def _datasets(session: Session, uses: _Uses) -> Iterator[Stored]:
    sizes: dict[str, int] = dict(session.execute(select(BlobRow.digest, BlobRow.size)).all())
    newest = select(VerificationRow.dataset_id, func.max(VerificationRow.created)).group_by(VerificationRow.dataset_id)
    verified: dict[str, datetime] = dict(session.execute(newest).all())
    for row in session.execute(select(DatasetRow.id, DatasetRow.created, DatasetRow.inputs, DatasetRow.labels)):
        arrays: Iterable[Mapping[str, Any]] = [*row.inputs.values(), *([row.labels] if row.labels else [])]
        yield Stored(
            kind=Kind.DATASET,
            id=row.id,
            size=sum(sizes.get(array["blob"], 0) for array in arrays),
            created=row.created,
            used=max(uses.used(row.created, row.id), verified.get(row.id, row.created)),
            kept=uses.why_kept(row.id),
        )


def _rewritten_with(session: Session) -> defaultdict[str | None, set[str]]:
    """Table -> the keys of models that were rewritten with it; who has a table of equal scales finds them, too."""
    found: defaultdict[str | None, set[str]] = defaultdict(set)
    for table, key in session.execute(select(QuantizationRow.table_id, QuantizationRow.key)):
        found[table].add(key)
    return found


def _data_by_maker(session: Session) -> defaultdict[str | None, set[str | None]]:
    """Engine or rewritten model -> the data sets that its accuracy was measured on."""
    found: defaultdict[str | None, set[str | None]] = defaultdict(set)
    columns = VerificationRow.engine_id, VerificationRow.quantization_id, VerificationRow.dataset_id
    for engine, quantization, dataset in session.execute(select(*columns)):
        found[engine or quantization].add(dataset)
    return found


def _uses(session: Session, *, ids: bool) -> _Uses:
    """`ids` says whether tables and data are asked about, which requests name by id."""
    active = SubmissionRow.state == SubmissionState.ACTIVE
    keys = select(StepRow.key, func.max(SubmissionRow.created))
    keys = keys.join(SubmissionRow, SubmissionRow.id == StepRow.submission_id).where(StepRow.key.is_not(None))
    unfinished = select(StepRow.key).join(SubmissionRow, SubmissionRow.id == StepRow.submission_id).where(active)
    last: dict[str, datetime] = _pairs(session, keys.group_by(StepRow.key))
    wanted: set[Any] = set(session.scalars(unfinished))
    for name in (*_DATA, *_TABLE) if ids else ():
        asked: Any = SubmissionRow.request[name].as_string()
        last |= _pairs(session, select(asked, func.max(SubmissionRow.created)).group_by(asked))
        needed: Any = JobRow.request[name].as_string()
        wanted |= set(session.scalars(select(asked).where(active).distinct()))
        wanted |= set(session.scalars(select(needed).where(JobRow.state.in_(LIVE)).distinct()))
    return _Uses(last=last, wanted=wanted - {None})


def _pairs(session: Session, asked: Select[*tuple[Any, ...]]) -> dict[str, datetime]:
    return {name: moment for name, moment in session.execute(asked) if name is not None}
