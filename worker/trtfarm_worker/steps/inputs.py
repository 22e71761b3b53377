"""Fetching what a step reads out of the blob store, under the farm's own names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from trtfarm.database.named_rows import Row, row
from trtfarm.database.schema import DatasetRow, ModelRow, QuantizationRow
from trtfarm_worker.steps.step import Task


def known_row(task: Task, kind: type[Row], row_id: str) -> Row:
    """A row that is never changed, as `row` finds it, and read once for jobs that were claimed together."""
    known = task.shared.rows
    if (kind, row_id) not in known:
        with task.farm.database.read() as session:
            known[kind, row_id] = row(session, kind, row_id)
    return cast(Row, known[kind, row_id])


def model_file(task: Task, model: ModelRow) -> str:
    """The model as a file; weights kept beside it come along under the name that the model's file gives them."""
    path = blob_file(task, model.blob, "model.onnx")
    if model.weights_blob:
        blob_file(task, model.weights_blob, "model.weights")
    return path


def onnx_file(task: Task, model: ModelRow, rewritten: QuantizationRow | None) -> str:
    """The model, or what was made of it; weights beside it come along either way, for they may have stayed there."""
    original = model_file(task, model)
    return original if rewritten is None else blob_file(task, rewritten.blob, "rewritten.onnx")


def blob_file(task: Task, digest: str, name: str) -> str:
    path = task.inputs / name
    task.shared.fetch(task.farm.blobs, digest, path)
    return str(path)


def arrays(task: Task, dataset: DatasetRow) -> dict[str, dict[str, Any]]:
    """The data set's inputs as array specs: input name -> path, dtype, shape."""
    return {
        name: array(task, facts, f"input{position}.npy")
        for position, (name, facts) in enumerate(dataset.inputs.items())
    }


def content_of(model: ModelRow, dataset: DatasetRow) -> dict[str, str]:
    """What model and data are called in statistics, so that those of others are never taken for them."""
    return {"model": model.digest, "dataset": dataset.digest}


def array(task: Task, facts: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {"path": blob_file(task, facts["blob"], name), "dtype": facts["dtype"], "shape": list(facts["shape"])}
