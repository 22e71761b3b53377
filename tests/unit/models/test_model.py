"""What a scan tells about sound models."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from tests.unit.models.samples import linear_model, model_of, saved
from trtfarm.errors import ModelError
from trtfarm.models.model import Model
from trtfarm.models.summary import Operator, TensorType


def test_lenet(golden: Path) -> None:
    model = Model.read(golden / "lenet" / "model.onnx")
    summary = model.summary
    assert model.name == "model"
    assert summary.inputs == (TensorType(name="data", dtype="float32", dims=("N", 1, 28, 28)),)
    assert summary.outputs == (TensorType(name="prob", dtype="float32", dims=("N", 10)),)
    assert (summary.ir_version, summary.opset_imports, summary.nodes) == (7, (("", 13),), 9)
    assert Operator(domain="", name="Conv", nodes=2) in summary.operators
    assert (summary.external_files, summary.unknown_fields) == ((), ())


@pytest.mark.parametrize("name", ["lenet", "zoo"])
def test_agrees_with_onnx(golden: Path, name: str) -> None:
    path = golden / name / "model.onnx"
    expected = onnx.load(path).graph
    summary = Model.read(path).summary
    assert summary.nodes == len(expected.node)
    assert {(op.name, op.nodes) for op in summary.operators} == {
        (kind, sum(node.op_type == kind for node in expected.node)) for kind in {node.op_type for node in expected.node}
    }
    initializers = [(w.name, w.dims) for w in summary.weights if w.name]
    assert initializers == [(w.name, tuple(w.dims)) for w in expected.initializer]


def test_inputs_with_initializers_are_not_inputs(tmp_path: Path) -> None:
    model = linear_model()
    model.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [4, 4]))
    assert [tensor.name for tensor in Model.read(saved(model, tmp_path / "m.onnx")).summary.inputs] == ["x"]


def test_the_nodes_of_subgraphs_and_functions_count(tmp_path: Path) -> None:
    def branch(op: str, domain: str = "") -> onnx.GraphProto:
        node = helper.make_node(op, ["x"], ["z"], domain=domain)
        return helper.make_graph([node], op, [], [helper.make_tensor_value_info("z", TensorProto.FLOAT, None)])

    function = helper.make_function(
        "local", "Twice", ["a"], ["b"], [helper.make_node("Add", ["a", "a"], ["b"])], [helper.make_opsetid("", 17)]
    )
    model = model_of(
        [
            helper.make_node("Identity", ["x"], ["c"]),
            helper.make_node("If", ["c"], ["i"], then_branch=branch("Relu"), else_branch=branch("Magic", "acme")),
            helper.make_node("Twice", ["i"], ["y"], domain="local"),
        ],
        weights=[],
        functions=[function],
    )
    summary = Model.read(saved(model, tmp_path / "m.onnx")).summary
    assert summary.nodes == 5
    assert Operator(domain="acme", name="Magic", nodes=1) in summary.operators


def test_dimensions_that_are_not_known(tmp_path: Path) -> None:
    value = helper.make_tensor_value_info("x", TensorProto.INT64, ["N", -1, None, 3])
    unranked = helper.make_tensor_value_info("u", TensorProto.BOOL, None)
    model = model_of([helper.make_node("Identity", ["x"], ["y"])], weights=[], inputs=[value, unranked])
    inputs = Model.read(saved(model, tmp_path / "m.onnx")).summary.inputs
    assert inputs == (
        TensorType(name="x", dtype="int64", dims=("N", None, None, 3)),
        TensorType(name="u", dtype="bool", dims=None),
    )
    assert str(inputs[0]) == "x (int64, Nx?x?x3)"


def test_unknown_fields_are_told_and_dropped(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(linear_model().SerializeToString() + b"\xfa\x3e\x03new")
    model = Model.read(path)
    assert model.summary.unknown_fields == ("ModelProto field 1007",)
    assert model.notices == (
        f"warning: {path} has fields that no ONNX known here has, and they are left out: ModelProto field 1007",
    )
    assert Model.read(saved(linear_model(), tmp_path / "known.onnx")).notices == ()
    (tmp_path / "copy").mkdir()
    (copy,) = model.copy_to(tmp_path / "copy")
    assert b"new" not in copy.read_bytes()


def test_a_model_without_input_cannot_be_calibrated(tmp_path: Path) -> None:
    model = model_of([helper.make_node("Identity", ["w"], ["y"])], weights=list(linear_model().graph.initializer))
    del model.graph.input[:]
    with pytest.raises(ModelError, match="no input"):
        Model.read(saved(model, tmp_path / "m.onnx"))


def test_mapped_files_are_read_alike(golden: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files above a size are mapped; here the size is lowered instead of making a large file."""
    path = golden / "zoo" / "model.onnx"
    whole = Model.read(path)
    monkeypatch.setattr("trtfarm.models.model._READ_BYTES", 0)
    mapped = Model.read(path)
    assert (mapped.digest, mapped.summary) == (whole.digest, whole.summary)


def test_reads_without_onnx_and_numpy(golden: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from trtfarm.models.model import Model; import trtfarm.models.shapes;"
        "Model.read(Path(sys.argv[1])); sys.exit(bool({'onnx', 'numpy', 'google'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code, golden / "lenet" / "model.onnx"], check=True)
