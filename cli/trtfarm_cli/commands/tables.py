"""`trtfarm tables …`: calibration tables in the farm and in files."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trtfarm.calibrators import Calibrator
from trtfarm.errors import UsageError
from trtfarm_cli import exits, output
from trtfarm_cli.files import writable, write_new
from trtfarm_cli.limits import limited
from trtfarm_cli.named_tables import files_of, named_table, stored_table
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
    Target,
    Tensorrt,
)
from trtfarm_cli.written_table import say_written

if TYPE_CHECKING:
    from trtfarm.tables.problems import Problem

app = typer.Typer(help="Calibration tables, in the farm and in files.", no_args_is_help=True)

TableId = Annotated[str, typer.Argument(metavar="TABLE", help="Id of a table in the farm, or the start of it.")]
TableOrFile = Annotated[str, typer.Argument(metavar="TABLE", help="A file, or the id of a table in the farm.")]
Output = Annotated[Path, typer.Option("--output", "-o", help="File to write.")]


@app.command("list")
def list_(
    *,
    tensorrt: Tensorrt = None,
    target: Target = None,
    model: Model = None,
    calibrator: CalibratorName = None,
    digest: Digest = None,
    newer_than: NewerThan = None,
    older_than: OlderThan = None,
    min_top1: MinTop1 = None,
    min_cosine: MinCosine = None,
    max_drop: LostAtMost = None,
    limit: Limit = 100,
    json: Json = False,
) -> None:
    """Lists tables, newest first.

    `--target` leaves out tables tied to another device. Accuracy is that of anything that was made with them.
    """
    words = {"tensorrt": tensorrt, "target": target, "model": model, "calibrator": calibrator, "digest": digest}
    within = limited(
        newer_than=newer_than, older_than=older_than, min_top1=min_top1, min_cosine=min_cosine, max_drop=max_drop
    )
    with open_any() as farm:
        tables = farm.tables.find(words, limit=limit, within=within)
    if json:
        output.emit_json([table.as_dict() for table in tables])
        return
    columns = dict.fromkeys(("id", "model", "calibrator", "tensorrt", "batch_size", "tensors", "origin"))
    shown = columns | {"portable": output.yes_or_no, "created": output.moment}
    output.emit_table([vars(table) for table in tables], shown, limit=limit)


@app.command()
def show(table: TableId, *, json: Json = False) -> None:
    """Shows one table: its rule, its data, its scales."""
    from trtfarm.tables.scales import amax_from_hex

    with open_any() as farm:
        details = farm.tables.details(table)
    if json:
        output.emit_json(details)
        return
    scales, warnings = details.pop("scales"), details.pop("warnings")
    output.emit_fields(details | {"created": datetime.fromisoformat(details["created"])})
    for text in warnings:
        output.emit(f"warning: {text}")
    output.emit()
    output.emit_table(
        [{"tensor": name, "scale": scale, "amax": f"{amax_from_hex(scale):.6g}"} for name, scale in scales.items()],
        {"tensor": None, "scale": None, "amax": None},
    )


@app.command()
def diff(left: TableOrFile, right: TableOrFile, *, json: Json = False) -> None:
    """Compares two tables, tensor by tensor.

    Exit code 1 when any scale differs.
    """
    from trtfarm.tables.differences import diff as differences
    from trtfarm_cli.table_differences import show_differences

    found = differences(named_table(left), named_table(right))
    if json:
        output.emit_json(found.as_dict())
    else:
        show_differences(found)
    if not found.same_scales:
        raise typer.Exit(exits.FAILED)


@app.command()
def validate(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Tables; as many as you like.", readable=False)],
    *,
    calibrator: Annotated[
        Calibrator | None, typer.Option(case_sensitive=False, help="Calibrator that the tables are to be used with.")
    ] = None,
    tensorrt: Annotated[
        str | None, typer.Option(metavar="VERSION", help="TensorRT that is to read the tables.")
    ] = None,
    model: Annotated[
        Path | None, typer.Option("--model", help="ONNX model whose tensors the table must cover.", readable=False)
    ] = None,
    json: Json = False,
) -> None:
    """Checks tables as TensorRT would read them.

    Exit code 0 only when every one is sound.
    """
    from trtfarm.models.model import Model
    from trtfarm.tables.reading import bytes_of_file
    from trtfarm.tables.table import CalibrationTable
    from trtfarm.tables.validation import validate as problems_of
    from trtfarm.versions import TensorRTVersion

    version = TensorRTVersion.wanted(tensorrt) if tensorrt else None
    summary = Model.read(model).summary if model else None
    tensors, without_range = (summary.tensors, summary.whole_numbers) if summary else (None, ())
    found: dict[str, list[Problem]] = {}
    for file in files:
        table = CalibrationTable.parse(bytes_of_file(file))
        found[str(file)] = problems_of(
            table, expected=calibrator, tensorrt=version, tensors=tensors, without_range=without_range
        )
    sound = not any(problem.is_error for problems in found.values() for problem in problems)
    if json:
        output.emit_json({name: [problem.as_dict() for problem in problems] for name, problems in found.items()})
    else:
        for name, problems in found.items():
            for problem in problems:
                output.emit(f"{name}: {problem.severity}: {problem}; {problem.remedy}")
            if not any(problem.is_error for problem in problems):
                output.emit(f"{name}: sound")
    if not sound:
        raise typer.Exit(exits.BAD_TABLE)


@app.command()
def export(
    table: TableId,
    *,
    destination: Output,
    tensorrt: Annotated[
        str | None,
        typer.Option(metavar="VERSION", help="Version for the header, such as 10.3.0; as stored unless given."),
    ] = None,
    json: Json = False,
) -> None:
    """Writes a table of the farm to a file.

    With `--tensorrt` its header is that version's.
    """
    from trtfarm.versions import TensorRTVersion

    writable(destination)
    found = stored_table(table)
    if tensorrt:
        found = found.restamp(TensorRTVersion.wanted(tensorrt))
    write_new(destination, found.render())
    say_written(destination, found, json=json)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A table that TensorRT wrote.", readable=False)],
    *,
    model: Annotated[Path, typer.Option("--model", help="The ONNX model that the table belongs to.", readable=False)],
    json: Json = False,
) -> None:
    """Takes a table into the farm, checked against its model."""
    from trtfarm.models.model import Model
    from trtfarm.tables.reading import bytes_of_file
    from trtfarm.tables.validation import load

    read = Model.read(model)
    table = load(bytes_of_file(file), name=str(file), tensors=read.summary.tensors)
    with open_any() as farm:
        table_id = farm.tables.add(table, read)
    if json:
        output.emit_json({"id": table_id, "model": read.name, "tensors": len(table.scales)})
    else:
        output.emit(f"{table_id} ({output.counted(len(table.scales), 'tensor')} of {read.name})")


@app.command()
def restamp(
    table: TableOrFile,
    *,
    tensorrt: Annotated[str, typer.Option("--tensorrt", metavar="VERSION", help="The version to write.")],
    destination: Output,
    json: Json = False,
) -> None:
    """Writes a table with the header of another TensorRT."""
    from trtfarm.versions import TensorRTVersion

    writable(destination, unlike=files_of([table]))
    stamped = named_table(table).restamp(TensorRTVersion.wanted(tensorrt))
    write_new(destination, stamped.render())
    say_written(destination, stamped, json=json)


@app.command()
def merge(
    tables: Annotated[list[str], typer.Argument(metavar="TABLE", help="Files, or ids of tables in the farm.")],
    *,
    destination: Output,
    json: Json = False,
) -> None:
    """Writes one table with the scales of several.

    A tensor that several of them have must have the same scale in each.
    """
    from trtfarm.tables.merging import merged

    if len(set(tables)) == 1:
        raise UsageError("one table needs no merging", remedy="name at least two")
    writable(destination, unlike=files_of(tables))
    whole = merged({name: named_table(name) for name in tables})
    write_new(destination, whole.render())
    say_written(destination, whole, json=json)
