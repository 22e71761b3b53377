"""Conversion: a model, with Q/DQ nodes or as it was handed in -> one that computes in float16 inside."""

from __future__ import annotations

from sqlalchemy.orm import Session

from trtfarm.actions import CONVERTER_REVISION
from trtfarm.database.schema import ModelRow, QuantizationRow
from trtfarm.submissions.resolve import row
from trtfarm_worker.builder.request import BuilderAnswer
from trtfarm_worker.steps.inputs import onnx_file
from trtfarm_worker.steps.revisions import check_revision
from trtfarm_worker.steps.rows import keep_file, put_rewritten
from trtfarm_worker.steps.step import Commit, Invocation, Task
from trtfarm_worker.toolchains.registry import reference_toolchain


def prepare(task: Task) -> Invocation:
    request = task.job.request
    with task.farm.database.read() as session:
        model = row(session, ModelRow, request["model_id"])
        quantized = row(session, QuantizationRow, request["quantization_id"]) if request["quantization_id"] else None
    return Invocation(
        toolchain=reference_toolchain(),
        step="convert",
        args={"model": onnx_file(task, model, quantized), "options": request["options"]},
    )


def keep(task: Task, answer: BuilderAnswer) -> Commit:
    request = task.job.request
    check_revision("the converter", answer.result["revision"], CONVERTER_REVISION)
    blob = keep_file(task, answer.file("model"))
    converted = {"converted": answer.result["converted"], "left_in_float32": answer.result["left"]}

    def commit(session: Session) -> dict[str, str]:
        quantized = session.get(QuantizationRow, request["quantization_id"]) if request["quantization_id"] else None
        # What INT8 left in floating point stays known: the engine is asked about it by this row.
        facts = {**(quantized.facts if quantized else {}), **converted}
        return put_rewritten(session, task, blob, prefix="f16", facts=facts)

    return commit
