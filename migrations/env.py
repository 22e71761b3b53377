"""Runs the migrations, on the connection that trtfarm.database.migrate hands over or on the one `-x url=` names.

They only lead up: going back to an older release means going back to a copy of its database.
"""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from alembic.command import downgrade
from alembic.util import CommandError
from sqlalchemy import JSON, Connection, Enum

from trtfarm.database.columns import UtcTime
from trtfarm.database.schema import Base
from trtfarm.database.session import open_database


def plain_type(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """A column's type as a migration should write it: a migration must not change when our own types do."""
    if kind != "type":
        return False
    if isinstance(item, UtcTime):
        return "sa.DateTime(timezone=True)"
    if isinstance(item, Enum):
        return f"sa.String({item.length})"
    return "sa.JSON()" if isinstance(item, JSON) else False


def migrate(connection: Connection) -> None:
    # SQLite changes a table only by making a new one (batch). The transaction is the caller's.
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=True,
        render_item=plain_type,
    )
    with context.begin_transaction():
        context.run_migrations()


def refuse_the_way_back() -> None:
    """Raises CommandError for `alembic downgrade`."""
    options = context.config.cmd_opts
    if options is not None and options.cmd[0] is downgrade:
        raise CommandError(
            "there is no way back to an older schema but a copy of the database, made before the upgrade"
        )


refuse_the_way_back()
handed_over = context.config.attributes.get("connection")
if handed_over is not None:
    migrate(handed_over)
else:
    with open_database(context.get_x_argument(as_dictionary=True)["url"]).writer.begin() as opened:
        migrate(opened)
