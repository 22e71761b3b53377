"""Gemm as TensorRT runs it: a matrix product, then the bias. The product has a scale of its own there."""

from typing import Iterator, List, Sequence, Set

import onnx
from onnx import helper

from trtfarm_builder.tensor_names import product_name

_STANDARD = ("", "ai.onnx")
# The first opset in which a Gemm needs no bias.
_NO_BIAS_OPSET = 11
_BIAS = 2


def with_products(nodes: Sequence[onnx.NodeProto], opset: int) -> Sequence[onnx.NodeProto]:
    """The nodes with every Gemm that adds a bias split into the product, named by `product_name`, and the sum.

    One that weighs product or bias (alpha, beta) stays whole: TensorRT has yet another tensor there.
    """
    taken = {name for node in nodes for name in node.output}
    return [part for node in nodes for part in _parts(node, opset, taken)]


def _parts(node: onnx.NodeProto, opset: int, taken: Set[str]) -> Iterator[onnx.NodeProto]:
    if not _adds_bias(node) or product_name(node.output[0]) in taken:
        yield node
        return
    product = product_name(node.output[0])
    inputs: List[str] = list(node.input)
    options = {item.name: helper.get_attribute_value(item) for item in node.attribute}
    if opset < _NO_BIAS_OPSET:
        yield helper.make_node("Gemm", inputs, [product], **{**options, "beta": 0.0})
    else:
        yield helper.make_node("Gemm", inputs[:_BIAS], [product], **options)
    yield helper.make_node("Add", [product, inputs[_BIAS]], [node.output[0]], name=node.name)


def _adds_bias(node: onnx.NodeProto) -> bool:
    if node.op_type != "Gemm" or node.domain not in _STANDARD or len(node.input) <= _BIAS or not node.input[_BIAS]:
        return False
    return all(item.f == 1.0 for item in node.attribute if item.name in ("alpha", "beta"))
