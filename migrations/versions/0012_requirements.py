"""Jobs say where they may run, and workers where they are: by labels and memory."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

_QUEUED = sa.text("state = 'queued'")
_WORD = sa.String(length=1037)
#: A word that requires nothing.
_ANYWHERE = "00000"


def upgrade() -> None:
    # Defaults for the rows that are there; from then on the farm says it.
    with op.batch_alter_table("jobs") as batch:
        batch.add_column(sa.Column("requires", _WORD, nullable=False, server_default=_ANYWHERE))
    with op.batch_alter_table("jobs") as batch:
        batch.alter_column("requires", existing_type=_WORD, server_default=None)
    op.drop_index(op.f("ix_jobs_queued"), "jobs")
    op.create_index(
        op.f("ix_jobs_queued"),
        "jobs",
        ["capability", "requires", "project", sa.text("priority DESC"), "queued_at", "id"],
        sqlite_where=_QUEUED,
        postgresql_where=_QUEUED,
    )
    with op.batch_alter_table("workers") as batch:
        batch.add_column(sa.Column("labels", sa.JSON(), nullable=False, server_default="[]"))
        batch.add_column(sa.Column("memory_bytes", sa.BigInteger(), nullable=True))
    with op.batch_alter_table("workers") as batch:
        batch.alter_column("labels", existing_type=sa.JSON(), server_default=None)
