"""ONNX models on disk: the protobuf alone, external data left where it lies."""

from pathlib import Path
from typing import Iterator, List

import onnx
from google.protobuf.message import DecodeError, EncodeError
from onnx.external_data_helper import ExternalDataInfo, uses_external_data

from trtfarm_builder.failures import BadModelError

#: What to do about functions that the farm's copy still has: those for operator sets of other versions.
INLINED = "write its functions out (onnx.inliner.inline_local_functions with convert_version=True)"
_REMEDY = "export the model again, and see that onnx.checker.check_model takes it"


def load_model(path: Path) -> onnx.ModelProto:
    """The model, its external data left on disk. Raises BadModelError where onnx's checker finds a fault."""
    model = parse_model(path)
    check_model(path)
    return model


def parse_model(path: Path) -> onnx.ModelProto:
    """The model as it is in the file, unchecked. Raises BadModelError where the file is no ONNX model."""
    try:
        model = onnx.load(str(path), load_external_data=False)
    except (DecodeError, ValueError) as error:
        raise BadModelError("the file is not an ONNX model", cause=str(error), remedy=_REMEDY) from error
    if not model.graph.node:
        raise BadModelError(
            "the model has no nodes", cause="the file is empty, truncated or no ONNX model", remedy=_REMEDY
        )
    return model


def check_model(path: Path) -> None:
    """Raises BadModelError where the model, or external data beside it, breaks ONNX's rules."""
    try:
        onnx.checker.check_model(str(path))
    except onnx.checker.ValidationError as error:
        raise BadModelError("the model breaks ONNX's rules", cause=str(error), remedy=_REMEDY) from error


def external_files(model: onnx.ModelProto) -> List[str]:
    """Names of the files, beside the model, that hold its external data. Raises BadModelError on a path."""
    names = {ExternalDataInfo(tensor).location for tensor in _tensors(model.graph) if uses_external_data(tensor)}
    for name in names:
        if name in ("", ".", "..") or "/" in name or "\\" in name:
            raise BadModelError("the model's external data lies at {!r}, not beside the model".format(name))
    return sorted(names)


def save_model(model: onnx.ModelProto, path: Path) -> None:
    """Writes the model; equal models give equal bytes. Raises BadModelError where it does not fit into a file."""
    path.write_bytes(serialized(model, "the changed model is too large for one file"))


def serialized(model: onnx.ModelProto, too_large: str) -> bytes:
    """The model as a file has it; equal models give equal bytes. Raises BadModelError that says it is `too_large`."""
    try:
        content: bytes = model.SerializeToString(deterministic=True)
    except (EncodeError, ValueError) as error:
        raise BadModelError(
            too_large,
            cause="protobuf files end at 2 GiB",
            remedy="save the model with external data (onnx.save_model(..., save_as_external_data=True))",
        ) from error
    return content


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR:
                yield attribute.t
            yield from attribute.tensors
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from _tensors(attribute.g)
            for body in attribute.graphs:
                yield from _tensors(body)
