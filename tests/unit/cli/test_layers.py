"""An engine's layers, of TensorRT-RTX and of TensorRT."""

from __future__ import annotations

from typing import Any

import pytest

from trtfarm_cli.layers import emit_layers

CONV = ["/c1/Conv", "x/QuantizeLinear", "x/DequantizeLinear", "/Relu", "/Add", "/Mul"]


def test_what_a_layer_is_made_of(capsys: pytest.CaptureFixture[str]) -> None:
    fused = {"name": "c1+relu", "type": "gemm", "dtype": "int8", "inputs": ["int8"], "outputs": ["float32"]}
    timed = {"name": "pool", "type": "Pooling", "dtype": "int8", "inputs": [], "outputs": [], "tactic": "sm80_i8"}
    named: dict[str, Any] = {"name": "(Unnamed Layer* 3)", "type": "", "dtype": None, "inputs": [], "outputs": []}
    emit_layers([{**fused, "onnx_nodes": CONV}, timed, named])
    assert [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()] == [
        "layer type computes in inputs outputs from",
        "c1+relu gemm int8 int8 float32 /c1/Conv, /Relu, /Add and 1 more",
        "pool Pooling int8 - - sm80_i8",
        "(Unnamed Layer* 3) - - - - -",
    ]
