"""Verification: FP32 against what was made of it, on data that calibration did not see, simulated on the CPU."""

from __future__ import annotations

from trtfarm.accuracy import BATCH_SIZE
from trtfarm.database.named_rows import row
from trtfarm.database.schema import DatasetRow, ModelRow, QuantizationRow
from trtfarm_worker.builder.request import BuilderAnswer
from trtfarm_worker.steps.inputs import array, arrays, blob_file, model_file
from trtfarm_worker.steps.rows import verification
from trtfarm_worker.steps.step import Invocation, Outcome, Task
from trtfarm_worker.toolchains.registry import reference_toolchain


def prepare(task: Task) -> Invocation:
    request = task.job.request
    with task.farm.database.read() as session:
        model = row(session, ModelRow, request["model_id"])
        quantized = row(session, QuantizationRow, request["quantization_id"])
        dataset = row(session, DatasetRow, request["dataset_id"])
    return Invocation(
        toolchain=reference_toolchain(),
        step="evaluate",
        args={
            "reference": model_file(task, model),
            "candidate": blob_file(task, quantized.blob, "quantized.onnx"),
            "inputs": arrays(task, dataset),
            "labels": array(task, dataset.labels, "labels.npy") if dataset.labels else None,
            "batch_size": min(BATCH_SIZE, dataset.samples),
        },
    )


def keep(task: Task, answer: BuilderAnswer) -> Outcome:
    of = {"quantization_id": task.job.request["quantization_id"], "engine_id": None}
    return verification(task, answer.result, **of)
