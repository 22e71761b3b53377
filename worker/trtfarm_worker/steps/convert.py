"""Conversion: a model, with Q/DQ nodes or as it was handed in -> one that computes in float16 inside."""

from __future__ import annotations

from trtfarm.actions import CONVERTER_REVISION
from trtfarm.database.schema import ModelRow, QuantizationRow
from trtfarm_worker.builder.request import BuilderAnswer
from trtfarm_worker.steps.inputs import known_row, onnx_file
from trtfarm_worker.steps.revisions import check_revision
from trtfarm_worker.steps.rows import keep_file, rewritten
from trtfarm_worker.steps.step import Invocation, Outcome, Task
from trtfarm_worker.toolchains.registry import reference_toolchain


def prepare(task: Task) -> Invocation:
    request = task.job.request
    model = known_row(task, ModelRow, request["model_id"])
    quantized = known_row(task, QuantizationRow, request["quantization_id"]) if request["quantization_id"] else None
    return Invocation(
        toolchain=reference_toolchain(),
        step="convert",
        args={"model": onnx_file(task, model, quantized), "options": request["options"]},
    )


def keep(task: Task, answer: BuilderAnswer) -> Outcome:
    request = task.job.request
    check_revision("the converter", answer.result["revision"], CONVERTER_REVISION)
    blob = keep_file(task, answer.file("model"))
    converted = {"converted": answer.result["converted"], "left_in_float32": answer.result["left"]}
    source = known_row(task, QuantizationRow, request["quantization_id"]).facts if request["quantization_id"] else {}
    # What INT8 left in floating point stays known: the engine is asked about it by this row.
    return rewritten(task, blob, prefix="f16", facts={**source, **converted})
