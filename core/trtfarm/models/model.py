"""A model file that was scanned and found fit; nothing in it has been executed, and `onnx` has not seen it."""

from __future__ import annotations

import mmap
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from trtfarm.errors import ModelError
from trtfarm.file_errors import remedy_for
from trtfarm.models import limits
from trtfarm.models.copy import write_copy
from trtfarm.models.decoding import Buffer, decode
from trtfarm.models.fingerprint import graph_digest_of, model_digest_of, weights_digest_of
from trtfarm.models.foreign import check_is_model
from trtfarm.models.functions import written_out
from trtfarm.models.malformed import MalformedError
from trtfarm.models.messages import Message, Region
from trtfarm.models.schema import SCHEMAS
from trtfarm.models.summary import ModelSummary, summary_of
from trtfarm.models.weights import ModelFiles, Weight, WeightReader
from trtfarm.regular_files import open_regular

#: Larger files are mapped instead of read: then a writer that truncates the file meanwhile kills this process (SIGBUS).
_READ_BYTES = 256 << 20
_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class _Content:
    """The decoded model, kept so that a copy can be written."""

    model: Message
    weights: Mapping[Message, Weight]
    digests: Mapping[Region, str]
    files: ModelFiles


@dataclass(frozen=True, kw_only=True)
class Model:
    """`name` is the file's stem; `digest` stands for structure and weights together; `files` are all it was read from.

    What the digests cover is said in `trtfarm.models.fingerprint`.
    """

    path: Path
    name: str
    summary: ModelSummary
    graph_digest: str
    weights_digest: str
    digest: str
    files: tuple[Path, ...]
    _content: _Content = field(repr=False, compare=False)

    @classmethod
    def read(cls, path: Path) -> Model:
        """Scans a model and reads all its weights once; raises ModelError for whatever is not a sound ONNX file."""
        try:
            return _read(path)
        except MalformedError as error:
            raise error.about(path) from error
        except OSError as error:
            raise ModelError(
                f"{path} cannot be read",
                cause=error.strerror,
                remedy=remedy_for(error, "name the .onnx file itself"),
            ) from error

    @property
    def notices(self) -> tuple[str, ...]:
        """What the user should know: what of the file is not in the farm's copy, and may have meant something."""
        unknown = self.summary.unknown_fields
        if not unknown:
            return ()
        more = f" and {len(unknown) - _SHOWN} more" if len(unknown) > _SHOWN else ""
        told = f"warning: {self.path} has fields that no ONNX known here has, and they are left out"
        return (f"{told}: {', '.join(unknown[:_SHOWN])}{more}",)

    def copy_to(self, folder: Path) -> tuple[Path, ...]:
        """Writes the farm's copy to `folder`: `model.onnx`, and `model.weights` when there is too much for one file.

        The bytes depend on `digest` alone. Either all files are written or none. Raises ModelError when the model has
        changed since it was read, DiskFullError, StorageError.
        """
        content = self._content
        try:
            return write_copy(content.model, content.weights, content.digests, content.files, folder)
        except MalformedError as error:
            raise error.about(self.path) from error


def _read(path: Path) -> Model:
    with open_regular(path) as file:
        before = os.fstat(file.fileno())
        data = _buffer(file, before)
        check_is_model(data)
        decoded, unknown = decode(data, SCHEMAS, "ModelProto")
        message = written_out(decoded)
        files = ModelFiles(path)
        weights = _weights(message, WeightReader(data, files))
        summary = summary_of(message, weights.values(), files.locations, unknown)
        digests: dict[Region, str] = {}
        graph_digest, weights_digest = graph_digest_of(message), weights_digest_of(weights.values(), digests, files)
        if _version(before) != _version(path.stat()):
            raise MalformedError("it was written to while it was read", remedy="try again when its writer has finished")
    return Model(
        path=path,
        name=path.stem,
        summary=summary,
        graph_digest=graph_digest,
        weights_digest=weights_digest,
        digest=model_digest_of(graph_digest, weights_digest),
        files=(path, *(path.parent / location for location in files.locations)),
        _content=_Content(model=message, weights=weights, digests=digests, files=files),
    )


def _buffer(file: BinaryIO, status: os.stat_result) -> Buffer:
    if status.st_size == 0:
        raise MalformedError("it is empty", remedy="export or download it again")
    if status.st_size > limits.MODEL_BYTES:
        raise MalformedError(
            f"it has {status.st_size:,} bytes, and protobuf allows {limits.MODEL_BYTES:,}",
            remedy="save it with external data (onnx.save with save_as_external_data)",
        )
    if status.st_size <= _READ_BYTES:
        return file.read()
    return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _weights(model: Message, reader: WeightReader) -> dict[Message, Weight]:
    tensors = [message for message in model.nested() if message.type == "TensorProto"]
    if len(tensors) > limits.TENSORS:
        raise MalformedError(f"it has {len(tensors):,} tensors, more than {limits.TENSORS:,}")
    return {tensor: reader.read(tensor) for tensor in tensors}


def _version(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
