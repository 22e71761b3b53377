"""Engines are found in the order of their age by what is searched for, without a sort."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"

_SEARCHED = ("compute_capability", "precision", "tensorrt")


def upgrade() -> None:
    for column in _SEARCHED:
        op.drop_index(op.f(f"ix_engines_{column}"), "engines")
        op.create_index(op.f(f"ix_engines_{column}_created_id"), "engines", [column, "created", "id"])
    op.drop_index(op.f("ix_engines_model_id_precision"), "engines")
    op.create_index(op.f("ix_engines_model_id_created_id"), "engines", ["model_id", "created", "id"])
    op.create_index(
        op.f("ix_engines_model_id_precision_created_id"), "engines", ["model_id", "precision", "created", "id"]
    )
