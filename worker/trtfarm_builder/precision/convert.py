"""The step `convert`: an ONNX model in float32, with Q/DQ nodes or without, becomes one that computes in float16.

For strongly typed networks, which run in the types that the ONNX says: TensorRT-RTX has no others.
"""

from pathlib import Path
from typing import Any, Dict

import onnx

from trtfarm_builder.channel import Channel
from trtfarm_builder.failures import BadModelError
from trtfarm_builder.onnx_files import INLINED, external_files, load_model, save_model
from trtfarm_builder.precision.decisions import decide
from trtfarm_builder.precision.halves import Halves
from trtfarm_builder.precision.operators import SCALED
from trtfarm_builder.precision.rewrite import convert_floats
from trtfarm_builder.quantization.constants import Constants
from trtfarm_builder.quantization.exclusions import exclusions_for
from trtfarm_builder.quantization.graph import Graph, label
from trtfarm_builder.quantization.opset import opset_of, with_opset

#: Of the rules by which nodes become float16; it stands in the key of what was made by them.
REVISION = 1
_RESULT = "converted.onnx"
#: The first opset whose QuantizeLinear and DequantizeLinear take float16.
_FLOAT16_PAIRS_OPSET = 19


def run(args: Dict[str, Any], channel: Channel) -> Dict[str, Any]:
    """Writes converted.onnx into the current folder; its inputs and outputs are as they were.

    A model that is in float16 already stays as it is.

    `args`: model (path), options {exclude_nodes, exclude_op_types} that stay in float32.
    Returns revision (of the rules), model, external (the names of the files beside the given model that the new one
    needs beside it too), opset, converted (names of nodes that compute in float16) and left [{node, op_type,
    reason}], which stay in float32.
    Raises BadModelError, BadRequestError.
    """
    path = Path(args["model"])
    options = args.get("options", {})
    model = load_model(path)
    exclusions = exclusions_for(model.graph.node, options.get("exclude_nodes", ()), options.get("exclude_op_types", ()))
    if any(node.op_type in SCALED for node in model.graph.node):
        model = with_opset(model, _FLOAT16_PAIRS_OPSET, why="INT8 with float16")
    graph = Graph(model)
    halves = Halves(graph, Constants(graph, path.parent))
    plan = decide(graph, halves, exclusions, opset_of(model))
    converted = [label(graph.nodes[number]) for number in plan.halves]
    if not converted and not graph.has_type(onnx.TensorProto.FLOAT16):
        raise _nothing_to_convert(model, plan.left[0].reason if plan.left else "it does not compute in float32")
    channel.log("{} nodes in float16, {} stay in float32".format(len(converted), len(plan.left)))
    convert_floats(model, plan, halves)
    save_model(model, Path(_RESULT))
    external = external_files(model)
    if not external:
        onnx.checker.check_model(_RESULT, full_check=True)
    return {
        "revision": REVISION,
        "model": _RESULT,
        "external": external,
        "opset": opset_of(model),
        "converted": converted,
        "left": [{"node": item.node, "op_type": item.op_type, "reason": item.reason} for item in plan.left],
    }


def _nothing_to_convert(model: onnx.ModelProto, reason: str) -> BadModelError:
    remedy = "build it as it is, with --precision fp32"
    return BadModelError(
        "no node of the model can compute in float16",
        cause=reason,
        remedy="{}, or {}".format(INLINED, remedy) if model.functions else remedy,
    )
