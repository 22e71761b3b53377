"""Recording: what a model computes in FP32 on held-out data, by which engines are judged."""

from __future__ import annotations

from trtfarm.actions import RECORDING_REVISION
from trtfarm.database.named_rows import row
from trtfarm.database.schema import DatasetRow, ModelRow, RecordingRow
from trtfarm_worker.builder.request import BuilderAnswer, result_file
from trtfarm_worker.steps.inputs import arrays, model_file
from trtfarm_worker.steps.revisions import check_revision
from trtfarm_worker.steps.rows import keep_file, row_of
from trtfarm_worker.steps.step import Invocation, Outcome, Task
from trtfarm_worker.toolchains.registry import reference_toolchain

_BATCH_SIZE = 32


def prepare(task: Task) -> Invocation:
    request = task.job.request
    with task.farm.database.read() as session:
        model = row(session, ModelRow, request["model_id"])
        dataset = row(session, DatasetRow, request["dataset_id"])
    batch_size = min(_BATCH_SIZE, dataset.samples)
    return Invocation(
        toolchain=reference_toolchain(),
        step="record",
        args={"model": model_file(task, model), "inputs": arrays(task, dataset), "batch_size": batch_size},
    )


def keep(task: Task, answer: BuilderAnswer) -> Outcome:
    request = task.job.request
    check_revision("the recording of FP32", answer.result["revision"], RECORDING_REVISION)
    found = answer.result["outputs"]
    blobs = {name: keep_file(task, result_file(answer.scratch, facts["file"])) for name, facts in found.items()}
    values = {
        "model_id": request["model_id"],
        "dataset_id": request["dataset_id"],
        "outputs": {
            name: {"blob": blobs[name].digest, "dtype": facts["dtype"], "shape": facts["shape"]}
            for name, facts in found.items()
        },
    }
    return Outcome(rows=[row_of(task, RecordingRow, "rec", **values)], id_name="recording_id")
