"""Switches: all off is the model, all on is its quantised form, and one on is one pair."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from tests.unit.onnx_models import make_model, minmax_table, node, random_feeds, run, silent_channel, weights
from trtfarm_builder.quantization.graph import Edge
from trtfarm_builder.quantization.quantize import Original, open_original, write_quantized
from trtfarm_builder.sensitivity.switches import SwitchedModel, with_switches
from trtfarm_builder.sessions import open_session, run_session

Outputs = Callable[[frozenset[Edge]], Mapping[str, NDArray[Any]]]


def mixed() -> onnx.ModelProto:
    """A convolution, a product with transposed weights (folded by the quantizer), and one of two run-time operands."""
    nodes = [
        node("Conv", ["x", "kernels"], "c"),
        node("Reshape", ["c", "sizes"], "flat"),
        node("Transpose", ["matrix"], "turned", perm=[1, 0]),
        node("MatMul", ["flat", "turned"], "m"),
        node("Transpose", ["m"], "mt", perm=[1, 0]),
        node("MatMul", ["m", "mt"], "y"),
    ]
    constants: dict[str, NDArray[Any]] = {
        "kernels": weights(1, 4, 3, 1, 1),
        "sizes": np.array([-1, 36], np.int64),
        "matrix": weights(2, 5, 36),
    }
    return make_model(nodes, {"x": ["N", 3, 3, 3]}, ["y"], constants, opset=13)


@pytest.fixture
def original(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Original:
    monkeypatch.chdir(tmp_path)
    model = mixed()
    onnx.save(model, tmp_path / "model.onnx")
    table = minmax_table(model, random_feeds(model))
    return open_original({"model": str(tmp_path / "model.onnx"), "scales": table})


@pytest.fixture
def switched(original: Original) -> SwitchedModel:
    return with_switches(original.model, original.useful_plan())


@pytest.fixture
def outputs(switched: SwitchedModel, tmp_path: Path) -> Outputs:
    """The outputs with some pairs on."""
    session, feeds = open_session(switched.content, tmp_path), random_feeds(mixed())

    def run_with(on: frozenset[Edge]) -> Mapping[str, NDArray[Any]]:
        positions = {switch: np.array(edge in on) for edge, switch in switched.switches.items()}
        return run_session(session, ["y"], {**feeds, **positions})

    return run_with


def test_all_off_is_the_model(outputs: Outputs) -> None:
    assert np.array_equal(outputs(frozenset())["y"], run(mixed(), random_feeds(mixed()))["y"])


def test_all_on_is_what_the_quantizer_writes(original: Original, switched: SwitchedModel, outputs: Outputs) -> None:
    got = outputs(frozenset(switched.switches))["y"]
    with silent_channel() as channel:
        write_quantized(original, original.useful_plan(), channel)
    written = run(Path("quantized.onnx").resolve(), random_feeds(mixed()))["y"]
    assert np.array_equal(got, written)
    assert not np.array_equal(got, outputs(frozenset())["y"])


def test_each_switch_changes_something(switched: SwitchedModel, outputs: Outputs) -> None:
    plain = outputs(frozenset())["y"]
    assert len(switched.switches) == 6
    for edge in switched.switches:
        assert not np.array_equal(outputs(frozenset({edge}))["y"], plain), edge


def test_the_model_itself_stays_as_it_is(original: Original) -> None:
    before = original.model.SerializeToString(deterministic=True)
    with_switches(original.model, original.useful_plan())
    assert original.model.SerializeToString(deterministic=True) == before
