"""Quantisation: model and table -> an ONNX with Q/DQ nodes."""

from __future__ import annotations

from typing import Any

from trtfarm.actions import QUANTIZER_REVISION
from trtfarm.database.named_rows import row
from trtfarm.database.schema import ModelRow, TableRow
from trtfarm_worker.builder.request import BuilderAnswer
from trtfarm_worker.steps.inputs import model_file
from trtfarm_worker.steps.revisions import check_revision
from trtfarm_worker.steps.rows import keep_file, rewritten
from trtfarm_worker.steps.step import Invocation, Outcome, Task
from trtfarm_worker.toolchains.registry import reference_toolchain

_FACTS = ("quantized", "left", "unused_scales", "missing_scales")


def prepare(task: Task) -> Invocation:
    request = task.job.request
    with task.farm.database.read() as session:
        model = row(session, ModelRow, request["model_id"])
        table = row(session, TableRow, request["table_id"])
    return Invocation(
        toolchain=reference_toolchain(),
        step="quantize",
        args={"model": model_file(task, model), "scales": table.scales, "options": request["options"]},
    )


def facts_of(answer: BuilderAnswer) -> dict[str, Any]:
    """What is kept of how a model was quantised."""
    return {name: answer.result[name] for name in _FACTS}


def check_quantizer(answer: BuilderAnswer) -> None:
    """Raises BuilderCrashError where Q/DQ nodes were placed by other rules than the job's key stands for."""
    check_revision("the quantizer", answer.result["revision"], QUANTIZER_REVISION)


def keep(task: Task, answer: BuilderAnswer) -> Outcome:
    check_quantizer(answer)
    blob = keep_file(task, answer.file("model"))
    facts = facts_of(answer)
    return rewritten(task, blob, prefix="qdq", facts=facts)
