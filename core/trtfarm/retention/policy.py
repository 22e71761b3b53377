"""Which engines may go, decided from plain facts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, kw_only=True)
class StoredEngine:
    """An engine as a policy sees it; `size` is bytes of its plan.

    `used` is when it was made, or when a submission last found it. `kept` says why it stays whatever the policy is;
    None where nothing keeps it.
    """

    id: str
    size: int
    used: datetime
    kept: str | None


@dataclass(frozen=True, kw_only=True)
class Policy:
    """None sets no limit: `unused_for` is the time after which an engine goes, `total_bytes` what all may take."""

    unused_for: timedelta | None = None
    total_bytes: int | None = None


def doomed(engines: Sequence[StoredEngine], policy: Policy, now: datetime) -> list[StoredEngine]:
    """Those that go, longest unused first; kept ones count in the total, and never go."""
    total = sum(engine.size for engine in engines)
    gone: list[StoredEngine] = []
    for engine in sorted(engines, key=lambda engine: (engine.used, engine.id)):
        if engine.kept is not None:
            continue
        old = policy.unused_for is not None and now - engine.used > policy.unused_for
        if old or (policy.total_bytes is not None and total > policy.total_bytes):
            gone.append(engine)
            total -= engine.size
    return gone
