"""The step on real models and TensorRT's own tables, and on requests that make no sense."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from tests.unit.onnx_models import make_model, node, pairs_in, random_feeds, read_table, run, weights
from tests.unit.quantization.checks import check_close, table_of
from tests.unit.rewrites import Rewrite
from trtfarm_builder.failures import BadModelError, BadRequestError, BadTableError, StepError

TABLES = ["minmax-bs50", "entropy2-bs50", "entropy2-bs500", "entropy-bs50", "legacy-bs50"]


@pytest.mark.parametrize("table", TABLES)
def test_lenet_keeps_its_accuracy_with_tables_of_tensorrt(quantized: Rewrite, golden: Path, table: str) -> None:
    test = np.load(golden / "lenet" / "test.npz")
    feeds = {"data": test["data"][:992].astype(np.float32) / 255}
    labels = test["label"][:992]
    result = quantized(golden / "lenet" / "model.onnx", read_table(golden / "lenet" / f"{table}.table"))
    correct = {
        path: np.mean(run(path, feeds)["prob"].argmax(axis=1) == labels)
        for path in (golden / "lenet" / "model.onnx", result.path)
    }
    assert correct[result.path] >= correct[golden / "lenet" / "model.onnx"] - 0.01
    assert result.result["quantized"] == ["/c1/Conv", "/c2/Conv", "/f1/Gemm", "/f2/Gemm"]
    assert result.result["left"] == []
    assert "(Unnamed Layer* 12) [Constant]_output" in result.result["unused_scales"]


@pytest.mark.parametrize(("table", "least"), [("minmax-bs50", 0.995), ("entropy2-bs50", 0.97)])
def test_the_zoo_stays_close_to_itself(quantized: Rewrite, golden: Path, table: str, least: float) -> None:
    model = golden / "zoo" / "model.onnx"
    result = quantized(model, read_table(golden / "zoo" / f"{table}.table"))
    feeds = {"x": np.load(golden / "zoo" / "test.npy")}
    expected, got = run(model, feeds), run(result.path, feeds)
    for name in ("prob", "feat"):
        y, z = expected[name].reshape(56, -1), got[name].reshape(56, -1)
        cosine = (y * z).sum(axis=1) / np.linalg.norm(y, axis=1) / np.linalg.norm(z, axis=1)
        assert cosine.min() > least, name
    # TensorRT's parser gives softmax outputs a name of its own, so its tables have no scale under ONNX's.
    assert result.result["missing_scales"] == ["/Softmax_output_0"]
    assert set(result.reasons) == {"/MatMul_1"}


def test_equal_requests_give_equal_bytes(quantized: Rewrite, golden: Path) -> None:
    table = read_table(golden / "zoo" / "minmax-bs50.table")
    first = quantized(golden / "zoo" / "model.onnx", table).path.read_bytes()
    backwards = dict(reversed(table.items()))
    assert quantized(golden / "zoo" / "model.onnx", backwards).path.read_bytes() == first


@pytest.mark.parametrize("opset", [9, 11, 12])
def test_older_opsets_are_converted(quantized: Rewrite, opset: int) -> None:
    nodes = [
        node("Conv", ["x", "w1"], "a"),
        node("Unsqueeze", ["a"], "b", axes=[1]),
        node("Squeeze", ["b"], "c", axes=[1]),
        node("Conv", ["c", "w2"], "y"),
    ]
    model = make_model(
        nodes, {"x": ["N", 4, 8, 8]}, ["y"], {"w1": weights(1, 8, 4, 3, 3), "w2": weights(2, 4, 8, 3, 3)}, opset=opset
    )
    result = quantized(model, table_of(model))
    assert result.result["opset"] == 13
    assert pairs_in(result.model)["y_node", 1].axis == 0
    check_close(model, result)


def test_a_model_that_cannot_be_converted_is_refused(quantized: Rewrite) -> None:
    body = helper.make_graph(
        [helper.make_node("Identity", ["i"], ["o"])],
        "body",
        [helper.make_tensor_value_info("i", onnx.TensorProto.FLOAT, [4])],
        [helper.make_tensor_value_info("o", onnx.TensorProto.FLOAT, [4])],
    )
    nodes = [node("Scan", ["lengths", "x"], "s", num_scan_inputs=1, body=body), node("MatMul", ["s", "w"], "y")]
    constants: dict[str, NDArray[Any]] = {"w": weights(0, 4, 4), "lengths": np.array([3, 3], np.int64)}
    model = make_model(nodes, {"x": [2, 3, 4]}, ["y"], constants, opset=8)
    with pytest.raises(BadModelError) as caught:
        quantized(model, {"x": "3c010204", "s": "3c010204"})
    assert "opset 8 cannot be converted" in caught.value.message
    assert "opset 13" in str(caught.value.remedy)


def test_weights_beside_the_model_stay_there(quantized: Rewrite, tmp_path: Path) -> None:
    nodes = [node("Transpose", ["w1"], "t"), node("MatMul", ["x", "t"], "a"), node("MatMul", ["a", "w2"], "y")]
    model = make_model(nodes, {"x": ["N", 64]}, ["y"], {"w1": weights(1, 64, 64), "w2": weights(2, 64, 64)})
    table = table_of(model)
    feeds = random_feeds(model)
    inside = quantized(model, table)
    assert inside.result["external"] == []
    expected = run(inside.path, feeds)["y"]
    folder = tmp_path / "store"
    folder.mkdir()
    path = folder / "model.onnx"
    onnx.save_model(model, path, save_as_external_data=True, location="model.weights", size_threshold=1024)
    outside = quantized(path, table)
    assert outside.result["external"] == ["model.weights"]
    assert not (tmp_path / "model.weights").exists()
    outside.path.replace(folder / "quantized.onnx")
    assert np.array_equal(run(folder / "quantized.onnx", feeds)["y"], expected)


def simple() -> onnx.ModelProto:
    return make_model([node("MatMul", ["x", "w"], "y")], {"x": [4, 8]}, ["y"], {"w": weights(0, 8, 8)})


@pytest.mark.parametrize("digits", ["00000000", "bc010204", "7f800000", "7fc00000", "00000001", "3c01", "zzzzzzzz"])
def test_scales_that_tensorrt_would_not_take_are_refused(quantized: Rewrite, digits: str) -> None:
    with pytest.raises(BadTableError, match="1 of 2 scales"):
        quantized(simple(), {"x": "3c010204", "y": digits})


def test_a_table_of_another_model_is_refused(quantized: Rewrite) -> None:
    with pytest.raises(BadTableError) as caught:
        quantized(simple(), {"input": "3c010204"})
    assert "such as 'x'" in str(caught.value.cause)


def test_a_model_with_nothing_to_quantise_is_refused(quantized: Rewrite) -> None:
    model = make_model([node("Relu", ["x"], "y")], {"x": [4, 8]}, ["y"])
    with pytest.raises(BadModelError, match="no node of the model can run in INT8"):
        quantized(model, {"x": "3c010204"})


@pytest.mark.parametrize("products", ["function", "float16", "einsum"])
def test_what_has_products_and_no_int8_is_told_what_to_do(quantized: Rewrite, products: str) -> None:
    constant = {"w": weights(0, 8, 8)}
    if products == "function":
        model = make_model(
            [node("Block", ["x", "w"], "y", domain="own")], {"x": [4, 8]}, ["y"], constant, domains=["own"]
        )
        inner, opset = node("MatMul", ["a", "b"], "c"), helper.make_opsetid("", 13)
        model.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [4, 8]))
        model.functions.append(helper.make_function("own", "Block", ["a", "b"], ["c"], [inner], [opset]))
    elif products == "float16":
        nodes = [node("Cast", ["x"], "h", to=onnx.TensorProto.FLOAT16), node("MatMul", ["h", "w"], "y")]
        model = make_model(nodes, {"x": [4, 8]}, ["y"], {"w": constant["w"].astype(np.float16)})
    else:
        model = make_model([node("Einsum", ["x", "w"], "y", equation="ij,jk->ik")], {"x": [4, 8]}, ["y"], constant)
    with pytest.raises(BadModelError) as caught:
        quantized(model, {"x": "3c010204", "h": "3c010204"})
    cause, remedy = {
        "function": ("inside the model's function Block", "inline_local_functions"),
        "float16": ("its input h is float16", "export it in float32"),
        "einsum": ("Einsum has no INT8 by Q/DQ", "--precision fp16"),
    }[products]
    assert cause in str(caught.value.cause)
    assert remedy in str(caught.value.remedy)


def test_recurrent_layers_are_told_among_those_in_floating_point(quantized: Rewrite) -> None:
    nodes = [
        node("GRU", ["x", "w", "r"], "h", hidden_size=4),
        node("Squeeze", ["h", "axis"], "s"),
        node("MatMul", ["s", "k"], "y"),
    ]
    constants = {"w": weights(0, 1, 12, 8), "r": weights(1, 1, 12, 4), "axis": np.array([1]), "k": weights(2, 4, 4)}
    result = quantized(make_model(nodes, {"x": [3, 2, 8]}, ["y"], constants), {"x": "3c010204", "s": "3c010204"})
    assert result.result["quantized"] == ["y_node"]
    assert result.reasons == {"h_node": "GRU has no INT8 by Q/DQ"}


def test_a_quantised_model_is_not_quantised_again(quantized: Rewrite) -> None:
    once = quantized(simple(), {"x": "3c010204"})
    with pytest.raises(BadModelError, match="quantised already: it has DequantizeLinear, QuantizeLinear"):
        quantized(once.model, {"x": "3c010204"})


@pytest.mark.parametrize(
    "content", [b"", b"\x00", b"not a model", b"\x08\x08" * 50], ids=["empty", "nul", "text", "fields"]
)
def test_what_is_no_model_is_refused(quantized: Rewrite, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "hostile.onnx"
    path.write_bytes(content)
    with pytest.raises(BadModelError):
        quantized(path, {"x": "3c010204"})


def damaged_weights() -> onnx.ModelProto:
    model = simple()
    model.graph.initializer[0].raw_data = b"1234"
    return model


def weights_elsewhere() -> onnx.ModelProto:
    model = simple()
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../outside")
    return model


def impossible_reshape() -> onnx.ModelProto:
    nodes = [node("Reshape", ["w", "shape"], "r"), node("MatMul", ["x", "r"], "y")]
    model = make_model(nodes, {"x": [4, 8]}, ["y"], {"w": weights(0, 8, 8), "shape": np.array([8, 8], np.int64)})
    model.graph.initializer[1].CopyFrom(numpy_helper.from_array(np.array([9, 9], np.int64), "shape"))
    return model


@pytest.mark.parametrize("model", [damaged_weights(), weights_elsewhere(), impossible_reshape()])
def test_damaged_weights_are_refused(quantized: Rewrite, tmp_path: Path, model: onnx.ModelProto) -> None:
    path = tmp_path / "hostile.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(BadModelError):
        quantized(path, {"x": "3c010204"})
    assert not (tmp_path / "quantized.onnx").exists()


def two_layers() -> onnx.ModelProto:
    nodes = [
        node("MatMul", ["x", "w"], "encoder/a"),
        node("Conv", ["image", "k"], "encoder/b[0]"),
        node("Gemm", ["x", "w"], "head"),
    ]
    return make_model(
        nodes,
        {"x": [4, 8], "image": [1, 2, 6, 6]},
        ["encoder/a", "encoder/b[0]", "head"],
        {"w": weights(0, 8, 8), "k": weights(1, 3, 2, 3, 3)},
    )


@pytest.mark.parametrize(
    ("names", "op_types", "left"),
    [
        (["head_node"], [], {"head_node"}),
        (["encoder/*"], [], {"encoder/a_node", "encoder/b[0]_node"}),
        (["encoder/b[0]_node"], [], {"encoder/b[0]_node"}),
        ([], ["MatMul", "Gemm"], {"encoder/a_node", "head_node"}),
    ],
)
def test_excluded_nodes_stay_in_floating_point(
    quantized: Rewrite, names: list[str], op_types: list[str], left: set[str]
) -> None:
    table = {"x": "3c010204", "image": "3c010204"}
    result = quantized(two_layers(), table, exclude_nodes=names, exclude_op_types=op_types)
    assert set(result.reasons) == left
    assert all("excluded" in reason for reason in result.reasons.values())
    assert not {name for name, _ in pairs_in(result.model)} & left


@pytest.mark.parametrize(
    ("options", "near"),
    [
        ({"exclude_nodes": ["encoder/a_nod"]}, "encoder/a_node"),
        ({"exclude_nodes": ["decoder/*"]}, None),
        ({"exclude_op_types": ["Matmul"]}, "MatMul"),
    ],
)
def test_exclusions_that_name_nothing_are_refused(
    quantized: Rewrite, options: dict[str, list[str]], near: str | None
) -> None:
    with pytest.raises(BadRequestError) as caught:
        quantized(two_layers(), {"x": "3c010204"}, **options)
    assert near is None or near in str(caught.value.cause)


def test_excluding_everything_is_told_as_what_it_is(quantized: Rewrite) -> None:
    with pytest.raises(StepError) as caught:
        quantized(simple(), {"x": "3c010204"}, exclude_op_types=["MatMul"])
    assert caught.value.cause == "operators of type MatMul are excluded"
