"""`trtfarm profile …`: farms behind HTTP that commands can speak to."""

from __future__ import annotations

from typing import Annotated

import typer

from trtfarm_cli import output
from trtfarm_cli.options import Json

app = typer.Typer(help="Farms behind HTTP, by a name of one's own.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="What the farm is called here.")]


@app.command()
def add(
    name: Name,
    url: Annotated[str, typer.Argument(metavar="URL", help="Address of its API: https://HOST:PORT.")],
    *,
    json: Json = False,
) -> None:
    """Notes where a farm is, and uses it from now on.

    `trtfarm login` gives it a token.
    """
    from trtfarm.settings import Settings
    from trtfarm_cli.profiles import Profile, link_of, read_profiles, write_profiles

    home = Settings.from_environment().home
    profile = Profile(url=link_of(Profile(url=url)).url)
    profiles = read_profiles(home)
    known = profiles.profiles.get(name)
    # The token of one farm is not another's.
    kept = known if known and known.url == profile.url else profile
    write_profiles(home, profiles.put(name, kept).using(name))
    if json:
        output.emit_json({"name": name, "url": kept.url, "used": True})
    else:
        output.emit(f"{name} is {kept.url}, and in use")
    _say_overridden()


@app.command()
def use(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of a profile, or embedded for none.")],
    *,
    json: Json = False,
) -> None:
    """Lets commands speak to another farm from now on."""
    from trtfarm.settings import Settings
    from trtfarm_cli.profiles import EMBEDDED, read_profiles, write_profiles

    home = Settings.from_environment().home
    profiles = read_profiles(home).using(None if name == EMBEDDED else name)
    write_profiles(home, profiles)
    url = profiles.get(profiles.used).url if profiles.used else None
    if json:
        output.emit_json({"name": name, "url": url, "used": True})
    else:
        output.emit(f"in use: {url or f'the farm in {home}'}")
    _say_overridden()


@app.command("list")
def list_(*, json: Json = False) -> None:
    """Lists the profiles, and which is in use."""
    from trtfarm.settings import Settings
    from trtfarm_cli.profiles import EMBEDDED, read_profiles

    home = Settings.from_environment().home
    profiles = read_profiles(home)
    found = [{"name": EMBEDDED, "url": None, "token": False, "used": profiles.used is None}]
    found += [
        {"name": name, "url": profile.url, "token": profile.token is not None, "used": profiles.used == name}
        for name, profile in profiles.profiles.items()
    ]
    if json:
        output.emit_json(found)
    else:
        columns = {"name": None, "url": None, "token": output.yes_or_no, "used": output.yes_or_no}
        output.emit_table(found, columns)
    _say_overridden()


@app.command()
def remove(name: Name, *, json: Json = False) -> None:
    """Forgets a profile and its token; the farm stays as it is."""
    from trtfarm.settings import Settings
    from trtfarm_cli.profiles import read_profiles, write_profiles

    home = Settings.from_environment().home
    write_profiles(home, read_profiles(home).without(name))
    if json:
        output.emit_json({"removed": name})
    else:
        output.emit(f"{name} removed")


def _say_overridden() -> None:
    from trtfarm_cli.profiles import said_by_environment

    if variable := said_by_environment():
        output.say(f"{variable} is set and decides before profiles do, as long as it is")
