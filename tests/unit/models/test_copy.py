"""The farm's copy: a sound ONNX file whose bytes depend on the digest alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper

from tests.disk import file_size_limit
from tests.unit.models.samples import linear_model, model_of, saved, tensor, with_external
from trtfarm.errors import DiskFullError, ModelError, StorageError
from trtfarm.models import copy
from trtfarm.models.model import Model


def _copy(model: Model, folder: Path) -> tuple[Path, ...]:
    folder.mkdir()
    return model.copy_to(folder)


@pytest.mark.parametrize("name", ["lenet", "zoo"])
def test_onnx_writes_the_same_bytes(golden: Path, tmp_path: Path, name: str) -> None:
    source = Model.read(golden / name / "model.onnx")
    (path,) = _copy(source, tmp_path / "copy")
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert model.SerializeToString(deterministic=True) == path.read_bytes()
    assert Model.read(path).digest == source.digest
    expected = onnx.load(source.path)
    for field in ("producer_name", "producer_version", "domain", "model_version", "doc_string", "metadata_props"):
        expected.ClearField(field)
    assert model == expected


def test_bytes_depend_on_the_digest_alone(golden: Path, tmp_path: Path) -> None:
    source = golden / "zoo" / "model.onnx"
    external = saved(onnx.load(source), tmp_path / "model.onnx", external="some where.bin")
    (one,) = _copy(Model.read(source), tmp_path / "one")
    (two,) = _copy(Model.read(external), tmp_path / "two")
    assert one.read_bytes() == two.read_bytes()


def test_many_weights_go_to_a_file_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limits are lowered: what is written at 1 GiB is written at 4 KiB."""
    monkeypatch.setattr(copy, "INLINE_BYTES", 4096)
    random = np.random.default_rng(0)
    weights = [tensor(f"w{i}", random.standard_normal((32, 32), dtype=np.float32)) for i in range(3)]
    small = tensor("b", np.ones(32, np.float32))
    nodes = [helper.make_node("MatMul", ["x" if i == 0 else f"t{i}", f"w{i}"], [f"t{i + 1}"]) for i in range(3)]
    proto = model_of([*nodes, helper.make_node("Add", ["t3", "b"], ["y"])], weights=[*weights, small])
    for value in (*proto.graph.input, *proto.graph.output):
        value.type.tensor_type.shape.dim[1].dim_value = 32
    source = Model.read(saved(proto, tmp_path / "m.onnx"))
    files = _copy(source, tmp_path / "copy")
    assert [path.name for path in files] == ["model.onnx", "model.weights"]
    assert files[1].stat().st_size == 3 * 4096
    again = Model.read(files[0])
    assert (again.digest, again.summary.external_files) == (source.digest, ("model.weights",))
    assert [path.read_bytes() for path in _copy(again, tmp_path / "again")] == [path.read_bytes() for path in files]
    onnx.checker.check_model(files[0])
    x = {"x": np.ones((2, 32), np.float32)}
    results = [onnxruntime.InferenceSession(path).run(None, x)[0] for path in (source.path, files[0])]
    assert np.array_equal(*results)


def test_a_copy_of_strings_and_subgraphs_runs(tmp_path: Path) -> None:
    x = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["N", 4])
    labels = onnx.TensorProto(name="labels", data_type=onnx.TensorProto.STRING, dims=[2], string_data=[b"cat", b"dog"])
    bonus = tensor("bonus", np.full((4,), 2, np.float32))

    def branch(name: str, op: str) -> onnx.GraphProto:
        out = helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["N", 4])
        return helper.make_graph([helper.make_node(op, ["x", "bonus"], [name])], op, [], [out], initializer=[bonus])

    constant = helper.make_node("Constant", [], ["c"], value=tensor("", np.ones((), bool)))
    node = helper.make_node("If", ["c"], ["y"], then_branch=branch("a", "Add"), else_branch=branch("s", "Sub"))
    proto = model_of([constant, node], weights=[labels], inputs=[x])
    (path,) = _copy(Model.read(saved(proto, tmp_path / "m.onnx")), tmp_path / "copy")
    (result,) = onnxruntime.InferenceSession(path).run(None, {"x": np.zeros((1, 4), np.float32)})
    assert np.array_equal(result, [[2, 2, 2, 2]])
    assert list(onnx.load(path).graph.initializer[0].string_data) == [b"cat", b"dog"]


def test_weights_that_change_meanwhile_are_noticed(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(bytes(64))
    model = Model.read(with_external(tmp_path / "m.onnx", location="w.bin"))
    (tmp_path / "w.bin").write_bytes(bytes(63) + b"\1")
    (tmp_path / "copy").mkdir()
    with pytest.raises(ModelError, match="changed after it was read"):
        model.copy_to(tmp_path / "copy")
    assert list((tmp_path / "copy").iterdir()) == []


def test_a_full_disk_leaves_nothing(golden: Path, tmp_path: Path) -> None:
    model = Model.read(golden / "lenet" / "model.onnx")
    with file_size_limit(100_000), pytest.raises(DiskFullError):
        model.copy_to(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_over(tmp_path: Path) -> None:
    model = Model.read(saved(linear_model(), tmp_path / "model.onnx"))
    before = model.path.read_bytes()
    with pytest.raises(StorageError):
        model.copy_to(tmp_path)
    assert model.path.read_bytes() == before
