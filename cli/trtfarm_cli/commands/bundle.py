"""`trtfarm bundle …`: tables and engines from one farm to another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from trtfarm_cli import exits, output
from trtfarm_cli.files import writable
from trtfarm_cli.opening import open_any
from trtfarm_cli.options import Json, Model
from trtfarm_cli.progress import view

app = typer.Typer(help="Bundles: tables and engines from one farm to another.", no_args_is_help=True)

BundleFile = Annotated[Path, typer.Argument(metavar="FILE", help="A bundle, from `bundle export`.", readable=False)]
#: Kinds of rows that are told one by one, and those of which only how many there are.
_TOLD = {"engines": "engine", "tables": "table", "models": "model"}
_COUNTED = {
    "datasets": "data set",
    "quantizations": "rewritten model",
    "verifications": "verification",
    "recordings": "recording",
}


@app.command()
def export(
    *,
    destination: Annotated[Path, typer.Option("--output", "-o", help="File to write.", show_default=False)],
    engine: Annotated[
        list[str] | None, typer.Option(metavar="ENGINE", help="Id or digest of an engine, or its start; repeatable.")
    ] = None,
    table: Annotated[
        list[str] | None, typer.Option(metavar="TABLE", help="Id or digest of a table, or its start; repeatable.")
    ] = None,
    label: Annotated[str | None, typer.Option(metavar="LABEL", help="All engines with this label.")] = None,
    model: Model = None,
    with_models: Annotated[bool, typer.Option("--with-models", help="The models themselves, too.")] = False,
    with_recordings: Annotated[
        bool, typer.Option("--with-recordings", help="What FP32 computes of the data that engines were measured on.")
    ] = False,
    json: Json = False,
) -> None:
    """Writes tables and engines to a signed file for another farm.

    With what they were made of: the other farm finds them as its own, and so do its submissions. --model takes all
    engines and tables of a model, with --label those engines of it that have the label.
    """
    from trtfarm.bundles.selection import Selection

    wanted = Selection(
        engines=tuple(engine or ()),
        tables=tuple(table or ()),
        model=model,
        label=label,
        with_models=with_models,
        with_recordings=with_recordings,
    )
    writable(destination)
    with open_any() as farm, view() as shown:
        farm.bundles.export(wanted, destination, shown)
    facts = _described(destination, whole=False)
    if json:
        output.emit_json(facts)
    else:
        output.emit(_headline(facts))


@app.command()
def show(file: BundleFile, *, json: Json = False) -> None:
    """Shows what is in a bundle, and whether it is whole.

    Who made it counts only if its key is trusted here; else anybody may have.
    """
    facts = _described(file, whole=True)
    if json:
        output.emit_json(facts)
        return
    output.emit(_headline(facts))
    columns = dict.fromkeys(("model", "precision", "calibrator", "compute_capability", "toolchain"))
    for rows, shown in (
        (facts["engines"], {"id": None, **columns, "size": output.size, "labels": " ".join}),
        (facts["tables"], {"id": None, **dict.fromkeys(("model", "calibrator", "tensorrt", "origin"))}),
        (facts["models"], {"id": None, "name": None, "digest": output.short_digest, "whole": output.yes_or_no}),
    ):
        if rows:
            output.emit()
            output.emit_table(rows, shown)


@app.command("import")
def import_(
    file: BundleFile,
    *,
    labels: Annotated[
        bool, typer.Option("--labels", help="Give engines the labels that they have in the bundle.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would come.")] = False,
    json: Json = False,
) -> None:
    """Takes in the tables and engines of a bundle, all or none.

    Its key, and those that signed the engines, have to be trusted. Exit code 1 when something stayed out because
    another result is here in its place; the rest came.
    """
    with open_any() as farm, view() as shown:
        facts = farm.bundles.import_(file, labels=labels, dry_run=dry_run, shown=shown)
    if json:
        output.emit_json(facts)
    else:
        for line in _came(facts):
            output.emit(line)
    if facts["conflicts"]:
        raise typer.Exit(exits.FAILED)


def _described(path: Path, *, whole: bool) -> dict[str, Any]:
    from trtfarm.bundles.described import described
    from trtfarm.settings import Settings
    from trtfarm.signing.keyring import Keyring

    keyring = Keyring.of(Settings.from_environment())
    with view() as shown:

        def tell(done: int, total: int) -> None:
            shown.progress(path.name, "read", done, total, "bytes")

        return {"path": str(path), **described(keyring, path, whole=whole, tell=tell)}


def _headline(facts: Mapping[str, Any]) -> str:
    counts = [output.counted(len(facts[name]), word) for name, word in _TOLD.items()]
    whose = "this farm" if facts["own"] else f"a key that is {'' if facts['trusted'] else 'not '}trusted here"
    size = output.size(facts["size"])
    return f"{facts['path']}: {', '.join(counts)} ({size}), signed by {facts['signed_by']}, {whose}"


def _came(facts: Mapping[str, Any]) -> Iterator[str]:
    would = "would be " if facts["dry_run"] else ""
    for verdict, told in (("new", f"{would}new"), ("there", "here already")):
        for name, word in _TOLD.items():
            yield from (f"{word} {row_id}: {told}" for row_id in facts[verdict].get(name, ()))
    for note in (*facts["notes"], *facts["conflicts"]):
        yield f"{note['kind']} {note['id']}: {note['reason']}"
    besides = [
        output.counted(len(facts["new"][name]), word) for name, word in _COUNTED.items() if facts["new"].get(name)
    ]
    files = output.counted(facts["files"], "file")
    stored = f"{files} {'to be ' if facts['dry_run'] else ''}stored ({output.size(facts['bytes'])})"
    if facts["new"] or facts["files"]:
        yield ", ".join([*besides, stored])
    else:
        yield "nothing is new"
