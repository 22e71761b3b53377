"""`trtfarm engines pin|unpin|label|unlabel`: what clean-up leaves alone, and what is found by a name of one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from trtfarm_cli import output
from trtfarm_cli.commands.engines import EngineId
from trtfarm_cli.opening import open_any
from trtfarm_cli.options import Json

if TYPE_CHECKING:
    from trtfarm_cli.farms.any_farm import AnyFarm

LabelName = Annotated[str, typer.Argument(metavar="LABEL", help="Letters, digits, dots, dashes, underscores.")]


def register(app: typer.Typer) -> None:
    for command in (pin, unpin, label, unlabel):
        app.command()(command)


def pin(engine: EngineId, *, json: Json = False) -> None:
    """Keeps an engine from every clean-up."""
    with open_any() as farm:
        farm.engines.pin(engine, pinned=True)
        _tell_kept(farm, engine, json=json)


def unpin(engine: EngineId, *, json: Json = False) -> None:
    """Lets clean-up take an engine again."""
    with open_any() as farm:
        farm.engines.pin(engine, pinned=False)
        _tell_kept(farm, engine, json=json)


def label(engine: EngineId, label: LabelName, *, json: Json = False) -> None:
    """Gives an engine a label, such as prod.

    Engines are found by their labels (`engines list --label prod`), and no clean-up takes one that has any.
    """
    with open_any() as farm:
        farm.engines.label(engine, label, given=True)
        _tell_kept(farm, engine, json=json)


def unlabel(engine: EngineId, label: LabelName, *, json: Json = False) -> None:
    """Takes a label away from an engine."""
    with open_any() as farm:
        farm.engines.label(engine, label, given=False)
        _tell_kept(farm, engine, json=json)


def _tell_kept(farm: AnyFarm, engine: str, *, json: bool) -> None:
    details = farm.engines.details(engine)
    facts = {name: details[name] for name in ("id", "pinned", "labels")}
    if json:
        output.emit_json(facts)
        return
    words = [*(["pinned"] if facts["pinned"] else []), *(f"labelled {label}" for label in facts["labels"])]
    output.emit(f"{facts['id']}: {', '.join(words) or 'clean-up may take it'}")
