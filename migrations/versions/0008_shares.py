"""Workers are shared out between projects, and each project sees its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_TIME = sa.DateTime(timezone=True)
_QUEUED, _RUNNING = sa.text("state = 'queued'"), sa.text("state = 'running'")
#: Where what nobody is known to have handed in belongs: the project of all who need no token.
_DEFAULT = "default"
#: What of a submission's request names rows that somebody handed in.
_NAMED = ("model_id", "dataset_id", "test_dataset_id", "table_id")
_AT_ONCE = 1000


def upgrade() -> None:
    _share_workers()
    op.create_index(op.f("ix_steps_key"), "steps", ["key"])
    op.create_index(op.f("ix_submissions_project_created_id"), "submissions", ["project", "created", "id"])
    _label_by_project()
    _grant()


def _share_workers() -> None:
    op.create_table(
        "projects",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("weight", sa.Integer(), nullable=False),
        sa.Column("max_running", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_projects")),
    )
    op.add_column("jobs", sa.Column("turn", sa.Float(), nullable=True))
    op.create_index(op.f("ix_jobs_turn"), "jobs", ["turn"])
    op.drop_index(op.f("ix_jobs_queued"), "jobs")
    op.create_index(
        op.f("ix_jobs_queued"),
        "jobs",
        ["capability", "project", sa.text("priority DESC"), "queued_at", "id"],
        sqlite_where=_QUEUED,
        postgresql_where=_QUEUED,
    )
    op.create_index(
        op.f("ix_jobs_running"),
        "jobs",
        ["project", "capability"],
        sqlite_where=_RUNNING,
        postgresql_where=_RUNNING,
    )
    # PostgreSQL writes a row alone when no index holds what is changed: a heartbeat changes the lease.
    op.drop_index(op.f("ix_jobs_state_lease_until"), "jobs")
    op.create_index(op.f("ix_jobs_state_created_id"), "jobs", ["state", "created", "id"])
    op.drop_index(op.f("ix_workers_lease_until"), "workers")


def _label_by_project() -> None:
    """A label is a project's own; until now there was one set of them for all."""
    labels = sa.table("engine_labels", sa.column("engine_id"), sa.column("label"), sa.column("created", _TIME))
    kept = op.get_bind().execute(sa.select(labels)).all()
    op.drop_table("engine_labels")
    made = op.create_table(
        "engine_labels",
        sa.Column("engine_id", sa.String(length=40), nullable=False),
        sa.Column("project", sa.String(length=100), nullable=False),
        sa.Column("label", sa.String(length=64), nullable=False),
        sa.Column("created", _TIME, nullable=False),
        sa.ForeignKeyConstraint(["engine_id"], ["engines.id"], name=op.f("fk_engine_labels_engine_id_engines")),
        sa.PrimaryKeyConstraint("engine_id", "project", "label", name=op.f("pk_engine_labels")),
    )
    op.create_index(op.f("ix_engine_labels_label"), "engine_labels", ["label"])
    _insert(made, ({**row._mapping, "project": _DEFAULT} for row in kept))


def _grant() -> None:
    """Who submitted something has it; what nobody submitted is left to those who need no token."""
    grants = op.create_table(
        "grants",
        sa.Column("project", sa.String(length=100), nullable=False),
        sa.Column("item", sa.String(length=71), nullable=False),
        sa.Column("created", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("project", "item", name=op.f("pk_grants")),
    )
    submissions = sa.table("submissions", sa.column("project"), sa.column("request", sa.JSON()))
    connection = op.get_bind()
    granted = {
        (project, request[name])
        for project, request in connection.execute(sa.select(submissions))
        for name in _NAMED
        if request.get(name)
    }
    owned = {item for _, item in granted}
    granted |= {(_DEFAULT, item) for item in _handed_in(connection) if item not in owned}
    created = connection.execute(sa.select(sa.func.current_timestamp(type_=_TIME))).scalar_one()
    _insert(grants, ({"project": project, "item": item, "created": created} for project, item in sorted(granted)))


def _handed_in(connection: sa.Connection) -> Iterator[str]:
    """Ids of models, data sets and imported tables."""
    for name in ("models", "datasets"):
        yield from connection.scalars(sa.select(sa.table(name, sa.column("id")).c.id))
    tables = sa.table("tables", sa.column("id"), sa.column("key"))
    yield from connection.scalars(sa.select(tables.c.id).where(tables.c.key.is_(None)))


def _insert(table: sa.Table, rows: Iterable[dict[str, object]]) -> None:
    wanted = list(rows)
    for start in range(0, len(wanted), _AT_ONCE):
        op.bulk_insert(table, wanted[start : start + _AT_ONCE])
