"""Models in float16: what they compute, what stays in float32, and that TensorRT still sees INT8."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.unit.onnx_models import make_model, node, random_feeds, run, weights
from tests.unit.rewrites import Rewrite, Rewritten
from trtfarm_builder.failures import BadModelError, BadRequestError

FLOAT, FLOAT16 = TensorProto.FLOAT, TensorProto.FLOAT16


def check_close(model: onnx.ModelProto | Path, result: Rewritten, *, factor: float = 1.0) -> None:
    """Outputs are float32 and differ from the model's by no more than a few roundings of float16."""
    feeds = random_feeds(onnx.load(model) if isinstance(model, Path) else model)
    feeds = {name: value * np.float32(factor) for name, value in feeds.items()}
    expected, got = run(model, feeds), run(result.path, feeds)
    for name, value in expected.items():
        assert got[name].dtype == value.dtype
        np.testing.assert_allclose(got[name], value, rtol=0, atol=5e-3 * float(np.abs(value).max()), err_msg=name)


@pytest.mark.parametrize("name", ["lenet", "zoo"])
def test_whole_models(converted: Rewrite, golden: Path, name: str) -> None:
    path = golden / name / "model.onnx"
    result = converted(path)
    check_close(path, result)
    original = onnx.load(path)
    assert list(result.model.graph.input) == list(original.graph.input)
    assert [item.name for item in result.model.graph.output] == [item.name for item in original.graph.output]
    assert result.path.stat().st_size < 0.53 * path.stat().st_size
    assert {item["op_type"] for item in result.result["left"]} == ({"ReduceMean"} if name == "zoo" else set())
    assert result.path.read_bytes() == converted(path).path.read_bytes()


def test_casts_stand_only_where_the_type_changes(converted: Rewrite) -> None:
    model = make_model(
        [node("MatMul", ["x", "w"], "a"), node("Relu", ["a"], "b"), node("Add", ["b", "a"], "y")],
        {"x": (2, 4)},
        ["y"],
        {"w": weights(1, 4, 4)},
    )
    result = converted(model)
    assert result.op_types == ["Cast", "MatMul", "Relu", "Add", "Cast"]
    assert result.result["converted"] == ["a_node", "b_node", "y_node"]
    assert [item.name for item in result.model.graph.initializer] == ["w/float16"]
    check_close(model, result)


def test_written_out_normalisation_survives_large_values(converted: Rewrite) -> None:
    """Squares of 1000 are beyond float16, and an epsilon of 1e-12 is nothing in it."""
    model = make_model(
        [
            node("ReduceMean", ["x"], "mean", axes=[-1]),
            node("Sub", ["x", "mean"], "d"),
            node("Pow", ["d", "two"], "sq"),
            node("ReduceMean", ["sq"], "var", axes=[-1]),
            node("Add", ["var", "eps"], "shifted"),
            node("Sqrt", ["shifted"], "std"),
            node("Div", ["d", "std"], "y"),
        ],
        {"x": (4, 64)},
        ["y"],
        {"two": np.array(2, np.float32), "eps": np.array(1e-12, np.float32)},
    )
    result = converted(model)
    check_close(model, result, factor=3000)
    assert set(result.reasons) == {"mean_node", "sq_node", "var_node", "shifted_node", "std_node"}
    assert result.reasons["shifted_node"] == "its constant eps would be zero in float16"


def test_masks_beyond_the_range_become_its_end_not_infinite(converted: Rewrite) -> None:
    """A row of nothing but -inf would be NaN after Softmax; the float32 model gives equal shares."""
    lowest = float(np.finfo(np.float32).min)
    model = make_model(
        [
            node("Mul", ["mask", "lowest"], "far"),
            node("Reshape", ["far", "shape"], "rows"),
            node("Add", ["x", "rows"], "masked"),
            node("Softmax", ["masked"], "y", axis=-1),
        ],
        {"x": (2, 3), "mask": (6,)},
        ["y"],
        {"lowest": np.array(lowest, np.float32), "shape": np.array([2, 3])},
    )
    result = converted(model)
    assert "beyond 65504" in result.reasons["far_node"]
    feeds = {"x": np.zeros((2, 3), np.float32), "mask": np.array([0, 1, 1, 1, 1, 1], np.float32)}
    expected = np.array([[1, 0, 0], [1 / 3, 1 / 3, 1 / 3]])
    np.testing.assert_allclose(run(result.path, feeds)["y"], expected, atol=1e-3)


def test_infinite_constants_stay_infinite(converted: Rewrite) -> None:
    values = np.array([-np.inf, 1, np.inf], np.float32)
    model = make_model([node("Add", ["x", "c"], "y")], {"x": (3,)}, ["y"], {"c": values})
    np.testing.assert_array_equal(run(converted(model).path, {"x": np.zeros(3, np.float32)})["y"], values)


def test_bounds_of_clip_may_be_beyond_the_range(converted: Rewrite) -> None:
    constants = {"low": np.array(0, np.float32), "high": np.array(3e38, np.float32)}
    model = make_model([node("Clip", ["x", "low", "high"], "y")], {"x": (2, 4)}, ["y"], constants)
    result = converted(model)
    assert result.op_types == ["Cast", "Clip", "Cast"]
    check_close(model, result)


def test_constants_listed_among_the_inputs_need_not_be_fed(converted: Rewrite) -> None:
    model = make_model([node("MatMul", ["x", "w"], "y")], {"x": (2, 4), "w": (4, 4)}, ["y"], {"w": weights(1, 4, 4)})
    result = converted(model)
    assert [item.name for item in result.model.graph.input] == ["x"]
    check_close(model, result)


def test_inputs_that_onnx_fixes_stay_float32(converted: Rewrite) -> None:
    constants = {"roi": np.zeros(0, np.float32), "scales": np.array([1, 1, 2, 2], np.float32)}
    model = make_model([node("Resize", ["x", "roi", "scales"], "y")], {"x": (1, 2, 3, 3)}, ["y"], constants)
    result = converted(model)
    assert {item.name: item.data_type for item in result.model.graph.initializer}["scales"] == FLOAT
    assert result.result["converted"] == ["y_node"]
    check_close(model, result)


def test_types_that_a_node_chooses_itself_stay(converted: Rewrite) -> None:
    """Range has no float16; ConstantOfShape and Cast say their type in an attribute."""
    value = numpy_helper.from_array(np.array([0.5], np.float32))
    model = make_model(
        [
            node("Range", ["start", "stop", "step"], "r"),
            node("Shape", ["x"], "shape"),
            node("ConstantOfShape", ["shape"], "halves", value=value),
            node("Cast", ["shape"], "sizes", to=FLOAT),
            node("Constant", [], "c", value=numpy_helper.from_array(weights(2, 4), "value")),
            node("Add", ["x", "r"], "a"),
            node("Add", ["a", "halves"], "b"),
            node("Add", ["b", "c"], "d"),
            node("Mul", ["d", "sizes"], "y"),
        ],
        {"x": (4,)},
        ["y"],
        {name: np.array(number, np.float32) for name, number in (("start", 0), ("stop", 4), ("step", 1))},
    )
    result = converted(model)
    check_close(model, result)
    assert result.result["converted"] == ["a_node", "b_node", "d_node", "y_node"]
    assert "Constant" not in result.op_types
    assert result.types()["shape"] == TensorProto.INT64


def test_what_only_moves_elements_goes_with_its_input(converted: Rewrite) -> None:
    model = make_model(
        [
            node("Sqrt", ["x"], "root"),
            node("Transpose", ["root"], "t", perm=[1, 0]),
            node("Exp", ["t"], "e"),
            node("Relu", ["e"], "z"),
            node("Transpose", ["z"], "y", perm=[1, 0]),
            node("Gather", ["table", "index"], "picked"),
            node("Greater", ["t", "limit"], "larger"),
        ],
        {"x": (2, 4)},
        ["y", "picked", "larger"],
        {"table": weights(3, 9, 2), "index": np.array([4, 4]), "limit": np.array(1, np.float32)},
    )
    types = converted(model).types()
    assert {types[name] for name in ("root", "t", "e")} == {FLOAT}
    assert "t/float16" not in types
    assert {types[name] for name in ("z/float16", "y/float16", "table/float16", "picked/float16")} == {FLOAT16}


def test_subgraphs_stay_and_see_the_names_that_they_know(converted: Rewrite) -> None:
    branches = {}
    for word, op_type in (("then_branch", "Relu"), ("else_branch", "Neg")):
        output = helper.make_tensor_value_info(f"{word}_out", FLOAT, [2, 4])
        inner = helper.make_node(op_type, ["a"], [f"{word}_out"])
        branches[word] = helper.make_graph([inner], word, [], [output])
    model = make_model(
        [
            node("Mul", ["x", "w"], "a"),
            node("ReduceMax", ["x"], "top", keepdims=0),
            node("Greater", ["top", "zero"], "condition"),
            helper.make_node("If", ["condition"], ["b"], name="b_node", **branches),
            node("Add", ["a", "b"], "y"),
        ],
        {"x": (2, 4)},
        ["y"],
        {"w": weights(1, 4), "zero": np.array(0, np.float32)},
    )
    result = converted(model)
    assert result.reasons == {"b_node": "it has subgraphs"}
    check_close(model, result)
    check_close(model, result, factor=-1)


def test_nodes_can_be_kept_by_name_and_by_type(converted: Rewrite) -> None:
    model = make_model(
        [node("Relu", ["x"], "a"), node("Sigmoid", ["a"], "b"), node("Tanh", ["b"], "y")], {"x": (2, 4)}, ["y"]
    )
    result = converted(model, exclude_nodes=["a_*"], exclude_op_types=["Tanh"])
    assert set(result.reasons) == {"a_node", "y_node"}
    assert result.result["converted"] == ["b_node"]
    check_close(model, result)
    with pytest.raises(BadRequestError, match="no node 'c_node'"):
        converted(model, exclude_nodes=["c_node"])


def test_a_model_with_nothing_to_convert_is_refused(converted: Rewrite) -> None:
    model = make_model([node("Sqrt", ["x"], "y")], {"x": (2, 4)}, ["y"])
    with pytest.raises(BadModelError, match="no node of the model can compute in float16") as caught:
        converted(model)
    assert caught.value.cause == "its results may be beyond what float16 holds"
    assert caught.value.remedy == "build it as it is, with --precision fp32"


def test_a_model_that_is_in_float16_already_stays_as_it_is(converted: Rewrite) -> None:
    model = make_model([node("Cast", ["x"], "h", to=FLOAT16), node("Relu", ["h"], "y")], {"x": (2, 4)}, ["y"])
    result = converted(model)
    assert list(result.model.graph.node) == list(model.graph.node)
    assert result.result["converted"] == []


def test_foreign_operators_stay(converted: Rewrite) -> None:
    model = make_model(
        [node("Gelu", ["x"], "a", domain="com.microsoft"), node("Relu", ["x"], "y"), node("Relu", ["a"], "z")],
        {"x": (2, 4)},
        ["y", "z"],
        domains=["com.microsoft"],
    )
    model.graph.output[1].CopyFrom(helper.make_tensor_value_info("z", FLOAT, [2, 4]))
    result = converted(model)
    # What a foreign operator makes is of a type that ONNX cannot infer, so `a_node` is not known to compute at all.
    assert result.reasons == {"z_node": "the type of a cannot be inferred"}
    check_close(model, result)


def test_external_weights_come_into_the_file(converted: Rewrite, tmp_path: Path) -> None:
    model = make_model([node("MatMul", ["x", "w"], "y")], {"x": (2, 64)}, ["y"], {"w": weights(1, 64, 64)})
    path = tmp_path / "apart" / "model.onnx"
    path.parent.mkdir()
    onnx.save_model(model, path, save_as_external_data=True, location="w.bin", size_threshold=0)
    result = converted(path)
    assert result.result["external"] == []
    check_close(path, result)
