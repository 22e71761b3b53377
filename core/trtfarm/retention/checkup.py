"""A look at everything that is stored: is each blob there that a row names, and is it what its digest says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import delete, select

from trtfarm.blobs.garbage import GRACE_SECONDS, find_garbage
from trtfarm.blobs.naming import named
from trtfarm.blobs.records import record
from trtfarm.blobs.store import Blob
from trtfarm.database.schema import BlobRow, DatasetRow, ModelRow
from trtfarm.farm import Farm
from trtfarm.retention.cleaning import Tell, untold

#: Whose files may have stayed on another farm, from which a bundle brought the row.
_HANDED_IN = (f"{ModelRow.__tablename__} ", f"{DatasetRow.__tablename__} ")


class Damage(StrEnum):
    """What is wrong with a blob that a row names."""

    #: It is not there.
    MISSING = "missing"
    #: Its bytes are not those of its digest.
    CORRUPT = "corrupt"
    #: It is there whole, and the database knows nothing of it, or another size, so that no result counts as complete.
    UNRECORDED = "unrecorded"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A damaged blob and the rows that name it, as `table id`; `repaired` where it was dealt with."""

    digest: str
    damage: Damage
    named_by: tuple[str, ...]
    repaired: bool

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Checkup:
    """`orphans` are blobs that no row names and that are older than clean-up's grace, and how many bytes they take."""

    checked: int
    findings: tuple[Finding, ...]
    orphans: int
    orphan_bytes: int

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def check_up(farm: Farm, *, repair: bool, tell: Tell = untold) -> Checkup:
    """Reads every blob that a row names; `tell` hears how many of how many are done.

    With `repair` corrupt blobs are removed, and what is there whole is recorded. A result that lacks a blob is no hit,
    so the next submission makes it anew; a model or data set is mended by handing it in again.
    """
    names: dict[str, list[str]] = defaultdict(list)
    with farm.database.read() as session:
        for naming in named(session):
            names[naming.digest].append(f"{naming.table} {naming.row_id}")
    findings = []
    for number, digest in enumerate(sorted(names), 1):
        damage = _damage(farm, digest, names[digest])
        if damage is not None:
            done = repair and _repaired(farm, digest, damage)
            findings.append(Finding(digest=digest, damage=damage, named_by=tuple(sorted(names[digest])), repaired=done))
        tell(number, len(names))
    garbage = find_garbage(farm.database, farm.blobs, grace_seconds=GRACE_SECONDS)
    return Checkup(
        checked=len(names),
        findings=tuple(findings),
        orphans=len(garbage),
        orphan_bytes=sum(stored.blob.size for stored in garbage),
    )


def _damage(farm: Farm, digest: str, named_by: Sequence[str]) -> Damage | None:
    size = farm.blobs.size(digest)
    with farm.database.read() as session:
        recorded = session.scalar(select(BlobRow.size).where(BlobRow.digest == digest))
    if size is None:
        # A bundle told of a model or data that never were here.
        known = recorded is not None or any(not name.startswith(_HANDED_IN) for name in named_by)
        return Damage.MISSING if known else None
    if not farm.blobs.intact(digest):
        return Damage.CORRUPT
    return None if recorded == size else Damage.UNRECORDED


def _repaired(farm: Farm, digest: str, damage: Damage) -> bool:
    """Whether there was something to be done about it here: of a missing blob only its maker can."""
    if damage is Damage.CORRUPT:
        return not farm.blobs.verify(digest)  # looks again, and removes it
    size = farm.blobs.size(digest)
    if damage is Damage.MISSING or size is None:
        return False
    with farm.database.write() as session:
        session.execute(delete(BlobRow).where(BlobRow.digest == digest))
        record(session, [Blob(digest=digest, size=size)])
    return True
