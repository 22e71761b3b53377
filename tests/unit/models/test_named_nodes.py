from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from trtfarm.errors import UsageError
from trtfarm.models.model import Model
from trtfarm.models.named_nodes import check_named
from trtfarm_builder.failures import BadRequestError
from trtfarm_builder.quantization.exclusions import exclusions_for


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Three nodes: one with brackets in its name, one without a name, one plain."""
    nodes = [
        helper.make_node("Relu", ["x"], ["a"], name="encoder/b[0]"),
        helper.make_node("Tanh", ["a"], ["b"]),
        helper.make_node("Relu", ["b"], ["y"], name="head"),
    ]
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in "xy")
    onnx.save(helper.make_model(helper.make_graph(nodes, "graph", [x], [y])), tmp_path / "model.onnx")
    return tmp_path / "model.onnx"


Names = tuple[list[str], list[str]]


@pytest.mark.parametrize("given", [([], []), (["head", "encoder/b[0]", "b"], ["Tanh"]), (["enc*", "?ead"], [])])
def test_nodes_go_by_name_glob_first_output_and_operator(path: Path, given: Names) -> None:
    exclusions_for(onnx.load(path).graph.node, *given)
    check_named(Model.read(path).summary, *given)


@pytest.mark.parametrize(
    "given",
    [(["heat"], []), (["encoder/b[1]"], []), (["a"], []), ([], ["relu"]), (["head"], ["Conv"])],
)
def test_what_names_no_node_is_told_as_the_builder_would(path: Path, given: Names) -> None:
    with pytest.raises(BadRequestError) as later:
        exclusions_for(onnx.load(path).graph.node, *given)
    with pytest.raises(UsageError) as caught:
        check_named(Model.read(path).summary, *given)
    assert caught.value.cause == later.value.cause


def test_names_that_come_near_are_told(path: Path) -> None:
    with pytest.raises(UsageError, match="no node 'heat'") as caught:
        check_named(Model.read(path).summary, ["heat"], [])
    assert caught.value.cause == "near to it are: head"
