"""`trtfarm keys …`: whose engines are loaded here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trtfarm_cli import output
from trtfarm_cli.files import writable, write_new
from trtfarm_cli.opening import open_any
from trtfarm_cli.options import Json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trtfarm.signing.keyring import Keyring, TrustedKey
    from trtfarm_cli.farms.any_farm import FarmKey

app = typer.Typer(help="Keys: whose engines are loaded here.", no_args_is_help=True)


@app.command("list")
def list_(*, json: Json = False) -> None:
    """Lists the farm's own key and those that it trusts."""
    keys = [_facts(key) for key in _keyring().trusted()]
    if json:
        output.emit_json(keys)
    else:
        output.emit_table(keys, {"key": None, "own": output.yes_or_no, "path": None})


@app.command()
def export(
    *,
    destination: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; standard output unless given.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(metavar="KEY", help="Another key that the farm trusts; its own unless given.")
    ] = None,
    json: Json = False,
) -> None:
    """Gives the farm's public key, for other farms and clients to trust.

    The private key, which is made by this if there is none yet, stays where it is.
    """
    with open_any() as farm:
        keys = farm.signing_keys()
    found = _named(keys, key) if key else keys[0]
    if destination:
        own = [key.path for key in _keyring().trusted()]
        write_new(writable(destination, unlike=own), found.public.encode())
    if json:
        path = str(destination) if destination else None
        output.emit_json({"key": found.key, "path": path, "public": found.public})
    elif destination:
        output.emit(f"{destination}: {found.key}")
    else:
        output.emit(found.public.rstrip())


@app.command()
def trust(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Another farm's public key, from its `keys export`.", readable=False)
    ],
    *,
    json: Json = False,
) -> None:
    """Takes another farm's engines from now on.

    An engine is native code: trust only who may run programs here.
    """
    _tell(_keyring().trust(file), "trusted", json=json)


@app.command()
def remove(
    key: Annotated[str, typer.Argument(metavar="KEY", help="Id of the key, or the start of it.")], *, json: Json = False
) -> None:
    """Takes no more engines of a key that was trusted."""
    _tell(_keyring().remove(key), "removed", json=json)


def _named(keys: Sequence[FarmKey], text: str) -> FarmKey:
    from trtfarm.errors import NotFoundError

    found = [key for key in keys if key.key.startswith(text) or key.key.partition(":")[2].startswith(text)]
    if len(found) != 1:
        known = ", ".join(key.key for key in keys)
        raise NotFoundError(f"{len(found)} keys start with {text!r}", remedy=f"the farm has: {known}")
    return found[0]


def _keyring() -> Keyring:
    from trtfarm.settings import Settings
    from trtfarm.signing.keyring import Keyring

    return Keyring.of(Settings.from_environment())


def _tell(key: TrustedKey, done: str, *, json: bool) -> None:
    if json:
        output.emit_json({**_facts(key), "done": done})
    else:
        output.emit(f"{key.id} {done}")


def _facts(key: TrustedKey) -> dict[str, Any]:
    return {"key": key.id, "own": key.own, "path": str(key.path)}
