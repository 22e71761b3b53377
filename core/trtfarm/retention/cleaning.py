"""Removing what a policy lets go of, and blobs that no row names."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from trtfarm.blobs.garbage import GRACE_SECONDS, find_garbage, remove_garbage
from trtfarm.blobs.store import StoredBlob
from trtfarm.catalog.removal import forget_engines, remove_files
from trtfarm.catalog.staying import hold_engines
from trtfarm.database.clock import now
from trtfarm.farm import Farm
from trtfarm.retention.forgetting import forget_datasets, forget_tables
from trtfarm.retention.policy import Kind, Policy, Stored, doomed
from trtfarm.retention.statistics import forget_statistics, spent_statistics
from trtfarm.retention.stock import stored_rows
from trtfarm.submissions.standstill import standing_still

#: Hears how many of how many files are done.
Tell = Callable[[int, int], None]

_FORGET: dict[Kind, Callable[[Session, Sequence[str]], set[str]]] = {
    Kind.ENGINE: forget_engines,
    Kind.TABLE: forget_tables,
    Kind.DATASET: forget_datasets,
}


def untold(_done: int, _total: int) -> None:
    """For those who do not want to know how far it is."""


@dataclass(frozen=True, kw_only=True)
class Cleaned:
    """What went, or what would: what the policy let go of, with its bytes, and blobs that no row named before."""

    gone: Sequence[Stored]
    garbage: Sequence[StoredBlob]

    def of(self, kind: Kind) -> list[Stored]:
        return [one for one in self.gone if one.kind is kind]

    def as_dict(self) -> dict[str, Any]:
        garbage = [{"digest": stored.blob.digest, "size": stored.blob.size} for stored in self.garbage]
        return {
            "engines": [one.as_dict() for one in self.of(Kind.ENGINE)],
            "tables": [one.as_dict() for one in self.of(Kind.TABLE)],
            "datasets": [one.as_dict() for one in self.of(Kind.DATASET)],
            "garbage": garbage,
        }


def clean(
    farm: Farm, policy: Policy, *, grace_seconds: float = GRACE_SECONDS, dry_run: bool = False, tell: Tell = untold
) -> Cleaned:
    """What the policy lets go of, and garbage older than the grace period; with `dry_run` only looks.

    Garbage is also what was observed of shares of data when no submission that goes on needs it. Safe beside
    submissions, builds and uploads. What goes is decided again while no submission can move on, so that nothing that
    was found meanwhile goes. `tell` hears of each piece of garbage, and may raise: what is left is then there for the
    next time.
    """
    with farm.database.read() as session:
        spent = spent_statistics(session, grace_seconds)
    if spent and not dry_run:
        with standing_still(farm.database) as session:
            forget_statistics(session, grace_seconds)
    garbage = find_garbage(farm.database, farm.blobs, grace_seconds=grace_seconds, without=spent if dry_run else ())
    with farm.database.read() as session:
        gone = doomed(stored_rows(session, _kinds(policy)), policy, _moment(session))
    if dry_run:
        return Cleaned(gone=gone, garbage=garbage)
    removed = remove_garbage(farm.database, farm.blobs, garbage, tell=tell)
    if gone:
        gone = _forget(farm, policy, {one.id for one in gone})
    farm.uploads.sweep()
    farm.sweep()
    return Cleaned(gone=gone, garbage=removed)


def _kinds(policy: Policy) -> Collection[Kind]:
    """What has to be looked at. Tables and data are only gone through for a policy that may take some."""
    aged = policy.tables_unused_for, policy.data_unused_for
    return frozenset({Kind.ENGINE}) if aged == (None, None) else frozenset(Kind)


def _forget(farm: Farm, policy: Policy, chosen: set[str]) -> list[Stored]:
    """Removes those of the chosen that the policy still lets go; returns them."""
    files: set[str] = set()
    with standing_still(farm.database) as session:
        hold_engines(session, chosen)  # whoever pins or labels one now waits until it is decided
        still = doomed(stored_rows(session, _kinds(policy)), policy, _moment(session))
        gone = [one for one in still if one.id in chosen]
        for kind, forget in _FORGET.items():
            files |= forget(session, [one.id for one in gone if one.kind is kind])
    remove_files(farm.database, farm.blobs, files)
    return gone


def _moment(session: Session) -> datetime:
    return session.scalars(select(now())).one()
