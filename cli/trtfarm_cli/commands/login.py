"""`trtfarm login` and `whoami`: the token for a farm behind HTTP."""

from __future__ import annotations

import getpass
import sys
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated

import typer

from trtfarm.errors import UsageError
from trtfarm_cli import output
from trtfarm_cli.options import Json

if TYPE_CHECKING:
    from trtfarm_client.records import Who

#: Characters of a line that may be a token.
_LONGEST = 1000


def register(app: typer.Typer) -> None:
    app.command()(login)
    app.command()(whoami)


def login(
    *,
    profile: Annotated[
        str | None,
        typer.Option("--profile", metavar="NAME", help="Whose token it is; the profile in use unless given."),
    ] = None,
    json: Json = False,
) -> None:
    """Keeps a token for a farm, once that farm has taken it.

    Asked for on a terminal, else read from standard input: never an argument, which others would see.
    """
    from trtfarm.settings import Settings
    from trtfarm_cli.profiles import link_of, read_profiles, write_profiles
    from trtfarm_client import Client

    home = Settings.from_environment().home
    name = profile or read_profiles(home).used
    if name is None:
        raise UsageError("no profile is in use", remedy="trtfarm profile add NAME URL, then trtfarm login")
    wanted = replace(read_profiles(home).get(name), token=_read_token())
    link = link_of(wanted)
    if not link.private:
        output.say(f"{wanted.url} is not encrypted: whoever listens on the way can use the token, too")
    with Client(link) as client:
        who = client.whoami()
    write_profiles(home, read_profiles(home).put(name, wanted))
    _tell(who, wanted.url, json=json)


def whoami(*, json: Json = False) -> None:
    """Says who one is to the farm in use, and what that allows."""
    from trtfarm.settings import Settings
    from trtfarm_cli.profiles import link_of, profile_in_use
    from trtfarm_client import Client

    home = Settings.from_environment().home
    profile = profile_in_use(home)
    if profile is None:
        if json:
            output.emit_json({"id": "local", "name": None, "project": None, "scopes": [], "farm": str(home)})
        else:
            output.emit(f"the owner of the farm in {home}, which needs no token")
        return
    with Client(link_of(profile)) as client:
        _tell(client.whoami(), profile.url, json=json)


def _read_token() -> str:
    asked = sys.stdin.isatty()
    token = getpass.getpass("token: ", stream=sys.stderr) if asked else sys.stdin.readline(_LONGEST)
    if not token.strip():
        raise UsageError("no token came", remedy="trtfarm login < FILE, with the token on its first line")
    return token.strip()


def _tell(who: Who, url: str, *, json: bool) -> None:
    if json:
        output.emit_json({**asdict(who), "farm": url})
    else:
        name = f"{who.name} ({who.id})" if who.name else who.id
        output.emit(f"{name}, of project {who.project}, at {url}: may {', '.join(who.scopes)}")
