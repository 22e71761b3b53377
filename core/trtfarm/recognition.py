"""Data that the farm holds already, known by its files' digests: nothing of it is checked or converted again.

An array's digest is that of its canonical `.npy` file. So a file with that digest is that array, whose values were
checked when it was stored; only whether it fits another model, which its type and shape tell, is left to be seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from sqlalchemy import select

from trtfarm.database.schema import BlobRow, DatasetRow
from trtfarm.datasets.dataset import Array, DataSet, digest_of_data
from trtfarm.datasets.files import DataFile
from trtfarm.datasets.fit import check_shape, check_symbols, constant_inputs
from trtfarm.datasets.kinds import SourceKind
from trtfarm.datasets.sources import InputSource, Source
from trtfarm.farm import Farm
from trtfarm.models.summary import TensorType


@dataclass(frozen=True, kw_only=True)
class PlainFiles:
    """The `.npy` files of a source that is stored as it is, by input."""

    inputs: Mapping[str, DataFile]
    labels: DataFile | None

    @property
    def all(self) -> list[DataFile]:
        return [*self.inputs.values(), *([self.labels] if self.labels else [])]

    def digest(self) -> str:
        """That of the data set which they are; every file is read."""
        inputs = {name: file.digest() for name, file in self.inputs.items()}
        return digest_of_data(inputs, self.labels.digest() if self.labels else None, {})


class StoredData(Protocol):
    """What is known of a data set that is there whole: arrays as {blob, dtype, shape}."""

    @property
    def inputs(self) -> Mapping[str, Mapping[str, Any]]: ...

    @property
    def labels(self) -> Mapping[str, Any] | None: ...


#: Looks for the data set which some files are.
FindData = Callable[[PlainFiles], StoredData | None]


def recognised(farm: Farm, source: Source, inputs: Sequence[TensorType], *, labels: bool) -> DataSet | None:
    """The data set that `prepare` would make of a source, if the farm holds it whole, without NumPy; else None.

    Its arrays are the source's files: nobody may change them while it is in use. Raises DataError when they do not fit
    the inputs or cannot be read.
    """
    return recognised_by(partial(_row_of, farm), source, inputs, labels=labels)


def recognised_by(find: FindData, source: Source, inputs: Sequence[TensorType], *, labels: bool) -> DataSet | None:
    """The same with other ways to find what is stored."""
    files = _plain_files(source, inputs, labels=labels)
    row = find(files) if files else None
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
        notices=(*source.notices, *constant_inputs(arrays)),
    )


def _plain_files(source: Source, inputs: Sequence[TensorType], *, labels: bool) -> PlainFiles | None:
    label_source = source.labels if labels else None
    sources = {tensor.name: source.inputs[tensor.name] for tensor in inputs}
    if not all(_is_plain(entry) for entry in (*sources.values(), *([label_source] if label_source else []))):
        return None
    files = {name: entry.file for name, entry in sources.items()}
    return PlainFiles(inputs=files, labels=label_source.file if label_source else None)


def _is_plain(entry: InputSource) -> bool:
    as_it_is = entry.samples is None and not (entry.preprocessing and entry.preprocessing.as_dict())
    return entry.kind is SourceKind.NPY and as_it_is


def _row_of(farm: Farm, files: PlainFiles) -> DatasetRow | None:
    """The row of the data set that the files are, if all of it is stored."""
    sizes = {file.size() for file in files.all}
    with farm.database.read() as session:
        # Large data that is new need not be read an extra time to know that it is.
        if set(session.scalars(select(BlobRow.size).where(BlobRow.size.in_(sizes)))) != sizes:
            return None
    digest = files.digest()
    with farm.database.read() as session:
        row = session.scalars(select(DatasetRow).where(DatasetRow.digest == digest)).one_or_none()
        blobs = [facts["blob"] for facts in _facts(row)] if row is not None else []
        return row if row is not None and farm.complete(session, blobs) else None


def _facts(row: DatasetRow) -> list[Mapping[str, Any]]:
    return [*row.inputs.values(), *([row.labels] if row.labels else [])]


def _array(file: DataFile, facts: Mapping[str, Any]) -> Array:
    return Array(
        path=file.path,
        dtype=facts["dtype"],
        shape=tuple(facts["shape"]),
        digest=facts["blob"],
        constant=facts.get("constant"),
    )
