"""`trtfarm engines …`: which engines there are, and getting them out."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trtfarm_cli import accuracy, exits, output
from trtfarm_cli.limits import limited
from trtfarm_cli.opening import open_any
from trtfarm_cli.options import (
    CalibratorName,
    Digest,
    Json,
    Limit,
    LostAtMost,
    MinCosine,
    MinTop1,
    Model,
    NewerThan,
    OlderThan,
    Precision,
    Target,
    Tensorrt,
    filled,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


app = typer.Typer(help="Engines: which there are, and getting them out.", no_args_is_help=True)

EngineId = Annotated[
    str, typer.Argument(metavar="ENGINE", help="Id of the engine, its digest, or the start of either.")
]


@app.command("list")
def list_(
    *,
    tensorrt: Tensorrt = None,
    target: Target = None,
    precision: Precision = None,
    model: Model = None,
    calibrator: CalibratorName = None,
    label: Annotated[str | None, typer.Option(metavar="LABEL", callback=filled, help="A label that they have.")] = None,
    gpu: Annotated[
        str | None,
        typer.Option("--gpu", metavar="NAME", callback=filled, help="Only those built on such a GPU: H200, rtx 4090."),
    ] = None,
    digest: Digest = None,
    newer_than: NewerThan = None,
    older_than: OlderThan = None,
    min_top1: MinTop1 = None,
    min_cosine: MinCosine = None,
    max_drop: LostAtMost = None,
    limit: Limit = 100,
    json: Json = False,
) -> None:
    """Lists engines, newest first.

    `--tensorrt 10.13 --target sm_89` answers which there are for those.
    """
    words = {"tensorrt": tensorrt, "target": target, "precision": precision, "model": model, "calibrator": calibrator}
    words |= {"label": label, "gpu": gpu, "digest": digest}
    within = limited(
        newer_than=newer_than, older_than=older_than, min_top1=min_top1, min_cosine=min_cosine, max_drop=max_drop
    )
    with open_any() as farm:
        engines = farm.engines.find(words, limit=limit, within=within)
    if json:
        output.emit_json([engine.as_dict() for engine in engines])
        return
    output.emit_table(
        [vars(engine) | {"accuracy": accuracy.brief(engine.metrics)} for engine in engines],
        {
            "id": None,
            "model": None,
            "precision": None,
            "calibrator": None,
            "compute_capability": None,
            "toolchain": None,
            "size": output.size,
            "accuracy": None,
            "labels": " ".join,
            "created": output.moment,
        },
        limit=limit,
    )


@app.command()
def show(
    engine: EngineId,
    *,
    layers: Annotated[
        bool, typer.Option("--layers", help="Its layers, too: what each computes in, and what it is made of.")
    ] = False,
    json: Json = False,
) -> None:
    """Shows one engine: inputs and outputs, layers, accuracy, origin."""
    with open_any() as farm:
        details = farm.engines.details(engine)
    if json:
        output.emit_json(details)
        return
    shown = {name: value for name, value in details.items() if name not in {"layers", "metrics", "search"}}
    shown |= {"size": output.size(details["size"]), "created": datetime.fromisoformat(details["created"])}
    shown |= {"build_seconds": f"{details['build_seconds']:.1f}"}
    if metrics := details["metrics"]:
        shown["accuracy"] = f"{accuracy.brief(metrics) or 'measured'} ({accuracy.measured_on(metrics)})"
    output.emit_fields(shown)
    if layers:
        from trtfarm_cli.layers import emit_layers

        output.emit()
        emit_layers(details["layers"])


@app.command()
def diff(left: EngineId, right: EngineId, *, json: Json = False) -> None:
    """Compares two engines: origin, options, layers, accuracy.

    Exit code 1 unless they are the same, byte for byte.
    """
    from trtfarm.catalog.differences import engine_differences
    from trtfarm_cli.engine_differences import show_differences

    with open_any() as farm:
        found = engine_differences(farm.engines.details(left), farm.engines.details(right))
    if json:
        output.emit_json(found.as_dict())
    else:
        show_differences(found)
    if not found.same_plan:
        raise typer.Exit(exits.FAILED)


@app.command()
def pull(
    engine: EngineId,
    *,
    destination: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File or folder; <model>-<precision>-<target>.engine here unless given."),
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Refuse an engine that no trusted key signed.")
    ] = True,
    json: Json = False,
) -> None:
    """Writes an engine to a file, with its signature.

    Both are checked first. The signature is written beside the engine, as <file>.sig: `engines check` and `run` look at
    it wherever the two are taken.
    """
    with open_any() as farm:
        pulled = farm.engines.pull(engine, destination, verify=verify)
    if json:
        facts = {"id": pulled.engine, "path": str(pulled.path), "size": pulled.size, "digest": pulled.digest}
        signature = str(pulled.signature) if pulled.signature else None
        output.emit_json({**facts, "signature": signature, "verified": verify})
    else:
        unverified = "" if verify else ", signature not verified"
        output.emit(f"{pulled.path} ({output.size(pulled.size)}, {pulled.digest}{unverified})")


@app.command()
def check(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="An engine that was pulled, with its .sig beside it.", readable=False)
    ],
    *,
    json: Json = False,
) -> None:
    """Checks that a trusted key signed a pulled engine.

    Says what the engine is for.
    """
    from trtfarm.settings import Settings
    from trtfarm.signing.keyring import Keyring
    from trtfarm.signing.signed_file import check_file

    signed = check_file(Keyring.of(Settings.from_environment()), file)
    if json:
        key = {"signed_by": signed.key.id, "own": signed.key.own}
        output.emit_json({"path": str(file), **key, **signed.statement.as_dict()})
        return
    told = signed.statement
    output.emit(f"{file}: {told.precision} for {told.compute_capability}, {told.toolchain} {told.tensorrt}")
    output.emit(f"signed by {signed.key.id}, {'this farm' if signed.key.own else 'a key that is trusted here'}")


@app.command()
def sign(
    engines: Annotated[
        list[str], typer.Argument(metavar="ENGINE", help="Ids or digests of engines without a signature.")
    ],
    *,
    json: Json = False,
) -> None:
    """Vouches for engines that were built before engines were signed.

    Whoever can write to the farm's database and files could have put them there: sign what you would run unseen.
    """
    with open_any() as farm:
        signed = farm.administration.sign_engines(engines)
    _tell_each(signed, "signed", json=json)


@app.command()
def rm(
    engines: Annotated[
        list[str], typer.Argument(metavar="ENGINE", help="Ids or digests of engines, or their starts; all or none go.")
    ],
    *,
    json: Json = False,
) -> None:
    """Removes engines, and the bytes that nothing else needs.

    Engines that are pinned or have a label stay.
    """
    with open_any() as farm:
        removed = farm.engines.remove(engines)
    _tell_each(removed, "removed", json=json)


def _tell_each(engines: Sequence[str], done: str, *, json: bool) -> None:
    if json:
        output.emit_json({done: engines})
        return
    for engine_id in engines:
        output.emit(f"{engine_id} {done}")
