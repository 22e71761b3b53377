"""Quantisation that a model has already."""

import onnx

from trtfarm_builder.failures import BadModelError
from trtfarm_builder.quantization.operators import QUANTIZED_OPERATORS


def check_not_quantized(model: onnx.ModelProto) -> None:
    """Raises BadModelError for a model that somebody has quantised: its tensors have scales already."""
    found = sorted({node.op_type for node in model.graph.node} & QUANTIZED_OPERATORS)
    if found:
        raise BadModelError(
            "the model is quantised already: it has {}".format(", ".join(found)),
            remedy="build it as it is, or hand in the floating-point model",
        )
