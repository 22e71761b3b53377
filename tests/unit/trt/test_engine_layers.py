from __future__ import annotations

from typing import Any

import pytest

from trtfarm_builder.trt.engine_layers import int8_layers, int8_time_share, layers_from_json, with_times


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


_UNSAID = _tensor("N/A due to dynamic shapes")


@pytest.mark.parametrize(
    ("tactic", "dtype"),
    [
        ("sm80_xmma_fprop_implicit_gemm_interleaved_i8i8_i8i32_f32_nchw_vect_c_32kcrs_vect_c_32", "int8"),
        ("sm72_xmma_pooling_IMMA_NCxHW32_generic_kernel", "int8"),
        ("ampere_int8_i8816cudnn_int8_128x128_ldg16_relu_medium_nt_v1", "int8"),
        ("sm80_xmma_fprop_implicit_gemm_indexed_wo_smem_f32f32_tf32f32_f32_nhwckrsc_nhwc_tilesize128x32x16", "float32"),
        ("sm50_xmma_pooling_max_nhwc_FP32FP32_WINDOW", "float32"),
        ("sm80_xmma_gemm_f16f16_f16f32_f32_tn_n", "float16"),
        ("sm80_xmma_gemm_bf16bf16_bf16f32_f32_tn_n", "bfloat16"),
        ("softmax_i8x4_generic", None),
        ("", None),
    ],
)
def test_where_dynamic_shapes_hide_the_type_the_kernels_name_tells(tactic: str, dtype: str | None) -> None:
    (layer,) = layers_from_json({"Layers": [_row("CaskConvolution", [_UNSAID], [_UNSAID], tactic)]})
    assert (layer["dtype"], layer["inputs"], layer["outputs"]) == (dtype, [], [])


def test_where_dynamic_shapes_hide_the_type_the_weights_tell() -> None:
    rows = [
        {**_row("CaskConvolution", [_UNSAID], [_UNSAID], tactic), "Weights": {"Type": word, "Count": 4}}
        for word, tactic in (("Int8", "some_kernel"), ("Float", "some_kernel"), ("Half", "sm80_xmma_gemm_f32f32_tn"))
    ]
    assert [layer["dtype"] for layer in layers_from_json({"Layers": rows})] == ["int8", "float32", "float16"]


def test_what_a_layer_is_said_to_read_outweighs_weights_and_kernel() -> None:
    """Weights that are only stored in INT8 do not make the product INT8."""
    row = {**_row("gemm", [_HALF], [_HALF], "sm80_xmma_gemm_i8f16_tn"), "Weights": {"Type": "Int8", "Count": 4}}
    assert layers_from_json({"Layers": [row]})[0]["dtype"] == "float16"


def test_a_layer_that_only_moves_int8_computes_nothing() -> None:
    row = _row("Reformat", [_UNSAID], [_UNSAID], "sm72_xmma_reformat_i8i8_kernel")
    assert int8_layers(layers_from_json({"Layers": [row]})) == 0


def test_an_engine_without_detail_lists_names() -> None:
    layers = layers_from_json({"Layers": ["conv", "softmax"]})
    assert [layer["name"] for layer in layers] == ["conv", "softmax"]
    assert int8_layers(layers) == 0


def test_an_engine_without_layers_has_none() -> None:
    assert layers_from_json({}) == []


def test_time_in_int8_is_a_share_of_all_that_the_profiler_tells() -> None:
    layers: list[dict[str, Any]] = [
        {"name": "conv", "dtype": "int8"},
        {"name": "copy", "dtype": None},
        {"name": "gemm", "dtype": "float32"},
    ]
    times = {"conv": 3.0, "copy": 1.0, "gemm": 2.0, "of which the inspector knows nothing": 6.0}
    assert int8_time_share(layers, times) == 0.25
    assert int8_time_share(layers, {}) is None
    assert [row["ms"] for row in with_times(layers, {"conv": 3.0})] == [3.0, None, None]
