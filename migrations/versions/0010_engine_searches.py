"""Searches for engines by several things at once read an index and no rows: each holds the columns of the others."""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"

_BEFORE = (
    "calibrator",
    "compute_capability_created_id",
    "model_id_created_id",
    "model_id_precision_created_id",
    "precision_created_id",
    "tensorrt_created_id",
)
#: Each begins with what leads a search, and goes on with the order of a list.
_NOW = {
    "of_model": ["model_id", "created", "id", "tensorrt", "compute_capability", "precision", "calibrator"],
    "of_tensorrt": ["tensorrt", "created", "id", "compute_capability", "precision", "calibrator"],
    "of_compute_capability": ["compute_capability", "created", "id", "precision", "calibrator"],
    "of_precision": ["precision", "created", "id", "calibrator"],
    "of_calibrator": ["calibrator", "created", "id"],
}


def upgrade() -> None:
    for name in _BEFORE:
        op.drop_index(op.f(f"ix_engines_{name}"), "engines")
    for name, columns in _NOW.items():
        op.create_index(op.f(f"ix_engines_{name}"), "engines", columns)
