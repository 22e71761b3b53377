"""The farm's own copy of a model: the canonical encoding, under names that the farm chose.

Up to INLINE_BYTES of weights the copy is one self-contained `model.onnx`, which every toolchain reads in every way.
Beyond, protobuf's 2 GiB come near: then initializers of EXTERNAL_FROM bytes or more go to one file `model.weights`,
each at a multiple of 4096 bytes so that runtimes can map it. Small ones and tensors in attributes stay inside,
because shape inference and runtimes look at them without loading external data.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from trtfarm.models.encoding import Encoder, Pieces
from trtfarm.models.fingerprint import without_elements
from trtfarm.models.limits import MODEL_BYTES
from trtfarm.models.malformed import MalformedError
from trtfarm.models.messages import Message, Region
from trtfarm.models.schema import SCHEMAS
from trtfarm.models.weights import ModelFiles, Weight
from trtfarm.new_files import new_files

MODEL_FILE = "model.onnx"
WEIGHTS_FILE = "model.weights"
#: Bytes of weights up to which the copy is one file.
INLINE_BYTES = 1 << 30
#: Bytes of an initializer from which on it goes to the weights file, when there is one.
EXTERNAL_FROM = 1 << 10
_ALIGNMENT = 4096
_EXTERNAL = 1


def write_copy(
    model: Message, weights: Mapping[Message, Weight], digests: Mapping[Region, str], files: ModelFiles, folder: Path
) -> tuple[Path, ...]:
    """Writes the copy to `folder` and returns its files. Raises MalformedError when the source has changed by now."""
    layout = _Layout(model, weights)
    pieces = Encoder(SCHEMAS, {"TensorProto": layout.tensor}).encode(model)
    if pieces.size > MODEL_BYTES:
        raise MalformedError(
            f"it would take {pieces.size:,} bytes without its large initializers, and 2 GiB are the most"
        )
    with new_files(folder) as create:
        with create(MODEL_FILE) as file:
            _write(pieces, digests, files, file)
        if layout.outside.size:
            with create(WEIGHTS_FILE) as file:
                _write(layout.outside, digests, files, file)
    names = [MODEL_FILE, WEIGHTS_FILE] if layout.outside.size else [MODEL_FILE]
    return tuple(folder / name for name in names)


class _Layout:
    """Decides for each tensor where its elements go; `outside` gathers what goes to the weights file."""

    def __init__(self, model: Message, weights: Mapping[Message, Weight]) -> None:
        self.outside = Pieces()
        self._weights = weights
        self._movable: set[Message] = set()
        if sum(weight.size for weight in weights.values()) > INLINE_BYTES:
            for message in model.nested():
                if message.type == "GraphProto":
                    self._movable.update(message.messages("initializer"))

    def tensor(self, tensor: Message) -> Message:
        """The TensorProto of the copy."""
        weight = self._weights[tensor]
        copy = without_elements(tensor)
        if not isinstance(weight.content, Region | bytes):
            copy.fields["string_data"] = list(weight.content)
        elif tensor in self._movable and weight.size >= EXTERNAL_FROM:
            self._move(weight.content, copy)
        else:
            copy.fields["raw_data"] = [weight.content]
        return copy

    def _move(self, content: Region | bytes, copy: Message) -> None:
        self.outside.add(bytes(-self.outside.size % _ALIGNMENT))
        size = content.size if isinstance(content, Region) else len(content)
        entries = {"location": WEIGHTS_FILE, "offset": str(self.outside.size), "length": str(size)}
        copy.fields["external_data"] = [
            Message("StringStringEntryProto", {"key": [key], "value": [value]}) for key, value in entries.items()
        ]
        copy.fields["data_location"] = [_EXTERNAL]
        self.outside.add(content)


def _write(pieces: Pieces, digests: Mapping[Region, str], files: ModelFiles, file: BinaryIO) -> None:
    for part in pieces.parts:
        if isinstance(part, bytearray):
            file.write(part)
            continue
        total = hashlib.sha256()
        for chunk in files.chunks(part):
            total.update(chunk)
            file.write(chunk)
        if total.hexdigest() != digests[part]:
            raise MalformedError(
                "its weights changed after it was read", remedy="submit again when nothing writes to it"
            )
