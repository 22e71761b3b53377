"""What builds on GPUs need: routing of jobs, FP32 outputs to hold engines to, timing caches, signatures."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_TIME = sa.DateTime(timezone=True)
_QUEUED = sa.text("state = 'queued'")


def upgrade() -> None:
    _route_jobs()
    _hold_engines_to_fp32()
    with op.batch_alter_table("engines") as batch:
        batch.add_column(sa.Column("signature", sa.String(length=100), nullable=True))
        batch.add_column(sa.Column("signing_key", sa.String(length=80), nullable=True))
    op.create_table(
        "timing_caches",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("key", sa.String(length=71), nullable=False),
        sa.Column("tensorrt", sa.String(length=32), nullable=False),
        sa.Column("gpu", sa.String(length=100), nullable=False),
        sa.Column("compute_capability", sa.String(length=16), nullable=False),
        sa.Column("blob", sa.String(length=71), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("changed", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_timing_caches")),
        sa.UniqueConstraint("key", name=op.f("uq_timing_caches_key")),
    )


def _route_jobs() -> None:
    # Defaults for the rows that are there; from then on the farm says it.
    with op.batch_alter_table("jobs") as batch:
        batch.add_column(sa.Column("capability", sa.String(length=100), nullable=False, server_default="cpu"))
    with op.batch_alter_table("jobs") as batch:
        batch.alter_column("capability", existing_type=sa.String(length=100), server_default=None)
    op.drop_index(op.f("ix_jobs_state_priority_queued_at"), "jobs")
    op.create_index(
        op.f("ix_jobs_queued"),
        "jobs",
        ["capability", sa.text("priority DESC"), "queued_at", "id"],
        sqlite_where=_QUEUED,
        postgresql_where=_QUEUED,
    )
    op.create_index(op.f("ix_jobs_state_lease_until"), "jobs", ["state", "lease_until"])
    with op.batch_alter_table("workers") as batch:
        batch.add_column(sa.Column("capabilities", sa.JSON(), nullable=False, server_default="[]"))
        batch.add_column(sa.Column("gpus", sa.JSON(), nullable=False, server_default="[]"))
    with op.batch_alter_table("workers") as batch:
        batch.alter_column("capabilities", existing_type=sa.JSON(), server_default=None)
        batch.alter_column("gpus", existing_type=sa.JSON(), server_default=None)


def _hold_engines_to_fp32() -> None:
    op.create_table(
        "recordings",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("key", sa.String(length=71), nullable=False),
        sa.Column("model_id", sa.String(length=40), nullable=False),
        sa.Column("dataset_id", sa.String(length=40), nullable=False),
        sa.Column("outputs", sa.JSON(), nullable=False),
        sa.Column("created", _TIME, nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_recordings_model_id_models")),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name=op.f("fk_recordings_dataset_id_datasets")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recordings")),
        sa.UniqueConstraint("key", name=op.f("uq_recordings_key")),
    )
    with op.batch_alter_table("verifications") as batch:
        batch.alter_column("quantization_id", existing_type=sa.String(length=40), nullable=True)
        batch.add_column(sa.Column("engine_id", sa.String(length=40), nullable=True))
        batch.create_foreign_key(op.f("fk_verifications_engine_id_engines"), "engines", ["engine_id"], ["id"])
    op.create_index(op.f("ix_verifications_engine_id_created"), "verifications", ["engine_id", "created"])
