"""`trtfarm tokens …`: who may use the HTTP API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from trtfarm_cli import output
from trtfarm_cli.opening import open_any
from trtfarm_cli.options import Json

if TYPE_CHECKING:
    from trtfarm.tokens import Scope

app = typer.Typer(help="Tokens: who may use the HTTP API.", no_args_is_help=True)


@app.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who or what it is for.")],
    *,
    scope: Annotated[
        list[str] | None, typer.Option(metavar="SCOPE", help="read, submit, worker or admin; repeatable.")
    ] = None,
    project: Annotated[str, typer.Option(help="Project that its submissions belong to.")] = "default",
    days: Annotated[float | None, typer.Option(metavar="DAYS", help="Days until it ends by itself.")] = None,
    json: Json = False,
) -> None:
    """Makes a token, and prints it this once.

    The farm keeps only its digest. Without --scope it allows to submit.
    """
    from trtfarm.tokens import Scope

    scopes = [_scope(word) for word in scope] if scope else [Scope.SUBMIT]
    with open_any() as farm:
        made = farm.administration.create_token(name, scopes, project, days)
    if json:
        output.emit_json(made)
    else:
        output.emit(made["token"])
        output.say(f"{made['id']}: keep it safe, nobody can show it again")


@app.command("list")
def list_(*, json: Json = False) -> None:
    """Lists tokens, newest first.

    What opens the API is not among it: the farm does not know that.
    """
    with open_any() as farm:
        tokens = farm.administration.tokens()
    if json:
        output.emit_json(tokens)
        return
    shown = [{**token, "scopes": " ".join(token["scopes"])} for token in tokens]
    columns = dict.fromkeys(("id", "name", "scopes", "project"))
    moments = dict.fromkeys(("created", "expires", "revoked"), output.moment)
    output.emit_table(shown, columns | moments)


@app.command()
def revoke(
    token: Annotated[str, typer.Argument(metavar="TOKEN", help="Id of the token, or its start.")], *, json: Json = False
) -> None:
    """Ends a token at once."""
    with open_any() as farm:
        revoked = farm.administration.revoke_token(token)
    if json:
        output.emit_json(revoked)
    else:
        output.emit(f"{revoked['id']} ({revoked['name']}) opens nothing any more")


def _scope(word: str) -> Scope:
    from trtfarm.errors import UsageError
    from trtfarm.tokens import Scope

    try:
        return Scope(word)
    except ValueError:
        raise UsageError(f"there is no scope {word!r}", remedy="use one of: " + ", ".join(Scope)) from None
