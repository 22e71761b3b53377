"""What differs between two engines."""

from __future__ import annotations

from typing import Any

import pytest

from trtfarm.catalog.differences import ComputedOtherwise, engine_differences
from trtfarm_cli.engine_differences import show_differences


def layer(name: str, dtype: str | None, ms: float | None = None, nodes: tuple[str, ...] = (), **more: Any) -> Any:
    return {"name": name, "type": "", "dtype": dtype, "ms": ms, "onnx_nodes": list(nodes), **more}


def engine(**changes: Any) -> dict[str, Any]:
    """An INT8 engine that was built on a GPU."""
    top = {"top1": 0.98, "top5": 1.0}
    layers = [
        layer("conv+relu", "int8", 0.25),
        layer("gemm", "int8", 0.5),
        layer("reformat", "int8", 0.125, idle=True),
        layer("softmax", "float32", 0.0625),
        layer("shapes", None),
    ]
    facts = {
        "id": "eng_a",
        "digest": "sha256:a",
        "model": "lenet",
        "precision": "int8",
        "calibrator": "minmax",
        "compute_capability": "sm_90",
        "tensorrt": "8.5.3.1",
        "size": 2048,
        "int8_layers": 2,
        "options": {"workspace_bytes": 1 << 30},
        "profiles": {"data": {"min": [1, 1], "opt": [8, 1], "max": [64, 1]}},
        "io": [{"name": "data", "mode": "input", "dtype": "float32", "shape": [-1, 1]}],
        "metrics": {"samples": 50, "simulated": False, "classification": {"candidate": top}, "outputs": {}},
        "left_in_float": [],
        "layers": layers,
    }
    return {**facts, **changes}


def test_only_what_differs_is_told() -> None:
    found = engine_differences(engine(), engine(id="eng_b"))
    assert (found.engines, found.same_plan) == (("eng_a", "eng_b"), True)
    assert not any((found.facts, found.options, found.profiles, found.io, found.accuracy))
    assert (found.computed_otherwise, found.left_in_float) == ((), ((), ()))
    assert found.layers == {"int8": (3, 3), "float32": (1, 1)}
    assert found.milliseconds == {"int8": (0.875, 0.875), "float32": (0.0625, 0.0625)}


def test_an_engine_with_a_node_left_out_beside_one_built_ahead_of_time(capsys: pytest.CaptureFixture[str]) -> None:
    """Nodes where they are told, else layers; a node of two layers computes in both of their types."""
    pairs = ("gemm/QuantizeLinear", "gemm/DequantizeLinear")
    other = engine(
        id="eng_b",
        digest="sha256:b",
        precision="int8+fp16",
        gpu=None,
        size=4096,
        options={},
        profiles={"data": {"min": [1, 1], "opt": [1, 1], "max": [1, 1]}},
        metrics={"samples": 50, "simulated": True, "classification": None, "outputs": {"prob": {"cosine_mean": 0.5}}},
        left_in_float=[{"node": "gemm", "op_type": "Gemm", "reason": "excluded"}],
        layers=[
            layer("k1", "int8", None, ("conv+relu",)),
            layer("k2", "float16", None, ("gemm", *pairs)),
            layer("k3", "float16", None, ("softmax",)),
            layer("k4", "float32", None, ("softmax",)),
        ],
    )
    found = engine_differences(engine(gpu="H200"), other)
    assert not found.same_plan
    assert found.facts == {"precision": ("int8", "int8+fp16"), "gpu": ("H200", None), "size": (2048, 4096)}
    assert found.options == {"workspace_bytes": (1 << 30, None)}
    assert found.profiles.keys() == {"data"}
    assert found.accuracy["prob cosine_mean"] == (None, 0.5)
    assert found.accuracy["top1"] == (0.98, None)
    assert "samples" not in found.accuracy
    assert found.layers == {"int8": (3, 1), "float32": (1, 1), "float16": (None, 2)}
    assert found.milliseconds == {"int8": (0.875, None), "float32": (0.0625, None)}
    assert found.computed_otherwise == (
        ComputedOtherwise(name="gemm", left="int8", right="float16"),
        ComputedOtherwise(name="softmax", left="float32", right="float16+float32"),
    )
    assert found.left_in_float == ((), ("gemm",))
    show_differences(found)
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert {"size 2.0 KiB 4.0 KiB", "gpu H200 -", "int8 3 layers, 0.875 ms 1 layer", "gemm int8 float16"} <= {*lines}
    assert "left in floating point only in the second: gemm" in lines


def test_an_engine_that_was_not_measured() -> None:
    found = engine_differences(engine(metrics=None), engine(metrics=None))
    assert found.accuracy == {}
