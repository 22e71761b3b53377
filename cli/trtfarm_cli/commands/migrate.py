"""`trtfarm migrate`: a team's database, brought to the schema of this release."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from trtfarm_cli import output
from trtfarm_cli.opening import settings_here
from trtfarm_cli.options import Json

if TYPE_CHECKING:
    from trtfarm.database.migrate import Upgrade


def register(app: typer.Typer) -> None:
    app.command()(migrate)


def migrate(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    json: Json = False,
) -> None:
    """Makes or upgrades the farm's tables.

    All of it is done or none, by one process at a time: others wait and find it done. Exit code 15 where a newer
    release made the database. There is no way back but a copy of it.
    """
    from trtfarm.database.migrate import HEAD, planned, upgrade
    from trtfarm.database.session import open_database

    database = open_database(settings_here().database_url)
    try:
        way = planned(database) if dry_run else upgrade(database)
    finally:
        database.close()
    if json:
        output.emit_json({"dry_run": dry_run, "head": HEAD, **asdict(way)})
        return
    for step in way.steps:
        output.emit(f"{step.revision}  {step.summary}")
    output.say(_told(way, HEAD, dry_run=dry_run))


def _told(way: Upgrade, head: str, *, dry_run: bool) -> str:
    if not way.steps:
        return f"the database is at {head}, as this release wants it"
    found = "none" if way.found is None else way.found
    return f"from {found} to {head}: {'nothing is changed yet' if dry_run else 'done'}"
