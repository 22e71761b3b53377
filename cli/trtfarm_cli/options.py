"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from trtfarm.calibrators import Calibrator
from trtfarm.errors import UsageError
from trtfarm.shards import MOST_SHARDS


def filled(option: typer.CallbackParam, text: str | None) -> str | None:
    """What a list is searched for: nothing at all, as of a variable that is not set, would find everything."""
    if text == "":
        raise UsageError(f"{option.opts[0]} is empty", remedy="say what to look for, or leave it out")
    return text


Json = Annotated[bool, typer.Option("--json", help="Write JSON on standard output.")]
Tensorrt = Annotated[
    str | None,
    typer.Option(
        "--tensorrt", metavar="VERSION", help="TensorRT version; 10 stands for every 10.x, 10.13 for every 10.13.x."
    ),
]
Target = Annotated[
    str | None, typer.Option("--target", metavar="SM", help="Only for this compute capability: sm_89 or 8.9.")
]
Model = Annotated[
    str | None,
    typer.Option("--model", metavar="NAME", callback=filled, help="Only of the model of this name, id or digest."),
]
PrecisionName = Literal["int8", "int8+fp16", "fp16", "fp32", "bf16", "fp8"]
Precision = Annotated[PrecisionName | None, typer.Option("--precision", help="Only of this precision.")]
CalibratorOrAuto = Literal["auto", "minmax", "entropy2", "entropy", "legacy", "percentile", "mse"]
CalibratorName = Annotated[
    Calibrator | None,
    typer.Option("--calibrator", case_sensitive=False, help="Only those of this calibrator."),
]
Digest = Annotated[
    str | None, typer.Option("--digest", metavar="DIGEST", callback=filled, help="Start of its own digest.")
]
ProfileNumber = Annotated[
    int | None,
    typer.Option(
        "--profile", metavar="N", min=0, help="Optimization profile, from 0 on; the first that fits unless given."
    ),
]
Limit = Annotated[int, typer.Option("--limit", min=1, max=1_000_000, help="How many at most.")]
NewerThan = Annotated[
    str | None, typer.Option("--newer-than", metavar="TIME", help="Made within this time, such as 7d.")
]
OlderThan = Annotated[str | None, typer.Option("--older-than", metavar="TIME", help="Made longer ago than this.")]
MinTop1 = Annotated[
    str | None, typer.Option("--min-top1", metavar="PERCENT", help="Measured with at least this Top-1, such as 98%.")
]
MinCosine = Annotated[
    float | None, typer.Option("--min-cosine", help="Measured with no output's mean cosine below this, such as 0.99.")
]
LostAtMost = Annotated[
    str | None, typer.Option("--max-drop", metavar="PERCENT", help="Measured with no more lost than this, such as 1%.")
]
ExcludeNodes = Annotated[
    list[str] | None,
    typer.Option("--exclude", metavar="NODE", help="Node to leave in float, or a pattern; may be repeated."),
]
ExcludeOps = Annotated[
    list[str] | None,
    typer.Option("--exclude-op", metavar="TYPE", help="Operator type to leave in float; may be repeated."),
]
KeepNodes = Annotated[
    list[str] | None,
    typer.Option("--keep-fp32", metavar="NODE", help="Node to leave in FP32 beside FP16, or a pattern; repeatable."),
]
KeepOps = Annotated[
    list[str] | None,
    typer.Option("--keep-fp32-op", metavar="TYPE", help="Operator type to leave in FP32 beside FP16; repeatable."),
]
ModelFile = Annotated[
    Path, typer.Argument(metavar="MODEL", help="The FP32 model, ONNX.", show_default=False, readable=False)
]
EngineFile = Annotated[
    str,
    typer.Argument(metavar="ENGINE", help="Id of an engine, its start, or a pulled file with its .sig beside it."),
]
_INPUTS = typer.Option("--inputs", metavar="PATH", help=".npz, folder, .npy or INPUT=FILE; repeatable.")
Inputs = Annotated[list[str], _INPUTS]
OptionalInputs = Annotated[list[str] | None, _INPUTS]
Data = Annotated[
    list[str] | None,
    typer.Option("--data", metavar="PATH", help="Folder, data.toml, .npy, .npz or INPUT=FILE; repeatable."),
]
TestData = Annotated[
    list[str] | None,
    typer.Option("--test-data", metavar="PATH", help="Data to verify with, in the form of --data."),
]
Labels = Annotated[str | None, typer.Option(help="Class of each test sample, for Top-1 and Top-5.")]
IdempotencyKey = Annotated[
    str | None,
    typer.Option("--idempotency-key", metavar="KEY", help="Handed in once under it, however often this is run."),
]
MaxDrop = Annotated[
    str | None, typer.Option("--max-drop", metavar="PERCENT", help="Fail where more than this is lost, such as 1%.")
]
Search = Annotated[
    bool, typer.Option("--search", help="Leave the fewest nodes in float that keep the loss within --max-drop.")
]
BatchSize = Annotated[
    int | None, typer.Option("--batch-size", min=1, help="Samples in a calibration batch; 50 where the data allow.")
]
Shards = Annotated[
    int,
    typer.Option("--shards", min=1, max=MOST_SHARDS, help="Calibrate so many shares of the data at once; same table."),
]
RequireLabels = Annotated[
    list[str] | None,
    typer.Option("--require-label", metavar="KEY=VALUE", help="Run on workers with this label; repeatable."),
]
RequireGpuMemory = Annotated[
    str | None,
    typer.Option("--require-gpu-memory", metavar="SIZE", help="Run on GPUs with so much memory, such as 40GiB."),
]
Quantile = Annotated[float | None, typer.Option("--quantile", help="For legacy and percentile; 0.9999 unless given.")]
Cutoff = Annotated[float | None, typer.Option("--cutoff", help="Regression cutoff, for legacy; 1 unless given.")]

CalibrateWithName = Annotated[
    Literal["reference", "tensorrt"] | None,
    typer.Option("--calibrate-with", help="TensorRT on a GPU, or the reference on the CPU; the former where it can."),
]
AfterFusion = Annotated[
    bool, typer.Option("--after-fusion", help="Calibrate after layer fusion, for this GPU alone; entropy and legacy.")
]
Explicit = Annotated[
    bool, typer.Option("--explicit", help="INT8 by Q/DQ nodes also where TensorRT would take a table.")
]
Restamp = Annotated[
    bool, typer.Option("--restamp", help="Use a table of another TensorRT release line, such as 8.5's for 8.6.")
]
NoTimingCache = Annotated[
    bool, typer.Option("--no-timing-cache", help="Time every kernel anew; builds are no faster for earlier ones.")
]
BuilderOption = Annotated[
    list[str] | None,
    typer.Option("--option", metavar="NAME=VALUE", help="Builder option, such as workspace_bytes=1GiB; repeatable."),
]
BuilderOptionFile = Annotated[
    Path | None, typer.Option("--builder-options", metavar="FILE", help="TOML file of builder options.", readable=False)
]
DynamicRanges = Annotated[
    Path | None,
    typer.Option(
        "--dynamic-ranges",
        metavar="FILE",
        help="Ranges by hand, `tensor: amax` lines; before the table's.",
        readable=False,
    ),
]


def percentage(text: str) -> float:
    """Reads `1%` or `0.01` as a share."""
    try:
        value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError as error:
        raise UsageError(f"{text!r} is not a percentage", remedy="write it as 1% or 0.01") from error
    if not 0 <= value <= 1:
        raise UsageError(f"{text} is not between 0% and 100%", remedy="write it as 1% or 0.01")
    return value
