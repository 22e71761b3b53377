"""First tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "blob_holders",
        sa.Column("digest", sa.String(length=71), nullable=False),
        sa.Column("holder", sa.String(length=100), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", "holder", name=op.f("pk_blob_holders")),
    )
    op.create_index(op.f("ix_blob_holders_expires"), "blob_holders", ["expires"], unique=False)
    op.create_table(
        "blobs",
        sa.Column("digest", sa.String(length=71), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_blobs")),
    )
    op.create_table(
        "datasets",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("digest", sa.String(length=71), nullable=False),
        sa.Column("source", sa.String(), nullable=True),
        sa.Column("samples", sa.Integer(), nullable=False),
        sa.Column("inputs", sa.JSON(), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=True),
        sa.Column("spec", sa.JSON(), nullable=True),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_datasets")),
        sa.UniqueConstraint("digest", name=op.f("uq_datasets_digest")),
    )
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("key", sa.String(length=71), nullable=False),
        sa.Column("request", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("max_attempts", sa.Integer(), nullable=False),
        sa.Column("owner", sa.String(length=200), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("hinted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.Column("error", sa.JSON(), nullable=True),
        sa.Column("result", sa.JSON(), nullable=True),
        sa.Column("project", sa.String(length=100), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
    )
    op.create_index("ix_jobs_key_created", "jobs", ["key", "created"], unique=False)
    op.create_index("ix_jobs_state_priority_queued_at", "jobs", ["state", "priority", "queued_at"], unique=False)
    op.create_index(
        "uq_jobs_live_key",
        "jobs",
        ["key"],
        unique=True,
        sqlite_where=sa.text("state IN ('queued', 'running')"),
        postgresql_where=sa.text("state IN ('queued', 'running')"),
    )
    op.create_table(
        "models",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("digest", sa.String(length=71), nullable=False),
        sa.Column("graph_digest", sa.String(length=71), nullable=False),
        sa.Column("weights_digest", sa.String(length=71), nullable=False),
        sa.Column("blob", sa.String(length=71), nullable=False),
        sa.Column("weights_blob", sa.String(length=71), nullable=True),
        sa.Column("inputs", sa.JSON(), nullable=False),
        sa.Column("outputs", sa.JSON(), nullable=False),
        sa.Column("nodes", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_models")),
        sa.UniqueConstraint("digest", name=op.f("uq_models_digest")),
    )
    op.create_index(op.f("ix_models_name"), "models", ["name"], unique=False)
    op.create_table(
        "submissions",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("request", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.JSON(), nullable=True),
        sa.Column("idempotency_key", sa.String(length=200), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_submissions")),
        sa.UniqueConstraint("idempotency_key", name=op.f("uq_submissions_idempotency_key")),
    )
    op.create_index("ix_submissions_state_created", "submissions", ["state", "created"], unique=False)
    op.create_table(
        "workers",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("toolchains", sa.JSON(), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("started", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workers")),
    )
    op.create_index(op.f("ix_workers_lease_until"), "workers", ["lease_until"], unique=False)
    op.create_table(
        "job_events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("job_id", sa.String(length=40), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_job_events_job_id_jobs")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job_events")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_job_events_job_id_id", "job_events", ["job_id", "id"], unique=False)
    op.create_table(
        "steps",
        sa.Column("submission_id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("needs", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("job_id", sa.String(length=40), nullable=True),
        sa.Column("key", sa.String(length=71), nullable=True),
        sa.Column("result", sa.JSON(), nullable=True),
        sa.Column("error", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_steps_job_id_jobs")),
        sa.ForeignKeyConstraint(["submission_id"], ["submissions.id"], name=op.f("fk_steps_submission_id_submissions")),
        sa.PrimaryKeyConstraint("submission_id", "name", name=op.f("pk_steps")),
    )
    op.create_index(op.f("ix_steps_job_id"), "steps", ["job_id"], unique=False)
    op.create_index(op.f("ix_steps_state"), "steps", ["state"], unique=False)
    op.create_table(
        "tables",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("key", sa.String(length=71), nullable=True),
        sa.Column("model_id", sa.String(length=40), nullable=False),
        sa.Column("dataset_id", sa.String(length=40), nullable=True),
        sa.Column("calibrator", sa.String(length=32), nullable=False),
        sa.Column("rule", sa.JSON(), nullable=False),
        sa.Column("batch_size", sa.Integer(), nullable=True),
        sa.Column("before_fusion", sa.Boolean(), nullable=False),
        sa.Column("tensorrt", sa.String(length=32), nullable=True),
        sa.Column("origin", sa.String(16), nullable=False),
        sa.Column("portable", sa.Boolean(), nullable=False),
        sa.Column("device", sa.String(length=64), nullable=True),
        sa.Column("blob", sa.String(length=71), nullable=False),
        sa.Column("scales_digest", sa.String(length=71), nullable=False),
        sa.Column("scales", sa.JSON(), nullable=False),
        sa.Column("tensors", sa.Integer(), nullable=False),
        sa.Column("parent_id", sa.String(length=40), nullable=True),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name=op.f("fk_tables_dataset_id_datasets")),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_tables_model_id_models")),
        sa.ForeignKeyConstraint(["parent_id"], ["tables.id"], name=op.f("fk_tables_parent_id_tables")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tables")),
        sa.UniqueConstraint("key", name=op.f("uq_tables_key")),
    )
    op.create_index("ix_tables_created_id", "tables", ["created", "id"], unique=False)
    op.create_index("ix_tables_model_id_calibrator", "tables", ["model_id", "calibrator"], unique=False)
    op.create_index(op.f("ix_tables_scales_digest"), "tables", ["scales_digest"], unique=False)
    op.create_index(op.f("ix_tables_tensorrt"), "tables", ["tensorrt"], unique=False)
    op.create_table(
        "quantizations",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("key", sa.String(length=71), nullable=False),
        sa.Column("model_id", sa.String(length=40), nullable=False),
        sa.Column("table_id", sa.String(length=40), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("blob", sa.String(length=71), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_quantizations_model_id_models")),
        sa.ForeignKeyConstraint(["table_id"], ["tables.id"], name=op.f("fk_quantizations_table_id_tables")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quantizations")),
        sa.UniqueConstraint("key", name=op.f("uq_quantizations_key")),
    )
    op.create_index(op.f("ix_quantizations_model_id"), "quantizations", ["model_id"], unique=False)
    op.create_index(op.f("ix_quantizations_table_id"), "quantizations", ["table_id"], unique=False)
    op.create_table(
        "engines",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("key", sa.String(length=71), nullable=False),
        sa.Column("model_id", sa.String(length=40), nullable=False),
        sa.Column("quantization_id", sa.String(length=40), nullable=True),
        sa.Column("table_id", sa.String(length=40), nullable=True),
        sa.Column("precision", sa.String(length=16), nullable=False),
        sa.Column("calibrator", sa.String(length=32), nullable=True),
        sa.Column("tensorrt", sa.String(length=32), nullable=False),
        sa.Column("toolchain", sa.String(length=100), nullable=False),
        sa.Column("compute_capability", sa.String(length=16), nullable=False),
        sa.Column("gpu", sa.String(length=100), nullable=True),
        sa.Column("profiles", sa.JSON(), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("blob", sa.String(length=71), nullable=False),
        sa.Column("log_blob", sa.String(length=71), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("pinned", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_engines_model_id_models")),
        sa.ForeignKeyConstraint(
            ["quantization_id"], ["quantizations.id"], name=op.f("fk_engines_quantization_id_quantizations")
        ),
        sa.ForeignKeyConstraint(["table_id"], ["tables.id"], name=op.f("fk_engines_table_id_tables")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_engines")),
        sa.UniqueConstraint("key", name=op.f("uq_engines_key")),
    )
    op.create_index(op.f("ix_engines_blob"), "engines", ["blob"], unique=False)
    op.create_index(op.f("ix_engines_calibrator"), "engines", ["calibrator"], unique=False)
    op.create_index(op.f("ix_engines_compute_capability"), "engines", ["compute_capability"], unique=False)
    op.create_index("ix_engines_created_id", "engines", ["created", "id"], unique=False)
    op.create_index("ix_engines_model_id_precision", "engines", ["model_id", "precision"], unique=False)
    op.create_index(op.f("ix_engines_precision"), "engines", ["precision"], unique=False)
    op.create_index(op.f("ix_engines_quantization_id"), "engines", ["quantization_id"], unique=False)
    op.create_index(op.f("ix_engines_table_id"), "engines", ["table_id"], unique=False)
    op.create_index(op.f("ix_engines_tensorrt"), "engines", ["tensorrt"], unique=False)
    op.create_table(
        "verifications",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("key", sa.String(length=71), nullable=False),
        sa.Column("model_id", sa.String(length=40), nullable=False),
        sa.Column("quantization_id", sa.String(length=40), nullable=False),
        sa.Column("dataset_id", sa.String(length=40), nullable=False),
        sa.Column("simulated", sa.Boolean(), nullable=False),
        sa.Column("metrics", sa.JSON(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name=op.f("fk_verifications_dataset_id_datasets")),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_verifications_model_id_models")),
        sa.ForeignKeyConstraint(
            ["quantization_id"], ["quantizations.id"], name=op.f("fk_verifications_quantization_id_quantizations")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verifications")),
        sa.UniqueConstraint("key", name=op.f("uq_verifications_key")),
    )
    op.create_index(
        "ix_verifications_quantization_id_created", "verifications", ["quantization_id", "created"], unique=False
    )
