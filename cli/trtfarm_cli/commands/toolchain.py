"""`trtfarm toolchain …`: the TensorRTs of this host."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trtfarm_cli import exits, output
from trtfarm_cli.options import Json

if TYPE_CHECKING:
    from trtfarm_worker.toolchains.registry import ToolchainRegistry
    from trtfarm_worker.toolchains.toolchain import Toolchain

app = typer.Typer(help="Toolchains: interpreters with one TensorRT each.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of a toolchain, as `list` shows it.")]


@app.command("list")
def list_(*, json: Json = False) -> None:
    """Lists the toolchains of this host and what they can do."""
    toolchains = _registry().toolchains()
    if json:
        output.emit_json([toolchain.as_dict() for toolchain in toolchains])
    else:
        output.emit_table(
            [_row(toolchain) for toolchain in toolchains],
            dict.fromkeys(("name", "version", "builds_for", "precisions", "calibrators", "state")),
        )


@app.command()
def install(
    spec: Annotated[
        str, typer.Argument(metavar="SPEC", help="tensorrt-rtx, tensorrt-rtx==1.7.1.116, tensorrt==8.5.3.1")
    ],
    *,
    python: Annotated[str | None, typer.Option(help="Python version or interpreter, as uv takes it.")] = None,
    json: Json = False,
) -> None:
    """Installs a TensorRT and tests what it can do."""
    from trtfarm_worker.toolchains.install import install_toolchain
    from trtfarm_worker.toolchains.spec import ToolchainSpec

    _report(
        install_toolchain(ToolchainSpec.parse(spec), registry=_registry(), tell=output.say, python=python), json=json
    )


@app.command()
def add(
    python: Annotated[
        Path, typer.Argument(metavar="PYTHON", help="An interpreter that can import TensorRT.", readable=False)
    ],
    *,
    name: Annotated[str | None, typer.Option(help="What to call it; kind and version unless given.")] = None,
    library_path: Annotated[list[Path] | None, typer.Option(help="Folder for LD_LIBRARY_PATH; repeatable.")] = None,
    python_path: Annotated[list[Path] | None, typer.Option(help="Folder for PYTHONPATH; repeatable.")] = None,
    json: Json = False,
) -> None:
    """Takes an interpreter that has a TensorRT already."""
    from trtfarm_worker.toolchains.install import add_toolchain

    added = add_toolchain(
        python, registry=_registry(), name=name, library_path=library_path or [], python_path=python_path or []
    )
    _report(added, json=json)


@app.command("test")
def probe(name: Name, *, json: Json = False) -> None:
    """Tests a toolchain by building a tiny INT8 network."""
    from trtfarm_worker.toolchains.install import test_toolchain

    _report(test_toolchain(name, registry=_registry()), json=json)


@app.command()
def remove(name: Name, *, json: Json = False) -> None:
    """Forgets a toolchain.

    Its environment is deleted if the farm installed it.
    """
    _registry().remove(name)
    if json:
        output.emit_json({"removed": name})
    else:
        output.emit(f"{name} removed")


def _registry() -> ToolchainRegistry:
    from trtfarm.settings import Settings
    from trtfarm_worker.toolchains.registry import ToolchainRegistry

    return ToolchainRegistry(Settings.from_environment().home)


def _report(toolchain: Toolchain, *, json: bool) -> None:
    """Says what a toolchain can do; one that is broken fails the command."""
    if json:
        output.emit_json(toolchain.as_dict())
    else:
        can = toolchain.capabilities
        exceptions = {
            f"{word} for {target}": reason
            for word, reasons in can.exceptions.items()
            for target, reason in reasons.items()
        }
        exceptions |= {
            f"{word} for {target}, of models with matrix products": reason
            for word, reasons in can.without_products.items()
            for target, reason in reasons.items()
        }
        output.emit_fields(_row(toolchain) | {"lacking": {**can.lacking, **exceptions}})
    if toolchain.broken:
        raise typer.Exit(exits.NO_TOOLCHAIN)


def _row(toolchain: Toolchain) -> dict[str, str]:
    can = toolchain.capabilities
    return {
        "name": toolchain.name,
        "version": toolchain.version,
        "builds_for": " ".join(map(str, can.compute_capabilities)) or "-",
        "precisions": " ".join(can.precisions) or "-",
        "calibrators": " ".join(can.calibrators) or "-",
        "state": f"broken: {toolchain.broken}" if toolchain.broken else "ready",
    }
