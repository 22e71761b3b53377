"""Taking models, data sets and tables into the farm: files first, then the rows that name them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from trtfarm.blobs.records import put_bytes_held, put_held, record
from trtfarm.blobs.store import Blob
from trtfarm.catalog.visibility import give, grant
from trtfarm.database.insert import conflict_insert, insert_or_get
from trtfarm.database.schema import DatasetRow, ModelNameRow, ModelRow, TableRow
from trtfarm.datasets.dataset import Array, DataSet
from trtfarm.errors import DataError
from trtfarm.farm import Farm
from trtfarm.ids import new_id
from trtfarm.models.model import Model
from trtfarm.origins import TableOrigin
from trtfarm.projects import DEFAULT_PROJECT
from trtfarm.stored_names import as_stored

if TYPE_CHECKING:
    from trtfarm.tables.table import CalibrationTable


def model_stored(farm: Farm, model: Model) -> bool:
    """Whether an equal model is in the farm already, whole."""
    return _stored_model(farm, model)[1]


def known_as(farm: Farm, model: Model) -> str | None:
    """The name under which the farm lists an equal model; None if it has none."""
    known, _ = _stored_model(farm, model)
    return known.name if known else None


def add_model(farm: Farm, model: Model, copy: Sequence[Path] = (), project: str = DEFAULT_PROJECT) -> str:
    """Stores the farm's copy of a model, unless an equal one is there whole; returns the id of its row.

    `copy` are the files that `model.copy_to` gave, where the caller has them already.
    """
    known, complete = _stored_model(farm, model)
    if known and complete:
        _name_too(farm, known, as_stored(model.name))
        give(farm.database, project, known.id)
        return known.id
    model_id = known.id if known else new_id("mod")
    with farm.scratch("model") as folder:
        files = copy or model.copy_to(folder)
        blobs = [put_held(farm.database, farm.blobs, path, model_id) for path in files]
    weights = blobs[1].digest if len(blobs) > 1 else None
    with farm.database.write() as session:
        record(session, blobs, holder=model_id)
        row, _ = insert_or_get(
            session,
            ModelRow,
            unique="digest",
            id=model_id,
            name=as_stored(model.name),
            blob=blobs[0].digest,
            weights_blob=weights,
            size=sum(blob.size for blob in blobs),
            **model_columns(model),
        )
        # Another release may have written its copy of an equal model otherwise; what is stored now is this one.
        row.blob, row.weights_blob = blobs[0].digest, weights
    _name_too(farm, row, as_stored(model.name))
    give(farm.database, project, row.id)
    return row.id


def model_columns(model: Model) -> dict[str, Any]:
    """What a model's row says of it, whatever it is called and however the farm writes its files."""
    return {
        "digest": model.digest,
        "graph_digest": model.graph_digest,
        "weights_digest": model.weights_digest,
        "inputs": [tensor.as_dict() for tensor in model.summary.inputs],
        "outputs": [tensor.as_dict() for tensor in model.summary.outputs],
        "nodes": model.summary.nodes,
    }


def _name_too(farm: Farm, known: ModelRow, name: str) -> None:
    """Lets a model be found by a name that it came under later, too."""
    if name == known.name:
        return
    with farm.database.read() as session:
        if session.get(ModelNameRow, (known.id, name)) is not None:
            return
    with farm.database.write() as session:
        row = conflict_insert(session, ModelNameRow).values(model_id=known.id, name=name)
        session.execute(row.on_conflict_do_nothing(index_elements=["model_id", "name"]))


def _stored_model(farm: Farm, model: Model) -> tuple[ModelRow | None, bool]:
    """The row of an equal model, and whether all its files are there."""
    with farm.database.read() as session:
        known = session.scalars(select(ModelRow).where(ModelRow.digest == model.digest)).one_or_none()
        blobs = [blob for blob in (known.blob, known.weights_blob) if blob] if known else []
        return known, known is not None and farm.complete(session, blobs)


def add_dataset(farm: Farm, dataset: DataSet, project: str = DEFAULT_PROJECT) -> str:
    """Stores prepared data, unless equal data are there whole; returns the id of the row."""
    known, complete = _stored_dataset(farm, dataset)
    if known and complete:
        give(farm.database, project, known.id)
        return known.id
    dataset_id = known.id if known else new_id("dat")
    arrays = {name: _keep(farm, array, dataset_id) for name, array in dataset.inputs.items()}
    labels = _keep(farm, dataset.labels, dataset_id) if dataset.labels else None
    with farm.database.write() as session:
        record(session, [blob for blob, _ in [*arrays.values(), *([labels] if labels else [])]], holder=dataset_id)
        row, _ = insert_or_get(
            session,
            DatasetRow,
            unique="digest",
            id=dataset_id,
            name=as_stored(Path(dataset.source).name),
            digest=dataset.digest,
            source=dataset.source,
            samples=dataset.samples,
            inputs={name: facts for name, (_, facts) in arrays.items()},
            labels=labels[1] if labels else None,
            spec={name: dict(steps) for name, steps in dataset.preprocessing.items()},
        )
        grant(session, project, [row.id])
        return row.id


def dataset_stored(farm: Farm, dataset: DataSet) -> bool:
    """Whether equal data are in the farm already, whole."""
    return _stored_dataset(farm, dataset)[1]


def _stored_dataset(farm: Farm, dataset: DataSet) -> tuple[DatasetRow | None, bool]:
    """The row of equal data, and whether all its files are there."""
    with farm.database.read() as session:
        known = session.scalars(select(DatasetRow).where(DatasetRow.digest == dataset.digest)).one_or_none()
        return known, known is not None and farm.complete(session, _blobs_of(known))


def add_table(farm: Farm, table: CalibrationTable, model_id: str, project: str = DEFAULT_PROJECT) -> str:
    """Stores a table that was handed in, already validated; equal scales for the same model are stored once."""
    rule = {"calibrator": table.calibrator.value if table.calibrator else None, "header": str(table.header)}
    table_id = new_id("tab")
    blob = put_bytes_held(farm.database, farm.blobs, table.render(), table_id)
    with farm.database.write() as session:
        record(session, [blob], holder=table_id)
        known = _same_table(session, model_id, blob.digest)
        grant(session, project, [known or table_id])
        if known:
            return known
        row = TableRow(
            id=table_id,
            model_id=model_id,
            calibrator=table.calibrator.value if table.calibrator else "unknown",
            rule=rule,
            before_fusion=True,
            tensorrt=str(table.version) if table.version else None,
            origin=TableOrigin.IMPORTED,
            portable=True,
            blob=blob.digest,
            scales_digest=table.scales_digest,
            scales=dict(table.scales),
            tensors=len(table.scales),
        )
        session.add(row)
        return row.id


def _same_table(session: Session, model_id: str, blob: str) -> str | None:
    return session.scalar(select(TableRow.id).where(TableRow.model_id == model_id, TableRow.blob == blob).limit(1))


def _keep(farm: Farm, array: Array, holder: str) -> tuple[Blob, dict[str, Any]]:
    blob = put_held(farm.database, farm.blobs, array.path, holder)
    if blob.digest != array.digest:
        raise DataError(f"{array.path} changed after it was read", remedy="submit again when nothing writes to it")
    constant = {} if array.constant is None else {"constant": array.constant}
    return blob, {"blob": blob.digest, "dtype": array.dtype, "shape": list(array.shape), **constant}


def _blobs_of(dataset: DatasetRow) -> list[str]:
    return [facts["blob"] for facts in [*dataset.inputs.values(), *([dataset.labels] if dataset.labels else [])]]
