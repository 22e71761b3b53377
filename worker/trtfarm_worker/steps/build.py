"""Building: ONNX, and a table where that holds the scales -> an engine, by the toolchain that the plan named."""

from __future__ import annotations

from typing import Any

from trtfarm.database.schema import ModelRow, QuantizationRow, TableRow
from trtfarm.precisions import PRECISIONS, strongly_typed
from trtfarm.targets import BuildTarget
from trtfarm_worker.builder.request import BuilderAnswer
from trtfarm_worker.steps.engines import check_signing_key, keep_engine
from trtfarm_worker.steps.hosts import toolchain_of
from trtfarm_worker.steps.inputs import blob_file, known_row, onnx_file
from trtfarm_worker.steps.step import Invocation, Outcome, Task
from trtfarm_worker.steps.timing import handed_caches
from trtfarm_worker.toolchains.toolchain import ToolchainKind

#: The builder's step for each kind of toolchain that builds.
_STEPS = {ToolchainKind.TENSORRT_RTX: "rtx-build", ToolchainKind.TENSORRT: "trt-build"}


def prepare(task: Task) -> Invocation:
    request = task.job.request
    toolchain = toolchain_of(task)
    check_signing_key(task)
    model = known_row(task, ModelRow, request["model_id"])
    quantized = known_row(task, QuantizationRow, request["quantization_id"]) if request["quantization_id"] else None
    table = known_row(task, TableRow, request["table_id"]) if _takes_table(task) else None
    on_gpu = toolchain.kind is ToolchainKind.TENSORRT
    return Invocation(
        toolchain=toolchain,
        step=_STEPS[toolchain.kind],
        args={
            **request["options"],
            "model": onnx_file(task, model, quantized),
            "compute_capability": request["compute_capability"],
            "precision": _precision(request),
            "profiles": request["profiles"],
            **({"table": blob_file(task, table.blob, "calibration.table")} if table else {}),
            **({"timing_caches": handed_caches(task)} if on_gpu else {}),
        },
    )


def keep(task: Task, answer: BuilderAnswer) -> Outcome:
    engine = keep_engine(task, answer, answer.result, task.job.request, task.job.key)
    return Outcome(rows=[engine], id_name="engine_id")


def _takes_table(task: Task) -> bool:
    """Whether the scales are handed over in a table: then they are in the key, and not in Q/DQ nodes."""
    return task.job.request["table_id"] is not None and "scales" in task.job.request["fields"]


def _precision(request: dict[str, Any]) -> str:
    """What TensorRT is asked for: where the model's own types decide, its float16 is in there and not for a flag."""
    names = ("compute_capability", "toolchain", "tensorrt")
    target = BuildTarget(**{name: request[name] for name in names})
    precision = PRECISIONS[request["precision"]]
    if not (target.on_gpu and strongly_typed(target, request["options"])) or precision.by_flag:
        return str(request["precision"])
    return "int8" if precision.quantized else "fp32"
