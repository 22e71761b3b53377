"""Models that come with Q/DQ nodes: these hold the scales, so they are built as they are and nothing is calibrated."""

from __future__ import annotations

from dataclasses import replace

from trtfarm.errors import ModelError, UsageError
from trtfarm.models.model import Model
from trtfarm.models.summary import STANDARD_DOMAINS
from trtfarm.precisions import PRECISIONS
from trtfarm_worker.data_reader import Tell
from trtfarm_worker.option_checks import check_for_quantized_model
from trtfarm_worker.order import Order

_PAIRS = frozenset({"QuantizeLinear", "DequantizeLinear"})
#: The other way to write a quantised model; there is nothing left in it to quantise.
_INTEGER = frozenset({"QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger", "DynamicQuantizeLinear"})
#: Precisions that a model may be built in without Q/DQ nodes, and that those rule out.
_FLOAT = frozenset({"fp32", "fp16", "bf16"})


def as_handed_in(order: Order, model: Model, tell: Tell) -> Order:
    """The order as it is for this model: one with Q/DQ nodes is built by them, whatever the target, and that is told.

    Raises UsageError for options that would have no use then, ModelError where INT8 is not said by Q/DQ nodes.
    """
    operators = {found.name for found in model.summary.operators if found.domain in STANDARD_DOMAINS}
    quantized = PRECISIONS[order.precision].quantized
    if quantized and (integer := sorted(operators & _INTEGER)):
        raise ModelError(
            f"{model.path} is quantised already, and not by Q/DQ nodes: it has {', '.join(integer)}",
            remedy="export it with QuantizeLinear and DequantizeLinear, or hand in the floating-point model",
        )
    if not operators & _PAIRS:
        return order
    if order.precision in _FLOAT:
        raise UsageError(
            f"{order.precision} cannot be built of a model with Q/DQ nodes",
            cause="what is between them is computed in INT8",
            remedy="ask for int8, or int8+fp16, or hand in the model from before quantisation",
        )
    if not quantized:
        return replace(order, prequantized=True)
    check_for_quantized_model(order)
    tell("the model has Q/DQ nodes: it is built by them as it is, and nothing is calibrated")
    return replace(order, explicit=True, prequantized=True)
