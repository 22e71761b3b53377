"""Functions of a model, written out: what ONNX Runtime and ONNX's own inliner make of them, in readable names."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnx.inliner
import onnxruntime
import pytest
from onnx import helper

from tests.unit.models.samples import Array, function, model_of, nested_model, referring, saved
from trtfarm.errors import ModelError
from trtfarm.models import limits
from trtfarm.models.model import Model

node = helper.make_node


def outputs_of(model: onnx.ModelProto, x: Array) -> Array:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(["y"], {"x": x})
    assert isinstance(found, np.ndarray)
    return found


def flat_copy(model: onnx.ModelProto, folder: Path, external: str | None = None) -> tuple[Model, onnx.ModelProto]:
    read = Model.read(saved(model, folder / "given.onnx", external=external))
    (folder / "copy").mkdir()
    copy = read.copy_to(folder / "copy")[0]
    onnx.checker.check_model(str(copy), full_check=True)
    assert Model.read(copy).digest == read.digest
    return read, onnx.load(copy)


@pytest.mark.parametrize("external", [None, "weights"])
def test_what_is_written_out_computes_the_same(tmp_path: Path, external: str | None) -> None:
    given = nested_model()
    given.opset_import.append(helper.make_opsetid("own", 1))  # which ONNX Runtime asks for
    read, copy = flat_copy(given, tmp_path, external)
    assert not copy.functions
    assert [(entry.domain, entry.version) for entry in copy.opset_import] == [("", 17)]
    x = np.random.default_rng(0).standard_normal((8, 4), dtype=np.float32)
    np.testing.assert_array_equal(outputs_of(copy, x), outputs_of(given, x))
    theirs = Counter(item.op_type for item in onnx.inliner.inline_local_functions(given).graph.node)
    assert Counter(item.op_type for item in read.summary.graph_nodes) == theirs
    assert {operator.domain for operator in read.summary.operators} == {""}


def test_names_tell_where_a_tensor_stands(tmp_path: Path) -> None:
    read, copy = flat_copy(nested_model(), tmp_path)
    assert read.summary.tensors == (
        "x",
        *(f"block/{name}" for name in ("dense/xw", "dense/act/h", "dense/r", "d_2", "m", "c")),
        "first",
        *(f"block/d/{name}" for name in ("dense/xw", "dense/act/h", "dense/r", "d", "m", "c")),
        "block/d",
        "other/h",
        "act",
        "y",
    )
    names = [item.name for item in copy.graph.node if item.name]
    assert names[:4] == ["block/dense/product_2", "block/dense/act/leaky", "block/dense/act/clip", "block/dense/shift"]
    assert len(set(names)) == len(names)


def test_an_input_that_is_handed_on_becomes_a_node(tmp_path: Path) -> None:
    """Neither ONNX Runtime nor ONNX's own inliner takes such a function, which its checker allows."""
    handing = function("Both", ["a", "b"], ["b", "c", "a"], [node("Add", ["a", "b"], ["c"])])
    calls = [node("Both", ["x", "x"], ["p", "", "q"], domain="own", name="both"), node("Sub", ["p", "q"], ["y"])]
    _, copy = flat_copy(model_of(calls, weights=[], functions=[handing]), tmp_path)
    assert [(item.op_type, *item.output) for item in copy.graph.node] == [
        ("Add", "both/c"),
        ("Identity", "p"),
        ("Identity", "q"),
        ("Sub", "y"),
    ]
    assert not outputs_of(copy, np.ones((2, 4), np.float32)).any()


def test_functions_of_other_operator_sets_stay(tmp_path: Path) -> None:
    model = nested_model()
    model.opset_import.append(helper.make_opsetid("own", 1))
    model.functions[0].opset_import[0].version = 16
    _, copy = flat_copy(model, tmp_path)
    assert [item.name for item in copy.functions] == [item.name for item in model.functions]


@pytest.mark.parametrize("most", [("FUNCTION_DEPTH", 2, "nested"), ("NODES", 20, "nodes"), ("DEPTH", 7, "nested")])
def test_what_functions_make_is_limited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: tuple[str, int, str]
) -> None:
    path = saved(nested_model(), tmp_path / "m.onnx")
    name, value, says = most
    monkeypatch.setattr(limits, name, value)
    with pytest.raises(ModelError) as caught:
        Model.read(path)
    assert says in str(caught.value.cause)


@pytest.mark.parametrize("bomb", ["nodes", "nothing", "text", "numbers", "itself", "names"])
def test_functions_that_explode_are_refused_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bomb: str) -> None:
    """30 functions, of which each calls the one before ten times; a long text or list that ten of ten calls use."""
    monkeypatch.setattr(limits, "NODES", 20_000)
    text, ints = onnx.AttributeProto.STRING, onnx.AttributeProto.INTS
    long = {"text": "t" * (1 << 20), "numbers": list(range(1 << 15))}.get(bomb, 1)
    kind = {"text": text, "numbers": ints}.get(bomb, onnx.AttributeProto.INT)
    leaf = [] if bomb == "nothing" else [referring(node("Magic", ["a"], ["b"]), "long", "long", kind)]
    functions = [function("F0", ["a"], ["b"], leaf, "long")]
    levels = 3 if bomb in ("text", "numbers") else 30
    for level in range(1, levels):
        label = "n" * 5_000 if bomb == "names" else ""
        calls = [
            referring(node(f"F{level - 1}", ["a"], [f"b{i}"], domain="own", name=label), "long", "long", kind)
            for i in range(10)
        ]
        functions.append(function(f"F{level}", ["a"], ["b0"], calls, "long"))
    if bomb == "itself":
        functions[0].node.append(node("F5", ["a"], ["c"], domain="own"))
    calls = [node(f"F{levels - 1}", ["x"], [f"y{i}"], domain="own", long=long) for i in range(10)]
    path = saved(model_of(calls, weights=[], functions=functions), tmp_path / "m.onnx")
    begun = time.process_time()
    with pytest.raises(ModelError) as caught:
        Model.read(path)
    assert time.process_time() - begun < 5
    expected = {"itself": "calls itself", "text": "too many bytes", "numbers": "too many fields", "names": "longer"}
    assert expected.get(bomb, "too many nodes") in str(caught.value.cause)
