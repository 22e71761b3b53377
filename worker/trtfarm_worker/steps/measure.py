"""Measuring: an engine, run on its GPU, against what FP32 computes on data that calibration did not see."""

from __future__ import annotations

from trtfarm.database.named_rows import row
from trtfarm.database.schema import DatasetRow, EngineRow, RecordingRow
from trtfarm.signing.keyring import Keyring
from trtfarm.signing.seal import check_row
from trtfarm_worker.builder.request import BuilderAnswer
from trtfarm_worker.steps.hosts import check_device, toolchain_of
from trtfarm_worker.steps.inputs import array, arrays, blob_file
from trtfarm_worker.steps.rows import verification
from trtfarm_worker.steps.step import Invocation, Outcome, Task

_BATCH_SIZE = 64


def prepare(task: Task) -> Invocation:
    request = task.job.request
    with task.farm.database.read() as session:
        engine = row(session, EngineRow, request["engine_id"])
        recording = row(session, RecordingRow, request["recording_id"])
        dataset = row(session, DatasetRow, request["dataset_id"])
    check_row(Keyring.of(task.farm.settings), engine)  # a plan is native code
    references = {
        name: array(task, facts, f"reference{position}.npy")
        for position, (name, facts) in enumerate(recording.outputs.items())
    }
    return Invocation(
        toolchain=toolchain_of(task),
        step="trt-evaluate",
        args={
            "candidate": blob_file(task, engine.blob, "engine.plan"),
            "reference_outputs": references,
            "inputs": arrays(task, dataset),
            "labels": array(task, dataset.labels, "labels.npy") if dataset.labels else None,
            "batch_size": min(_BATCH_SIZE, dataset.samples),
            # Jobs that were queued before engines had several say nothing of it.
            "profile": request.get("profile"),
        },
    )


def keep(task: Task, answer: BuilderAnswer) -> Outcome:
    check_device(task, answer.result["device"])
    of = {"quantization_id": None, "engine_id": task.job.request["engine_id"]}
    return verification(task, answer.result, **of)
