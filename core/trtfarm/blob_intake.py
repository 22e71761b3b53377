"""Taking models, data sets and tables out of blobs that were uploaded. What a client says of them is not relied on.

They go through the very functions that take files in on this machine, so that keys are the same either way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from trtfarm.catalog.lookup import find_one
from trtfarm.database.schema import ModelRow
from trtfarm.datasets.dataset import Array, DataSet
from trtfarm.datasets.files import DataFile, Reader
from trtfarm.datasets.fit import check_counts
from trtfarm.datasets.npy import stream_of
from trtfarm.datasets.spec import checked_preprocessing
from trtfarm.datasets.streams import Samples
from trtfarm.datasets.values import as_labels, finite
from trtfarm.datasets.writing import checked
from trtfarm.errors import DataError, ModelError, UsageError
from trtfarm.farm import Farm
from trtfarm.intake import add_dataset, add_model, add_table
from trtfarm.models.copy import MODEL_FILE, WEIGHTS_FILE
from trtfarm.models.model import Model
from trtfarm.projects import DEFAULT_PROJECT
from trtfarm.regular_files import relative_steps
from trtfarm.tables.validation import load

_LABELS = "labels"
#: Of one folder or file that a model names, which a temporary name is made of, and of folders in folders.
_NAME_BYTES = 200
_DEPTH = 20
#: A table is a few hundred KiB; more is none.
_TABLE_BYTES = 16 << 20


def add_model_of_blobs(
    farm: Farm, name: str, model: str, weights: Mapping[str, str], project: str = DEFAULT_PROJECT
) -> str:
    """The id of the model in the blob `model`; `weights` are the digests of the files it names beside itself.

    Raises ModelError, UsageError for locations that no file may have, MissingBlobError.
    """
    with farm.scratch("handed") as folder:
        for location, digest in weights.items():
            _write(farm, digest, folder, location)
        path = farm.blobs.materialize(model, folder / MODEL_FILE)
        try:
            read = Model.read(path)
        except ModelError as error:  # it names a file that the client has never heard of
            message = error.message.replace(str(path), name)
            raise ModelError(message, cause=error.cause, remedy=error.remedy) from error
        # The name is a word to find it by, and never one of a file here.
        return add_model(farm, replace(read, name=name), project=project)


def add_dataset_of_blobs(
    farm: Farm,
    *,
    inputs: Mapping[str, str],
    labels: str | None,
    preprocessing: Mapping[str, Mapping[str, Any]],
    source: str,
    project: str = DEFAULT_PROJECT,
) -> str:
    """The id of the data set whose prepared arrays (canonical `.npy`) are in these blobs, by the model's inputs.

    Every value is looked at. Raises DataError, MissingBlobError.
    """
    if not inputs:
        raise DataError("a data set needs an array for each input", remedy="name their digests in inputs")
    steps = {name: checked_preprocessing(name, given) for name, given in preprocessing.items()}
    if strangers := sorted(set(steps) - set(inputs)):
        raise DataError(f"preprocessing of {', '.join(strangers)}, which is no input", remedy="leave it out")
    with farm.scratch("handed") as folder:
        arrays = {
            name: _array(farm, digest, folder / f"{number}.npy", f"the array of {name}", finite)
            for number, (name, digest) in enumerate(inputs.items())
        }
        label_array = _label_array(farm, labels, folder) if labels else None
        check_counts(arrays, label_array)
        used = {name: of_input for name in inputs if (of_input := steps.get(name))}
        data = DataSet(inputs=arrays, labels=label_array, preprocessing=used, source=source)
        return add_dataset(farm, data, project)


def add_table_of_blob(
    farm: Farm, digest: str, model: str, project: str = DEFAULT_PROJECT, *, seen_by: str | None = None
) -> str:
    """The id of the table in a blob, which belongs to the model whose id, digest or start of one is given.

    Raises TableError, NotFoundError, MissingBlobError.
    """
    size = farm.blobs.size(digest)
    if size is not None and size > _TABLE_BYTES:
        raise UsageError(f"{size:,} bytes are no calibration table", remedy="upload the file that TensorRT wrote")
    with farm.database.read() as session:
        row = find_one(session, ModelRow, model, seen_by)
    table = load(farm.blobs.read(digest), name=digest, tensors=tensors_of(farm, row))
    return add_table(farm, table, row.id, project)


def tensors_of(farm: Farm, row: ModelRow) -> tuple[str, ...]:
    """The names that a calibration table of a stored model may hold. Its file is scanned, and its weights are read."""
    return stored_model(farm, row.blob, row.weights_blob).summary.tensors


def stored_model(farm: Farm, blob: str, weights_blob: str | None) -> Model:
    """What the farm's files of a model hold, by their digests. Raises ModelError, MissingBlobError."""
    with farm.scratch("model") as folder:
        path = farm.blobs.materialize(blob, folder / MODEL_FILE)
        if weights_blob:
            farm.blobs.materialize(weights_blob, folder / WEIGHTS_FILE)
        return Model.read(path)


def _write(farm: Farm, digest: str, folder: Path, location: str) -> None:
    """A blob as a file at the location that a model names. Raises UsageError for one that leads out of the folder."""
    try:
        steps = relative_steps(location)
        if any(len(step.encode()) > _NAME_BYTES for step in steps) or len(steps) > _DEPTH:
            raise ValueError("is longer than names of files may be")
        path = folder.joinpath(*steps)
        path.parent.mkdir(parents=True, exist_ok=True)
        farm.blobs.materialize(digest, path)
    except (ValueError, OSError) as error:
        raise UsageError(
            f"{location[:80]!r} cannot be the place of a file", cause=str(error), remedy="name it as the model does"
        ) from error


def _array(farm: Farm, digest: str, path: Path, name: str, convert: Callable[[Samples], Samples]) -> Array:
    """The array in a blob, which has to be what the farm itself would write: keys are made of its bytes."""
    farm.blobs.materialize(digest, path)
    with DataFile(path=path).open() as raw:
        stream = stream_of(Reader(name, raw))
        if not stream.is_canonical:
            raise DataError(
                f"{name} is not prepared as the farm does it",
                cause="its header, order or byte order is another",
                remedy="write it with numpy.save, in C order and little-endian",
            )
        return checked(stream, convert, path)


def _label_array(farm: Farm, digest: str, folder: Path) -> Array:
    labels = _array(farm, digest, folder / f"{_LABELS}.npy", "the array of labels", as_labels)
    if labels.dtype != "int64" or len(labels.shape) != 1:
        raise DataError(
            f"the labels are {labels.dtype} of shape {list(labels.shape)}",
            remedy="labels are one int64 for each sample",
        )
    return labels
