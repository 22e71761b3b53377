from __future__ import annotations

import pytest

from trtfarm_builder.rtx.layers import layers_from_log

# As TensorRT-RTX 1.7.1.116 logs it, tensors cut down to what matters here.
_LOG = """Layers:
Name: __mye597_0_myl0_0, LayerType: shape_call, Inputs: [], Constants: [], Outputs: [], TacticName: , StreamId: 0, Metadata: 
Name: quantise, LayerType: kgen, Inputs: [ { Name: x, Dimensions: [-1,3,16,16], Strides: [768,256,16,1], StrideOrder: [3,2,1,0], Datatype: Float, Format: (Linear) Row major linear format }], Constants: [ { Name: s, Dimensions: [1], Datatype: Float, Format: (Linear) Row major linear format }], Outputs: [ { Name: q, Dimensions: [-1,4,16,16], Datatype: Int8, Format: (NHWC) Channel major format }], TacticName: __myl_MulMinMaxRounCast_0x19, StreamId: 0, Metadata: [ONNX Layer: x/Q]
Name: conv1_myl0_2, LayerType: correlation, Inputs: [ { Name: q, Dimensions: [-1,4,16,16], Datatype: Int8, Format: (NHWC) Channel major format }], Constants: [ { Name: w, Dimensions: [16,4,3,3], Datatype: Int8, Format: (NHWC) Channel major format }], Outputs: [ { Name: y, Dimensions: [-1,16,16,16], Datatype: Half, Format: (NHWC) Channel major format }], TacticName: __myelin_CASK_STUB, StreamId: 0, Metadata: [ONNX Layer: conv1][ONNX Layer: x/DQ][ONNX Layer: w/DQ]
Name: dequantise, LayerType: kgen, Inputs: [ { Name: q, Dimensions: [1], Datatype: Int8, Format: (Linear) Row major linear format }, { Name: y, Dimensions: [1], Datatype: Half, Format: (Linear) Row major linear format }], Constants: [], Outputs: [ { Name: z, Dimensions: [1], Datatype: Half, Format: (Linear) Row major linear format }], TacticName: t, StreamId: 0, Metadata: 

I/O Tensors:
 Name: x, IOMode: Input, DataType: Float, Dimensions: [-1,3,16,16], Location: Device
"""  # noqa: E501, W291 - TensorRT's lines


def test_layers_with_the_type_that_they_compute_in() -> None:
    layers = layers_from_log(_LOG)
    assert [(layer["name"], layer["type"], layer["dtype"]) for layer in layers] == [
        ("__mye597_0_myl0_0", "shape_call", None),
        ("quantise", "kgen", "float32"),
        ("conv1_myl0_2", "correlation", "int8"),
        ("dequantise", "kgen", "float16"),
    ]
    assert layers[2] == {
        "name": "conv1_myl0_2",
        "type": "correlation",
        "dtype": "int8",
        "inputs": ["int8"],
        "outputs": ["float16"],
        "onnx_nodes": ["conv1", "x/DQ", "w/DQ"],
    }


@pytest.mark.parametrize("text", ["", "Layers:\n", "Name: x, LayerType: kgen, Inputs: ["])
def test_a_log_without_layers_has_none(text: str) -> None:
    assert layers_from_log(text) == []
