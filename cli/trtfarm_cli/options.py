"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Write JSON on standard output.")]
Tensorrt = Annotated[
    str | None, typer.Option("--tensorrt", metavar="VERSION", help="TensorRT version; 10.13 stands for every 10.13.x.")
]
Target = Annotated[str | None, typer.Option("--target", metavar="SM", help="Compute capability, such as sm_89.")]
Model = Annotated[str | None, typer.Option("--model", metavar="NAME", help="Model name, or the start of its digest.")]
Precision = Annotated[str | None, typer.Option("--precision", help="int8 or fp32.")]
CalibratorName = Annotated[
    str | None,
    typer.Option("--calibrator", help="minmax, entropy2, entropy, legacy, percentile or mse."),
]
ExcludeNodes = Annotated[
    list[str] | None,
    typer.Option("--exclude", metavar="NODE", help="Node to leave in float, or a pattern; may be repeated."),
]
ExcludeOps = Annotated[
    list[str] | None,
    typer.Option("--exclude-op", metavar="TYPE", help="Operator type to leave in float; may be repeated."),
]
