"""The step `quantize`: an ONNX model and a table's scales become an ONNX model that TensorRT builds in INT8."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Sequence

import onnx

from trtfarm_builder.channel import Channel
from trtfarm_builder.failures import BadModelError, BadTableError, StepError
from trtfarm_builder.onnx_files import INLINED, external_files, load_model, save_model
from trtfarm_builder.quantization.constants import Constants
from trtfarm_builder.quantization.exclusions import Exclusions, exclusions_for
from trtfarm_builder.quantization.graph import Graph
from trtfarm_builder.quantization.opset import PER_CHANNEL_OPSET, opset_of, with_opset
from trtfarm_builder.quantization.placement import Plan, plan_placement
from trtfarm_builder.quantization.present import check_not_quantized
from trtfarm_builder.quantization.rewrite import insert_pairs
from trtfarm_builder.quantization.scales import read_scales

#: Of the rules by which Q/DQ nodes are placed; it stands in the key of what was made by them.
REVISION = 1
_RESULT = "quantized.onnx"
_SHOWN = 3


def run(args: Dict[str, Any], channel: Channel) -> Dict[str, Any]:
    """Writes quantized.onnx into the current folder.

    `args`: model (path), scales {tensor: 8 hex digits of amax/127}, options {exclude_nodes, exclude_op_types}.
    Returns revision (of the rules), model, external (the names of the files beside the given model that the new one
    needs beside it too), opset, quantized (node names), left [{node, op_type, reason}], and the names of
    scales that were not used (unused_scales) and of those that a node in `left` lacked (missing_scales).
    Raises BadModelError, BadTableError, BadRequestError.
    """
    original = open_original(args)
    return write_quantized(original, original.useful_plan(), channel)


@dataclass(frozen=True)
class Original:
    """A floating-point model, of an opset that has Q/DQ, with the scales to quantise it by.

    `folder` holds its external data, `exclusions` are the user's.
    """

    model: onnx.ModelProto
    folder: Path
    graph: Graph
    scales: Mapping[str, float]
    exclusions: Exclusions

    def plan(self, found: Optional[Mapping[str, str]] = None) -> Plan:
        """Where Q/DQ goes, perhaps nowhere; `found` are nodes to leave out beside the user's, with reasons."""
        constants = Constants(self.graph, self.folder)
        exclusions = replace(self.exclusions, found=found or {})
        return plan_placement(self.model, self.graph, constants, self.scales, exclusions)

    def useful_plan(self, found: Optional[Mapping[str, str]] = None) -> Plan:
        """The same plan. Raises BadModelError or BadTableError where it has no Q/DQ at all."""
        plan = self.plan(found)
        if not plan.pairs:
            raise _nothing_to_quantize(plan)
        return plan


def open_original(args: Mapping[str, Any]) -> Original:
    """The model and scales of a request. Raises BadModelError, BadTableError, BadRequestError."""
    path = Path(args["model"])
    scales = read_scales(args["scales"])
    options = args.get("options", {})
    model = load_model(path)
    check_not_quantized(model)
    exclusions = exclusions_for(model.graph.node, options.get("exclude_nodes", ()), options.get("exclude_op_types", ()))
    model = with_opset(model, PER_CHANNEL_OPSET, why="INT8")
    return Original(model=model, folder=path.parent, graph=Graph(model), scales=scales, exclusions=exclusions)


def write_quantized(original: Original, plan: Plan, channel: Channel) -> Dict[str, Any]:
    """Writes quantized.onnx and returns what `run` does; the original's model is changed by it."""
    model = original.model
    channel.log("Q/DQ for {} nodes, {} stay in floating point".format(len(plan.quantized), len(plan.left)))
    insert_pairs(model, plan)
    save_model(model, Path(_RESULT))
    external = external_files(model)
    if not external:
        # The checker would look for external data in this folder, and copies of gigabytes only for it are too much.
        onnx.checker.check_model(_RESULT)
    return {
        "revision": REVISION,
        "model": _RESULT,
        "external": external,
        "opset": opset_of(model),
        **_summary(plan, original.scales),
    }


def _nothing_to_quantize(plan: Plan) -> StepError:
    message = "no node of the model can run in INT8"
    if plan.missing:
        return BadTableError(
            message,
            cause="the table has no scale for any tensor that is needed, such as {!r}".format(plan.missing[0]),
            remedy="use a table that was calibrated on this very model",
        )
    reasons = sorted({item.reason for item in plan.left})
    cause = "; ".join(reasons[:_SHOWN]) if reasons else "it has no Conv, ConvTranspose, Gemm or MatMul"
    return BadModelError(message, cause=cause, remedy=_remedy(reasons))


def _remedy(reasons: Sequence[str]) -> str:
    whole = "build it with --precision fp16 or fp32"
    if any("the model's function" in reason for reason in reasons):
        return INLINED + ", or build it with --precision fp32"
    if any("is float16" in reason for reason in reasons):
        return "export it in float32, which --precision int8+fp16 builds with FP16 for the rest; or " + whole
    return whole


def _summary(plan: Plan, scales: Mapping[str, float]) -> Dict[str, Any]:
    used = {pair.tensor for pair in plan.pairs}
    return {
        "quantized": list(plan.quantized),
        "left": [{"node": item.node, "op_type": item.op_type, "reason": item.reason} for item in plan.left],
        "unused_scales": [tensor for tensor in scales if tensor not in used],
        "missing_scales": list(plan.missing),
    }
