"""Labels of engines, such as `prod`: for finding them, and for keeping them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "engine_labels",
        sa.Column("engine_id", sa.String(length=40), nullable=False),
        sa.Column("label", sa.String(length=64), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["engine_id"], ["engines.id"], name=op.f("fk_engine_labels_engine_id_engines")),
        sa.PrimaryKeyConstraint("engine_id", "label", name=op.f("pk_engine_labels")),
    )
    op.create_index(op.f("ix_engine_labels_label"), "engine_labels", ["label"])
