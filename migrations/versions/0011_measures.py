"""What a verification measured, in columns that a search goes by."""

from __future__ import annotations

import json
import math
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

_MEASURES = ("top1", "cosine", "lost")
_AT_ONCE = 1000


def upgrade() -> None:
    for name in _MEASURES:
        op.add_column("verifications", sa.Column(name, sa.Double(), nullable=True))
    _fill(op.get_bind())
    for name in _MEASURES:
        op.create_index(op.f(f"ix_verifications_{name}"), "verifications", [name])


def _fill(connection: sa.Connection) -> None:
    found = sa.text("SELECT id, metrics FROM verifications WHERE id > :after ORDER BY id LIMIT :count")
    update = sa.text("UPDATE verifications SET top1 = :top1, cosine = :cosine, lost = :lost WHERE id = :id")
    after = ""
    while rows := connection.execute(found, {"after": after, "count": _AT_ONCE}).all():
        connection.execute(update, [{"id": row_id, **_measures(metrics)} for row_id, metrics in rows])
        after = rows[-1][0]


def _measures(stored: Any) -> dict[str, float | None]:
    """As a release of this schema tells them; SQLite gives JSON as text."""
    metrics = json.loads(stored) if isinstance(stored, str) else stored
    classes, outputs = metrics.get("classification"), metrics.get("outputs", {}).values()
    cosines = [float(output["cosine_mean"]) for output in outputs if "cosine_mean" in output]
    agreements = [*cosines, *(float(output["equal_share"]) for output in outputs if "equal_share" in output)]
    if classes:
        top1 = float(classes["candidate"]["top1"])
        lost = float(classes["reference"]["top1"]) - top1
    else:
        top1 = math.nan
        lost = 1 - _least(agreements)
    found = {"top1": top1, "cosine": _least(cosines), "lost": lost}
    return {name: None if math.isnan(value) else value for name, value in found.items()}


def _least(values: list[float]) -> float:
    """NaN where any is, and where there is none."""
    return math.nan if any(map(math.isnan, values)) else min(values, default=math.nan)
