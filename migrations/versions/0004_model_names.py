"""A model is found by every name that it came under."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "model_names",
        sa.Column("model_id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_model_names_model_id_models")),
        sa.PrimaryKeyConstraint("model_id", "name", name=op.f("pk_model_names")),
    )
    op.create_index(op.f("ix_model_names_name"), "model_names", ["name"])
