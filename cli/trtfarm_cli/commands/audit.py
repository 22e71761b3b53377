"""`trtfarm audit`: who changed what over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from trtfarm_cli import output
from trtfarm_cli.limits import limited
from trtfarm_cli.opening import open_any
from trtfarm_cli.options import Json, Limit, NewerThan, OlderThan, filled


def register(app: typer.Typer) -> None:
    @app.command()
    def audit(
        *,
        who: Annotated[
            str | None,
            typer.Option(metavar="TOKEN", callback=filled, help="Only by this token: its id or name; local for none."),
        ] = None,
        what: Annotated[
            str | None,
            typer.Option(
                metavar="TEXT", callback=filled, help="Only with this in the request or in the ids that it changed."
            ),
        ] = None,
        project: Annotated[
            str | None, typer.Option(metavar="PROJECT", callback=filled, help="Only by tokens of this project.")
        ] = None,
        newer_than: NewerThan = None,
        older_than: OlderThan = None,
        limit: Limit = 100,
        json: Json = False,
    ) -> None:
        """Lists who changed what over HTTP, newest first.

        What is done on the farm's own host without the API is not in it.
        """
        within = limited(newer_than=newer_than, older_than=older_than)
        with open_any() as farm:
            found = farm.administration.audit(
                {"who": who, "what": what, "project": project}, limit=limit, within=within
            )
        if json:
            output.emit_json(found)
            return
        shown = [{**entry, "who": entry["name"] or entry["who"], "changed": changed(entry["facts"])} for entry in found]
        columns = dict.fromkeys(("who", "project", "action", "status", "changed"))
        output.emit_table(shown, {"at": output.moment, **columns}, limit=limit)


def changed(facts: Mapping[str, Any]) -> str:
    """What a request was about: ids and digests as they are, and the names of what was asked for besides."""
    return " ".join(name if value is True else str(value) for name, value in facts.items() if value is not False)
