"""`trtfarm quantize`: model and table -> an ONNX with Q/DQ nodes, without the farm."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from trtfarm_cli import output
from trtfarm_cli.files import copy_new, copy_once, read_table, writable
from trtfarm_cli.options import ExcludeNodes, ExcludeOps, Json, ModelFile
from trtfarm_cli.progress import listener, view


def register(app: typer.Typer) -> None:
    app.command()(quantize)


def quantize(
    model: ModelFile,
    *,
    table: Annotated[Path, typer.Option("--table", help="Calibration table whose scales to use.")],
    destination: Annotated[Path, typer.Option("--output", "-o", help="File to write.")],
    exclude: ExcludeNodes = None,
    exclude_op: ExcludeOps = None,
    json: Json = False,
) -> None:
    """Writes a model with Q/DQ nodes to a file.

    TensorRT takes them as explicit INT8.
    """
    from trtfarm.models.model import Model
    from trtfarm.settings import Settings
    from trtfarm.tables.validation import load
    from trtfarm_worker.direct import reference_step

    writable(destination, unlike=(model, table))
    read = Model.read(model)
    scales = load(read_table(table), name=str(table), tensors=read.summary.tensors).scales
    options = {"exclude_nodes": exclude or [], "exclude_op_types": exclude_op or []}
    with tempfile.TemporaryDirectory(prefix="trtfarm-") as folder, view() as shown:
        args = {"model": str(read.copy_to(Path(folder))[0]), "scales": dict(scales), "options": options}
        with reference_step(Settings.from_environment(), "quantize", args, listener(shown, "quantize")) as answer:
            for name in answer.result["external"]:
                copy_once(Path(folder, name), destination.parent / name)
            copy_new(answer.file("model"), destination)
            result = answer.result
    if json:
        output.emit_json(
            {"path": str(destination), **{name: result[name] for name in ("quantized", "left", "missing_scales")}}
        )
        return
    output.emit(f"{destination}: {len(result['quantized'])} nodes quantised, {len(result['left'])} left in float")
    for left in result["left"]:
        output.emit(f"  {left['node']} ({left['op_type']}): {left['reason']}")
