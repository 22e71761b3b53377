"""`trtfarm quantize`: model and table -> an ONNX with Q/DQ nodes, without the farm."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trtfarm.errors import UsageError
from trtfarm_cli import accuracy, output
from trtfarm_cli.files import copy_new, copy_once, writable
from trtfarm_cli.options import (
    Data,
    ExcludeNodes,
    ExcludeOps,
    Json,
    Labels,
    MaxDrop,
    ModelFile,
    Search,
    TestData,
    percentage,
)
from trtfarm_cli.progress import listener, view

if TYPE_CHECKING:
    from trtfarm.models.model import Model
    from trtfarm_worker.builder.request import BuilderAnswer
    from trtfarm_worker.search import Aim

_TOLD = ("external", "quantized", "left", "missing_scales", "search")


def register(app: typer.Typer) -> None:
    app.command()(quantize)


def quantize(
    model: ModelFile,
    *,
    table: Annotated[Path, typer.Option("--table", help="Calibration table whose scales to use.", readable=False)],
    destination: Annotated[Path, typer.Option("--output", "-o", help="File to write.")],
    exclude: ExcludeNodes = None,
    exclude_op: ExcludeOps = None,
    search: Search = False,
    max_drop: MaxDrop = None,
    data: Data = None,
    test_data: TestData = None,
    labels: Labels = None,
    json: Json = False,
) -> None:
    """Writes a model with Q/DQ nodes to a file.

    TensorRT takes them as explicit INT8. With --search, nodes that lose most stay in floating point: it looks for them
    on the calibration data, and the result is verified on the test data before it is written.
    """
    from trtfarm.models.model import Model
    from trtfarm.scratch import temporary_folder
    from trtfarm.tables.reading import bytes_of_file
    from trtfarm.tables.validation import load

    drop = _drop(max_drop, data, test_data, labels, search=search)
    writable(destination, unlike=(model, table))
    read = Model.read(model)
    for notice in read.notices:
        output.say(notice)
    aim = None if drop is None else _aim(read, drop, data or (), test_data or (), labels)
    writable(destination, unlike=(*read.files, *(aim.paths if aim else ())))
    scales = load(bytes_of_file(table), name=str(table), tensors=read.summary.tensors).scales
    options = {"exclude_nodes": exclude or [], "exclude_op_types": exclude_op or []}
    with temporary_folder() as folder:
        args = {"model": str(read.copy_to(folder)[0]), "scales": dict(scales), "options": options}
        with _quantized(read, args, aim) as (answer, verification):
            for name in answer.result["external"]:
                copy_once(folder / name, destination.parent / name)
            copy_new(answer.file("model"), destination)
            result = answer.result
    told = {name: result[name] for name in _TOLD if name in result}
    if json:
        measured = {"verification": verification} if verification else {}
        output.emit_json({"path": str(destination), **told, **measured})
        return
    quantized = output.counted(len(result["quantized"]), "node")
    for name in result["external"]:
        output.say(f"its weights are beside it, in {name}")
    output.emit(f"{destination}: {quantized} quantised, {len(result['left'])} left in float")
    for left in result["left"]:
        output.emit(f"  {left['node']} ({left['op_type']}): {left['reason']}")
    for line in accuracy.lines(verification, "int8") if verification else ():
        output.emit(f"  {line}")


def _drop(
    max_drop: str | None, data: list[str] | None, test_data: list[str] | None, labels: str | None, *, search: bool
) -> float | None:
    """What may be lost; None without --search. Raises UsageError for options that only make sense together."""
    given = {"--max-drop": max_drop, "--data": data, "--test-data": test_data, "--labels": labels}
    if not search:
        useless = [name for name, value in given.items() if value]
        if useless:
            raise UsageError(f"{', '.join(useless)} is only for --search", remedy="add --search, or leave it out")
        return None
    if max_drop is None:
        raise UsageError("--search needs to know how much may be lost", remedy="add --max-drop 1%")
    return percentage(max_drop)


def _aim(model: Model, max_drop: float, data: Sequence[str], test_data: Sequence[str], labels: str | None) -> Aim:
    from trtfarm_worker.search import Aim

    return Aim.found(model, max_drop, data, test_data, labels)


@contextmanager
def _quantized(
    model: Model, args: Mapping[str, Any], aim: Aim | None
) -> Iterator[tuple[BuilderAnswer, Mapping[str, Any] | None]]:
    """The builder's answer, and what was verified of it where there was a search."""
    from trtfarm.settings import Settings
    from trtfarm_worker.direct import reference_step
    from trtfarm_worker.search import searched

    settings = Settings.from_environment()
    with view() as shown:
        hear = listener(shown, "quantize")
        if aim is None:
            with reference_step(settings, "quantize", args, hear) as answer:
                yield answer, None
        else:
            with searched(settings, model, args, aim, tell=output.say, listener=hear) as found:
                yield found.answer, found.verification
