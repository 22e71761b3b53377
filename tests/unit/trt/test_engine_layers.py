from __future__ import annotations

from typing import Any

from trtfarm_builder.trt.engine_layers import int8_layers, layers_from_json


def _tensor(words: str) -> dict[str, Any]:
    return {"Name": "t", "Location": "Device", "Dimensions": [1, 3, 8, 8], "Format/Datatype": words}


_FLOAT = _tensor("Row major linear FP32")
_HALF = _tensor("Channel major FP16 format where channel % 8 == 0")
_INT8 = _tensor("Thirty-two wide channel vectorized row major Int8 format")


def _row(kind: str, inputs: list[Any], outputs: list[Any], tactic: str = "") -> dict[str, Any]:
    return {"Name": f"a {kind}", "LayerType": kind, "Inputs": inputs, "Outputs": outputs, "TacticName": tactic}


def test_layers_with_the_type_that_they_compute_in() -> None:
    rows = [
        _row("Reformat", [_FLOAT], [_INT8]),
        _row("CaskConvolution", [_INT8], [_INT8]),
        _row("CaskPooling", [_HALF], [_HALF]),
        _row("SoftMax", [_FLOAT], [_FLOAT]),
        _row("Myelin", [], [], "myelin_int8"),
        _row("ShapeHostToDevice", [], []),
    ]
    layers = layers_from_json({"Layers": rows})
    assert [(layer["dtype"], layer["idle"]) for layer in layers] == [
        (None, True),
        ("int8", False),
        ("float16", False),
        ("float32", False),
        ("int8", False),
        (None, True),
    ]
    assert int8_layers(layers) == 2
    assert layers[1]["inputs"] == ["int8"]


def test_an_engine_without_detail_lists_names() -> None:
    layers = layers_from_json({"Layers": ["conv", "softmax"]})
    assert [layer["name"] for layer in layers] == ["conv", "softmax"]
    assert int8_layers(layers) == 0


def test_an_engine_without_layers_has_none() -> None:
    assert layers_from_json({}) == []
