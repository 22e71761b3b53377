"""`trtfarm keys …`: whose engines are loaded here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trtfarm_cli import output
from trtfarm_cli.files import writable, write_new
from trtfarm_cli.options import Json

if TYPE_CHECKING:
    from trtfarm.signing.keyring import Keyring, TrustedKey

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
    json: Json = False,
) -> None:
    """Gives this farm's public key, for another one to trust.

    The private key, which is made by this if there is none yet, stays where it is.
    """
    public = _keyring().signer().public
    pem = public.pem().decode()
    if destination:
        write_new(writable(destination), pem.encode())
    if json:
        output.emit_json({"key": public.id, "path": str(destination) if destination else None, "public": pem})
    elif destination:
        output.emit(f"{destination}: {public.id}")
    else:
        output.emit(pem.rstrip())


@app.command()
def trust(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Another farm's public key, from its `keys export`.")],
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
