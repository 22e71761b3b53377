"""What may go, decided from plain facts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What a policy takes, in the order in which it does: nothing goes that something which stays was made from."""

    ENGINE = "engine"
    TABLE = "table"
    DATASET = "dataset"


@dataclass(frozen=True, kw_only=True)
class Stored:
    """Something as a policy sees it; `size` is bytes of its files.

    `used` is when it was made, or when a submission last found it. `kept` says why it stays whatever the policy is;
    None where nothing keeps it. `made_from` are the ids of what stays as long as it does.
    """

    kind: Kind
    id: str
    size: int
    created: datetime
    used: datetime
    kept: str | None
    made_from: frozenset[str] = field(default_factory=frozenset)

    def as_dict(self) -> dict[str, Any]:
        return {"id": self.id, "size": self.size, "used": self.used.isoformat()}


@dataclass(frozen=True, kw_only=True)
class Policy:
    """None sets no limit: `unused_for` and its like are the time after which something goes.

    `total_bytes` is what all engines may take; tables and data are small, or bring engines back when they are needed.
    """

    unused_for: timedelta | None = None
    total_bytes: int | None = None
    tables_unused_for: timedelta | None = None
    data_unused_for: timedelta | None = None

    def limit(self, kind: Kind) -> timedelta | None:
        """How long what is of a kind may go unused."""
        limits = {
            Kind.ENGINE: self.unused_for,
            Kind.TABLE: self.tables_unused_for,
            Kind.DATASET: self.data_unused_for,
        }
        return limits[kind]


def doomed(stored: Iterable[Stored], policy: Policy, now: datetime) -> list[Stored]:
    """What goes: engines longest unused first, then tables and data sets that nothing which stays was made from.

    Kept engines count in the total, and never go.
    """
    everything = list(stored)
    gone = _engines([one for one in everything if one.kind is Kind.ENGINE], policy, now)
    lost = {one.id for one in gone}
    needed = {id_ for one in everything if one.kind is Kind.ENGINE and one.id not in lost for id_ in one.made_from}
    for kind in (Kind.TABLE, Kind.DATASET):
        # Newest first: a table that was made from another one is younger than that.
        newest_first = sorted((one for one in everything if one.kind is kind), key=lambda one: one.created)[::-1]
        for one in newest_first:
            if one.kept is None and one.id not in needed and _old(one, policy, now):
                gone.append(one)
            else:
                needed |= one.made_from
    return gone


def _engines(engines: Sequence[Stored], policy: Policy, now: datetime) -> list[Stored]:
    total = sum(engine.size for engine in engines)
    gone: list[Stored] = []
    for engine in sorted(engines, key=lambda engine: (engine.used, engine.id)):
        if engine.kept is not None:
            continue
        if _old(engine, policy, now) or (policy.total_bytes is not None and total > policy.total_bytes):
            gone.append(engine)
            total -= engine.size
    return gone


def _old(one: Stored, policy: Policy, now: datetime) -> bool:
    limit = policy.limit(one.kind)
    return limit is not None and now - one.used > limit
