"""Observation: model and a share of the data -> statistics, of which a table is made with those of the other shares."""

from __future__ import annotations

from trtfarm.actions import REFERENCE_REVISION
from trtfarm.database.named_rows import row
from trtfarm.database.schema import DatasetRow, ModelRow, ObservationRow
from trtfarm_worker.builder.request import BuilderAnswer
from trtfarm_worker.steps.inputs import arrays, blob_file, content_of, model_file
from trtfarm_worker.steps.revisions import check_revision
from trtfarm_worker.steps.rows import keep_file, row_of
from trtfarm_worker.steps.step import Invocation, Outcome, Task
from trtfarm_worker.toolchains.registry import reference_toolchain

_WANTED = ("statistic", "batch_size", "samples")


def prepare(task: Task) -> Invocation:
    request = task.job.request
    with task.farm.database.read() as session:
        model = row(session, ModelRow, request["model_id"])
        dataset = row(session, DatasetRow, request["dataset_id"])
        bases = row(session, ObservationRow, request["bases_id"]) if request["bases_id"] else None
    return Invocation(
        toolchain=reference_toolchain(),
        step="observe",
        args={
            "model": model_file(task, model),
            "inputs": arrays(task, dataset),
            "content": content_of(model, dataset),
            **{name: request[name] for name in _WANTED},
            **({"bases": blob_file(task, bases.blob, "bases.npz")} if bases else {}),
        },
    )


def keep(task: Task, answer: BuilderAnswer) -> Outcome:
    request = task.job.request
    check_revision("the reference calibrator", answer.result["revision"], REFERENCE_REVISION)
    blob = keep_file(task, answer.file("statistics"))
    start, stop = request["samples"]
    names = ("model_id", "dataset_id", "statistic", "batch_size")
    values = {**{name: request[name] for name in names}, "start": start, "stop": stop, "blob": blob.digest}
    return Outcome(rows=[row_of(task, ObservationRow, "obs", **values)], id_name="observation_id")
