"""Whether what a submission names fits together, for those who hand in ids instead of files.

A request made of files was checked while they were read; here the rows say what was read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from trtfarm.database.named_rows import row
from trtfarm.database.schema import DatasetRow, ModelRow, TableRow
from trtfarm.datasets.dataset import Array, DataSet
from trtfarm.datasets.fit import check_batches, check_profile, check_shape, check_symbols
from trtfarm.datasets.held_out import check_apart
from trtfarm.errors import DataError, UsageError
from trtfarm.models.interface import check_interface
from trtfarm.models.shapes import OptimizationProfile
from trtfarm.models.summary import TensorType
from trtfarm.shards import check_shards
from trtfarm.submission_request import SubmissionRequest
from trtfarm.submissions.reuse import reuse_of


def tensor_types(model: ModelRow) -> tuple[TensorType, ...]:
    """The model's inputs."""
    return tuple(map(TensorType.of, model.inputs))


def data_of(dataset: DatasetRow) -> DataSet:
    """What a row tells of a data set; the files are in the store, and `path` is no more than their digest."""
    labels = dataset.labels
    return DataSet(
        inputs={name: _array(facts) for name, facts in dataset.inputs.items()},
        labels=_array(labels) if labels else None,
        preprocessing=dataset.spec or {},
        source=dataset.name,
    )


def check_fit(session: Session, request: SubmissionRequest, profile: OptimizationProfile) -> None:
    """Raises DataError, UsageError, TableError for parts that do not go together, ModelError for a model that no
    TensorRT takes, NotFoundError for rows that are gone.

    `profile` is what the request's `profiles` were made of.
    """
    model = row(session, ModelRow, request.model_id)
    inputs = tensor_types(model)
    check_interface((one["name"] for one in model.inputs), (one["name"] for one in model.outputs))
    found = {
        dataset_id: data_of(row(session, DatasetRow, dataset_id))
        for dataset_id in (request.dataset_id, request.test_dataset_id)
        if dataset_id is not None
    }
    if request.dataset_id is not None and request.test_dataset_id is not None:
        check_apart(found[request.dataset_id], found[request.test_dataset_id])
    for dataset_id, data in found.items():
        _check_data(data, inputs)
        check_profile(data, profile)
        if dataset_id == request.dataset_id and request.rule is not None:
            check_batches(data, inputs, request.rule.batch_size)
        if dataset_id == request.dataset_id and request.rules:
            check_shards(request.shards, data.samples, request.rules[0].batch_size)
    if request.table_id is not None:
        _check_table(row(session, TableRow, request.table_id), model, request)


def _check_data(data: DataSet, inputs: tuple[TensorType, ...]) -> None:
    named = [tensor.name for tensor in inputs]
    if list(data.inputs) != named:
        raise DataError(
            f"data set {data.source} is for the inputs {', '.join(data.inputs)}, and the model has {', '.join(named)}",
            remedy="prepare the data for this model, its inputs in the model's order",
        )
    for tensor in inputs:
        array = data.inputs[tensor.name]
        if array.dtype != tensor.dtype:
            raise DataError(
                f"data set {data.source} has {array.dtype} for the model's input {tensor}",
                remedy=f"save it as {tensor.dtype}",
            )
        check_shape(data.source, array.shape, tensor)
    check_symbols(inputs, data.inputs)


def _check_table(table: TableRow, model: ModelRow, request: SubmissionRequest) -> None:
    if table.model_id != model.id:
        raise UsageError(
            f"table {table.id} is another model's", remedy="hand its text in for this model, too, if it fits both"
        )
    for target in filter(request.implicit, request.targets):
        reuse_of(table, target, restamp=request.restamp)


def _array(facts: dict[str, Any]) -> Array:
    return Array(path=Path(facts["blob"]), dtype=facts["dtype"], shape=tuple(facts["shape"]), digest=facts["blob"])
