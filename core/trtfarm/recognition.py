"""Data that the farm holds already, known by its files' digests: nothing of it is checked or converted again.

An array's digest is that of its canonical `.npy` file. So a file with that digest is that array, whose values were
checked when it was stored; only whether it fits another model, which its type and shape tell, is left to be seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from trtfarm.database.schema import BlobRow, DatasetRow
from trtfarm.datasets.dataset import Array, DataSet, digest_of_data
from trtfarm.datasets.files import DataFile
from trtfarm.datasets.fit import check_shape, check_symbols
from trtfarm.datasets.kinds import SourceKind
from trtfarm.datasets.sources import InputSource, Source
from trtfarm.farm import Farm
from trtfarm.models.summary import TensorType


def recognised(farm: Farm, source: Source, inputs: Sequence[TensorType], *, labels: bool) -> DataSet | None:
    """The data set that `prepare` would make of a source, if the farm holds it whole, without NumPy; else None.

    Its arrays are the source's files: nobody may change them while it is in use. Raises DataError when they do not fit
    the inputs or cannot be read.
    """
    files = _plain_files(source, inputs, labels=labels)
    row = _row_of(farm, files) if files else None
    if files is None or row is None:
        return None
    arrays = {name: _array(file, row.inputs[name]) for name, file in files.inputs.items()}
    if any(arrays[tensor.name].dtype != tensor.dtype for tensor in inputs):
        return None  # `prepare` knows what to say
    for tensor in inputs:
        check_shape(str(files.inputs[tensor.name]), arrays[tensor.name].shape, tensor)
    check_symbols(inputs, arrays)
    return DataSet(
        inputs=arrays,
        labels=_array(files.labels, row.labels) if files.labels and row.labels else None,
        preprocessing={},
        source=str(source),
        notices=source.notices,
    )


@dataclass(frozen=True, kw_only=True)
class _Files:
    inputs: Mapping[str, DataFile]
    labels: DataFile | None


def _plain_files(source: Source, inputs: Sequence[TensorType], *, labels: bool) -> _Files | None:
    """The files of a source that is stored as it is, if it consists of such."""
    label_source = source.labels if labels else None
    sources = {tensor.name: source.inputs[tensor.name] for tensor in inputs}
    if not all(_is_plain(entry) for entry in (*sources.values(), *([label_source] if label_source else []))):
        return None
    files = {name: entry.file for name, entry in sources.items()}
    return _Files(inputs=files, labels=label_source.file if label_source else None)


def _is_plain(entry: InputSource) -> bool:
    return entry.kind is SourceKind.NPY and not (entry.preprocessing and entry.preprocessing.as_dict())


def _row_of(farm: Farm, files: _Files) -> DatasetRow | None:
    """The row of the data set that the files are, if all of it is stored."""
    all_files = [*files.inputs.values(), *([files.labels] if files.labels else [])]
    sizes = {file.size() for file in all_files}
    with farm.database.read() as session:
        # Large data that is new need not be read an extra time to know that it is.
        if set(session.scalars(select(BlobRow.size).where(BlobRow.size.in_(sizes)))) != sizes:
            return None
    inputs = {name: file.digest() for name, file in files.inputs.items()}
    labels = files.labels.digest() if files.labels else None
    with farm.database.read() as session:
        wanted = select(DatasetRow).where(DatasetRow.digest == digest_of_data(inputs, labels, {}))
        row = session.scalars(wanted).one_or_none()
        blobs = [*inputs.values(), *([labels] if labels else [])]
        return row if row is not None and farm.complete(session, blobs) else None


def _array(file: DataFile, facts: Mapping[str, Any]) -> Array:
    return Array(path=file.path, dtype=facts["dtype"], shape=tuple(facts["shape"]), digest=facts["blob"])
