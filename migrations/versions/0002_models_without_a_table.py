"""A rewritten model need not come from a table: one in float16 has no scales."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    with op.batch_alter_table("quantizations") as batch:
        batch.alter_column("table_id", existing_type=sa.String(length=40), nullable=True)
