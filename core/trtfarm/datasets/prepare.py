"""From what was found to what is used: every source becomes canonical `.npy` files, in one pass over its samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from trtfarm.datasets import npy
from trtfarm.datasets.dataset import Array, DataSet
from trtfarm.datasets.filenames import LABELS_FILE, file_name_of
from trtfarm.datasets.files import DataFile
from trtfarm.datasets.fit import check_batch_axes, check_counts, check_shape, check_symbols, constant_inputs
from trtfarm.datasets.images import DecodeImages, decode_request, images_of
from trtfarm.datasets.kinds import SourceKind
from trtfarm.datasets.openers import OPENERS
from trtfarm.datasets.preprocessing import Preprocessing
from trtfarm.datasets.raw import open_raw
from trtfarm.datasets.sources import InputSource, Source
from trtfarm.datasets.streams import ArrayStream
from trtfarm.datasets.values import as_labels, converter, input_dtype
from trtfarm.datasets.writing import checked, written
from trtfarm.digests import digest_of_bytes
from trtfarm.errors import DataError, UsageError
from trtfarm.models.summary import TensorType
from trtfarm.new_files import new_files

_IMAGES_ONLY = ("resize", "crop", "color", "filter", "exif_orientation")
_INT64 = np.dtype(np.int64)


def prepare(
    source: Source,
    inputs: Sequence[TensorType],
    into: Path,
    *,
    decode_images: DecodeImages | None = None,
    labels: bool = False,
    copy: bool = True,
) -> DataSet:
    """Writes one canonical `.npy` for each input to the existing folder `into`, and with `labels` those of the source.

    With `copy=False` a file that already is what would be written is checked and used where it is; nobody may change
    it while the data set is in use. Raises DataError for data that does not fit the inputs, DiskFullError,
    StorageError, and what `decode_images` raises; then nothing is left in `into`.
    """
    check_batch_axes(inputs)
    with new_files(into) as create:
        preparation = _Preparation(into, create, decode_images, copy=copy)
        arrays = {tensor.name: preparation.input(source.inputs[tensor.name], tensor) for tensor in inputs}
        label_array = preparation.labels(source) if labels else None
        check_counts(arrays, label_array)
        check_symbols(inputs, arrays)
    return DataSet(
        inputs=arrays,
        labels=label_array,
        preprocessing={
            name: steps
            for name, entry in source.inputs.items()
            if (steps := (entry.preprocessing or Preprocessing()).as_dict())
        },
        source=str(source),
        notices=(*source.notices, *constant_inputs(arrays)),
    )


class _Preparation:
    def __init__(
        self, into: Path, create: Callable[[str], BinaryIO], decode_images: DecodeImages | None, *, copy: bool
    ) -> None:
        self._into = into
        self._create = create
        self._decode_images = decode_images
        self._copy = copy

    def input(self, entry: InputSource, tensor: TensorType) -> Array:
        preprocessing = entry.preprocessing or Preprocessing()
        if entry.kind is SourceKind.IMAGES:
            return self._images(entry, tensor, preprocessing)
        if used := [step for step in _IMAGES_ONLY if step in preprocessing.as_dict()]:
            raise DataError(
                f"{', '.join(used)} is for images, and {entry.file} holds an array",
                remedy=f"leave it out of [inputs.{tensor.name}]",
            )
        with open_raw(entry.file, tensor) if entry.kind is SourceKind.RAW else _opened(entry) as found:
            whole = _with_channel_axis(found, tensor) if entry.kind is SourceKind.IDX else found
            stream = whole.part(*entry.samples) if entry.samples else whole
            original = entry.file.path if entry.kind is SourceKind.NPY and not self._copy else None
            return self._array(stream, tensor, preprocessing, original)

    def _images(self, entry: InputSource, tensor: TensorType, preprocessing: Preprocessing) -> Array:
        request = decode_request(entry, tensor)
        if self._decode_images is None:
            raise UsageError(f"{entry.file} holds images, which cannot be decoded here", remedy="hand in .npy files")
        # Pixels are uint8, and become the input's type without being asked for.
        preprocessing = replace(preprocessing, dtype=preprocessing.dtype or input_dtype(tensor).name)
        with npy.open_npy(DataFile(path=self._decode_images(request))) as stream:
            return self._array(stream, tensor, preprocessing, None)

    def _array(
        self, stream: ArrayStream, tensor: TensorType, preprocessing: Preprocessing, original: Path | None
    ) -> Array:
        check_shape(stream.name, stream.shape, tensor)
        dtype = input_dtype(tensor)
        convert = converter(stream.name, stream.dtype, stream.shape, tensor, preprocessing)
        if original and stream.is_canonical and stream.dtype == dtype and not preprocessing.computes:
            return checked(stream, convert, original)
        name = file_name_of(tensor.name)
        with self._create(name) as file:
            return written(stream, dtype, convert, self._into / name, file)

    def labels(self, source: Source) -> Array | None:
        """The source's labels, or those in its list of images, if there are any."""
        entry = source.labels
        path = self._into / LABELS_FILE
        if entry is None:
            listed = _listed_labels(source.inputs)
            if listed is None:
                return None
            values = np.array(listed, _INT64)
            data = npy.canonical_header(_INT64, values.shape) + values.astype("<i8").tobytes()
            with self._create(LABELS_FILE) as file:
                file.write(data)
            return Array(path=path, dtype=_INT64.name, shape=values.shape, digest=digest_of_bytes(data))
        if entry.kind not in OPENERS:
            raise DataError(f"{entry.file} holds no labels", remedy="hand in whole numbers as .npy, .npz or idx")
        with _opened(entry) as stream:
            if len(stream.shape) != 1:
                raise DataError(
                    f"{stream.name} has the shape {list(stream.shape)}", remedy="labels are one class number per sample"
                )
            part = stream.part(*entry.samples) if entry.samples else stream
            with self._create(LABELS_FILE) as file:
                return written(part, _INT64, as_labels, path, file)


def _opened(entry: InputSource) -> AbstractContextManager[ArrayStream]:
    return OPENERS[entry.kind](entry.file, entry.member)


def _listed_labels(inputs: Mapping[str, InputSource]) -> tuple[int, ...] | None:
    lists = (
        images_of(entry.file, entry.samples).labels for entry in inputs.values() if entry.kind is SourceKind.IMAGES
    )
    return next((labels for labels in lists if labels is not None), None)


def _with_channel_axis(stream: ArrayStream, tensor: TensorType) -> ArrayStream:
    """Idx files of gray images have no channel axis: adds it where the model has one of size 1."""
    samples, *rest = stream.shape
    dims = tensor.dims or ()
    if len(dims) != len(stream.shape) + 1 or len(rest) != 2:  # noqa: PLR2004 - height and width
        return stream
    if dims[1] == 1:
        return replace(stream, shape=(samples, 1, *rest))
    return replace(stream, shape=(samples, *rest, 1)) if dims[-1] == 1 else stream
