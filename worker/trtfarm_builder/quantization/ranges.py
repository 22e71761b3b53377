"""The step `ranges`: the scales that an ONNX model with Q/DQ nodes holds, as a calibration table would say them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

import numpy as np
import onnx

from trtfarm_builder.channel import Channel
from trtfarm_builder.failures import BadModelError
from trtfarm_builder.onnx_files import load_model
from trtfarm_builder.quantization.constants import Array, Constants
from trtfarm_builder.quantization.graph import Graph, integer_attributes, is_standard, label
from trtfarm_builder.quantization.scales import LEVELS, hex_from_scale, is_usable

_ZERO_POINT = 2


@dataclass(frozen=True)
class Range:
    """A QuantizeLinear of a tensor computed at run time: its scale, or the reason why a table cannot hold it.

    `note` says how the scale differs from the node's own.
    """

    tensor: str
    scale: Optional[float]
    reason: Optional[str] = None
    note: Optional[str] = None


def run(args: Dict[str, Any], channel: Channel) -> Dict[str, Any]:
    """`args`: model (path). Returns scales {tensor: 8 hex digits of amax/127} in network order.

    Weights are left out. An INT8 scale with zero point 0 is taken as it is. Any other per-tensor INT8 or UINT8 range
    becomes the symmetric one that holds it, amax = max(|lowest|, |highest|), as TensorRT has no zero points; so does
    the union of two ranges of one tensor. Both are listed in widened [{tensor, note}]. What has no such form is in
    skipped [{tensor, reason}]. Raises BadModelError where there is no QuantizeLinear with a usable scale.
    """
    path = Path(args["model"])
    model = load_model(path)
    graph = Graph(model)
    found = list(activation_ranges(graph, Constants(graph, path.parent)))
    scales: Dict[str, float] = {}
    widened: List[Dict[str, str]] = []
    for item in found:
        if item.scale is None:
            continue
        before = scales.get(item.tensor, item.scale)
        scales[item.tensor] = max(before, item.scale)
        note = item.note if before == item.scale else "it is quantised twice, and the wider range is taken"
        if note is not None:
            widened.append({"tensor": item.tensor, "note": note})
    skipped = [{"tensor": item.tensor, "reason": item.reason} for item in found if item.reason is not None]
    if not scales:
        raise _no_ranges(model, skipped)
    channel.log("{} scales from Q/DQ nodes, {} skipped".format(len(scales), len(skipped)))
    table = {tensor: hex_from_scale(scale) for tensor, scale in scales.items()}
    return {"scales": table, "widened": widened, "skipped": skipped}


def activation_ranges(graph: Graph, constants: Constants) -> Iterator[Range]:
    """One Range for each QuantizeLinear of a tensor that is computed at run time, in the order of the tensors."""
    found = [
        node
        for node in graph.nodes
        if node.op_type == "QuantizeLinear" and is_standard(node) and not constants.holds(node.input[0])
    ]
    for node in sorted(found, key=lambda node: _place(graph, node.input[0])):
        yield _range(node, constants)


def _place(graph: Graph, tensor: str) -> int:
    number = graph.producer(tensor)
    return -1 if number is None else number


def _range(node: onnx.NodeProto, constants: Constants) -> Range:
    tensor = node.input[0]
    parameters = [name for name in node.input[1:] if name]
    if not all(constants.holds(name) for name in parameters):
        return Range(tensor, None, reason="its scale is computed at run time, at {}".format(label(node)))
    scales = constants.read(node.input[1]).value
    if scales.size != 1:
        return Range(tensor, None, reason="it has one scale per channel, and a table has one per tensor")
    scale = float(np.float32(scales.reshape(())))
    zero = _zero_point(node, constants)
    if zero.dtype not in (np.int8, np.uint8):
        return Range(tensor, None, reason="it is quantised to {}, not to 8 bits".format(zero.dtype))
    note = None
    if zero.dtype != np.int8 or zero != 0:
        scale = _symmetric_scale(scale, zero)
        note = "{} with zero point {} became the symmetric range that holds it".format(zero.dtype, int(zero))
    if not is_usable(scale):
        return Range(tensor, None, reason="its scale is not a positive number")
    return Range(tensor, scale, note=note)


def _zero_point(node: onnx.NodeProto, constants: Constants) -> Array:
    """The zero point, shape (); its dtype is what the tensor is quantised to."""
    if len(node.input) > _ZERO_POINT and node.input[_ZERO_POINT]:
        return constants.read(node.input[_ZERO_POINT]).value.reshape(())
    kind = integer_attributes(node).get("output_dtype", onnx.TensorProto.UINT8)
    return np.zeros((), onnx.helper.tensor_dtype_to_np_dtype(kind))


def _symmetric_scale(scale: float, zero: Array) -> float:
    limits = np.iinfo(np.int8 if zero.dtype == np.int8 else np.uint8)
    widest = max(int(zero) - limits.min, limits.max - int(zero))
    return float(np.float32(scale * widest / LEVELS))


def _no_ranges(model: onnx.ModelProto, skipped: List[Dict[str, str]]) -> BadModelError:
    op_types = {node.op_type for node in model.graph.node}
    cause = "it has no QuantizeLinear nodes"
    if skipped:
        cause = "{}: {}".format(skipped[0]["tensor"], skipped[0]["reason"])
    elif any(name.startswith("QLinear") for name in op_types):
        cause = "it is in the form with QLinear operators"
    return BadModelError(
        "the model has no quantised activations to read ranges from",
        cause=cause,
        remedy="export it with QuantizeLinear and DequantizeLinear pairs",
    )
