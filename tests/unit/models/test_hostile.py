"""Files that are no models, damaged models, and models that are meant to harm: each a ModelError, and quickly."""

from __future__ import annotations

import os
import time
from pathlib import Path

import onnx
import pytest

from tests.unit.models.samples import field, linear_model, model_of, saved, with_external
from trtfarm.errors import ModelError
from trtfarm.models import limits, weights
from trtfarm.models.messages import Message
from trtfarm.models.model import Model

NOT_MODELS = {
    "empty": (b"", "is empty"),
    "html": (b"<!DOCTYPE html><html><body>404 not found</body></html>", "error page"),
    "json": (b'{"error": "not found"}', "error page"),
    "text": (b"hello, this is a text file\n", "it is text"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "git lfs pull"),
    "png": (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "PNG"),
    "zip": (b"PK\x03\x04\x14\x00\x00\x00", "torch.onnx.export"),
    "engine": (b"ftrt\x00\x00\x00\x01", "TensorRT engine"),
    "tflite": (b"\x1c\x00\x00\x00TFL3", "TensorFlow Lite"),
    "zeros": (bytes(100), "cannot be used as an ONNX model"),
    "noise": (bytes(range(256)), "cannot be used as an ONNX model"),
    "no graph": (b"\x08\x07", "no graph"),
    "group": (b"\x08\x07\x0b\x0c", "wire type 3"),
    "field 0": (b"\x08\x07\x02\x00", "field number 0"),
    "endless number": (b"\x08" + b"\xff" * 11, "cut short or too long"),
    "huge field": (b"\x08\x07\xfd\xff\xff\xff\x74" + bytes(20), "which protobuf has not"),
    "long field": (b"\x88\x80\x80\x80\x80\x00\x07", "cut short or too long"),
    "huge length": (b"\x08\x07\x3a\xff\xff\xff\xff\x0f", "cut short or damaged"),
    "long length": (b"\x08\x07\x3a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "cut short or too long"),
}


def _refused(path: Path) -> str:
    with pytest.raises(ModelError) as caught:
        Model.read(path)
    assert caught.value.cause
    assert caught.value.remedy
    return str(caught.value)


@pytest.mark.parametrize(("content", "says"), NOT_MODELS.values(), ids=NOT_MODELS.keys())
def test_not_a_model(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    assert says in _refused(path)


def test_not_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.onnx")
    assert "not a regular file" in _refused(tmp_path / "pipe.onnx")
    assert "name the .onnx file itself" in _refused(tmp_path)
    assert "No such file" in _refused(tmp_path / "missing.onnx")


def test_every_truncation_is_refused(golden: Path, tmp_path: Path) -> None:
    whole = (golden / "lenet" / "model.onnx").read_bytes()
    path = tmp_path / "model.onnx"
    for size in (1, 2, 10, 100, 1_000, 10_000, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        _refused(path)


def _nested_graphs(depth: int) -> bytes:
    graph = b""
    for _ in range(depth):
        graph = field(1, field(5, field(6, graph)))  # GraphProto.node.attribute.g
    return b"\x08\x07" + field(7, graph)


def test_nesting_is_limited(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(_nested_graphs(limits.DEPTH))
    assert "nested more than" in _refused(path)


def test_nested_types_are_limited(tmp_path: Path) -> None:
    type_ = b""
    for _ in range(10_000):
        type_ = field(4, field(1, type_))
    path = tmp_path / "model.onnx"
    path.write_bytes(b"\x08\x07" + field(7, field(11, field(2, type_))))
    assert "nested more than" in _refused(path)


def test_counts_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(linear_model(), tmp_path / "model.onnx")
    for name, value, says in (
        ("FIELDS", 20, "fields"),
        ("NODES", 2, "nodes"),
        ("TENSORS", 1, "tensors"),
        ("TEXT_BYTES", 3, "longer than"),
        ("WEIGHT_BYTES", 64, "weights are more than"),
        ("MODEL_BYTES", 100, "protobuf allows"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(limits, name, value)
            assert says in _refused(path)
    Model.read(path)


@pytest.mark.parametrize("tiny", [b"\x0a\x00", b"\x6a\x00", b"\x52\x00"], ids=["node", "value", "remark"])
def test_a_file_of_tiny_fields_is_refused_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: bytes) -> None:
    monkeypatch.setattr(limits, "FIELDS", 100_000)
    monkeypatch.setattr(limits, "NODES", 100_000)
    path = tmp_path / "model.onnx"
    path.write_bytes(b"\x08\x07" + field(7, tiny * 50_000_000))
    start = time.process_time()
    assert "more than 100,000" in _refused(path)
    assert time.process_time() - start < 10


def test_what_two_readers_could_read_differently(tmp_path: Path) -> None:
    plain = linear_model().SerializeToString()
    dimension = field(1, b"\x08\x04\x12\x01N")
    value = field(11, field(1, b"v") + field(2, field(1, field(2, dimension))))
    path = tmp_path / "model.onnx"
    for content, says in (
        (plain + field(7, b""), "stands twice"),
        (b"\x0d\x00\x00\x00\x00" + plain, "wire type 5"),
        (b"\x08\x07" + field(7, value), "only one may stand"),
    ):
        path.write_bytes(content)
        assert says in _refused(path)


@pytest.mark.parametrize("name", ["two\nlines", "\x1b[31mred", "nul\0", "delete\x7f"])
def test_control_characters_in_names(tmp_path: Path, name: str) -> None:
    """A line feed in a tensor's name would make another line in a calibration table."""
    model = linear_model()
    model.graph.node[1].output[0] = name
    assert "control characters" in _refused(saved(model, tmp_path / "model.onnx"))


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(linear_model().SerializeToString().replace(b"product", b"produ\xff\xfe"))
    assert "UTF-8" in _refused(path)


def test_an_input_that_holds_nothing(tmp_path: Path) -> None:
    """Our own parts would take the 0 for a size that is not known, and native ones for a size."""
    for dimension in range(2):
        model = linear_model()
        model.graph.input[0].type.tensor_type.shape.dim[dimension].dim_value = 0
        assert "dimension of size 0" in _refused(saved(model, tmp_path / "model.onnx"))
    model = linear_model()
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = -1
    model.graph.output[0].type.tensor_type.shape.dim[0].dim_value = 0
    assert Model.read(saved(model, tmp_path / "model.onnx")).summary.inputs[0].dims == (None, 4)


@pytest.mark.parametrize("kind", ["STRING", "COMPLEX64"])
def test_an_input_of_no_numbers(tmp_path: Path, kind: str) -> None:
    """Data was asked for, and refused whatever was handed in."""
    model = linear_model()
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.DataType.Value(kind)
    assert f"is of type {kind.lower()}" in _refused(saved(model, tmp_path / "model.onnx"))


def test_weights_that_do_not_fit_their_dimensions(tmp_path: Path) -> None:
    for dims in ([4, 5], [1 << 62, 1 << 62], [-4, -4], [1] * 65, []):
        model = linear_model()
        model.graph.initializer[0].dims[:] = dims
        _refused(saved(model, tmp_path / "model.onnx"))


def test_weights_stored_in_odd_ways(tmp_path: Path) -> None:
    model = linear_model()
    model.graph.initializer[0].float_data.extend([1.0] * 16)
    assert "several fields" in _refused(saved(model, tmp_path / "model.onnx"))
    model.graph.initializer[0].ClearField("raw_data")
    model.graph.initializer[0].data_type = onnx.TensorProto.INT64
    assert "has its data in float_data" in _refused(saved(model, tmp_path / "model.onnx"))
    model.graph.initializer[0].data_type = 99
    assert "unknown data type 99" in _refused(saved(model, tmp_path / "model.onnx"))


def test_unpacked_integers_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "UNPACKED_INTEGERS", 9)
    weight = onnx.helper.make_tensor("w", onnx.TensorProto.INT8, [10], [0] * 10)
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    assert "raw bytes" in _refused(saved(model_of([node], weights=[weight]), tmp_path / "model.onnx"))


LOCATIONS = {
    "parent": "../w.bin",
    "hidden parent": "a/../../w.bin",
    "absolute": "/etc/passwd",
    "backslash": "..\\w.bin",
    "drive": "C:w.bin",
    "nothing": "",
    "only dots": "././",
    "nul": "w.bin\0.txt",
    "memory": "*/_ORT_MEM_ADDR_/*",
    "missing": "w.bin",
    "folder": "folder",
    "pipe": "pipe",
    "link": "link",
    "linked folder": "linked/w.bin",
    "hard link": "hard",
    "file as folder": "real.bin/x",
}


@pytest.mark.parametrize("location", LOCATIONS.values(), ids=LOCATIONS.keys())
def test_external_data_stays_beside_the_model(tmp_path: Path, location: str) -> None:
    folder = tmp_path / "model"
    for path in (tmp_path / "outside", folder / "folder"):
        path.mkdir(parents=True)
    for path in (tmp_path / "w.bin", tmp_path / "outside" / "w.bin", tmp_path / "outside" / "x", folder / "real.bin"):
        path.write_bytes(bytes(64))
    os.mkfifo(folder / "pipe")
    (folder / "link").symlink_to("real.bin")
    (folder / "linked").symlink_to("../outside")
    (folder / "hard").hardlink_to(tmp_path / "outside" / "x")
    _refused(with_external(folder / "model.onnx", location=location, length="64"))


@pytest.mark.parametrize("location", ["w.bin", "./w.bin", "sub/w.bin", "sub//./w.bin"])
def test_external_data_below_the_model_is_read(tmp_path: Path, location: str) -> None:
    (tmp_path / "sub").mkdir()
    for path in (tmp_path / "w.bin", tmp_path / "sub" / "w.bin"):
        path.write_bytes(bytes(80))
    Model.read(with_external(tmp_path / "model.onnx", location=location, offset="16", length="64"))
    Model.read(with_external(tmp_path / "model.onnx", location=location))


@pytest.mark.parametrize(
    "entries",
    [
        {"offset": "-1"},
        {"offset": "17"},
        {"offset": "1e3"},
        {"offset": "0x10"},
        {"offset": " 1"},
        {"offset": "\u0661"},
        {"offset": "9" * 30},
        {"length": "63"},
        {"length": "65"},
        {"length": "-64"},
        {"length": "9" * 18},
    ],
    ids=str,
)
def test_external_data_within_the_file(tmp_path: Path, entries: dict[str, str]) -> None:
    (tmp_path / "w.bin").write_bytes(bytes(80))
    _refused(with_external(tmp_path / "model.onnx", location="w.bin", **entries))


def test_external_data_said_twice(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(bytes(64))
    path = with_external(tmp_path / "model.onnx", location="w.bin")
    model = onnx.load(path, load_external_data=False)
    model.graph.initializer[0].external_data.add(key="location", value="/etc/passwd")
    assert "twice" in _refused(saved(model, path))


def test_one_large_region_is_hashed_once(tmp_path: Path) -> None:
    """A thousand tensors that name the same 16 MiB would otherwise take 16 GiB of reading."""
    (tmp_path / "w.bin").write_bytes(bytes(16 << 20))
    model = linear_model()
    weight = onnx.TensorProto(name="w", data_type=onnx.TensorProto.UINT8, dims=[16 << 20], data_location="EXTERNAL")
    weight.external_data.add(key="location", value="w.bin")
    for index in range(1000):
        weight.name = f"w{index}"
        model.graph.initializer.append(weight)
    start = time.process_time()
    Model.read(saved(model, tmp_path / "model.onnx"))
    assert time.process_time() - start < 10


def test_tensors_everywhere_are_found(tmp_path: Path) -> None:
    """References hidden in attributes, subgraphs, functions, sparse tensors and training graphs are checked as well."""
    hidden = onnx.TensorProto(name="h", data_type=1, dims=[1], data_location="EXTERNAL")
    hidden.external_data.add(key="location", value="/etc/passwd")
    nodes = [onnx.helper.make_node("Identity", ["x"], ["y"])]
    graph = onnx.helper.make_graph(nodes, "g", [], [], initializer=[hidden])
    attributes = [
        onnx.AttributeProto(name="a", type="TENSOR", t=hidden),
        onnx.AttributeProto(name="a", type="TENSORS", tensors=[hidden]),
        onnx.AttributeProto(name="a", type="GRAPH", g=graph),
        onnx.AttributeProto(name="a", type="GRAPHS", graphs=[graph]),
        onnx.AttributeProto(name="a", type="SPARSE_TENSOR", sparse_tensor=onnx.SparseTensorProto(values=hidden)),
        onnx.AttributeProto(name="a", type="SPARSE_TENSORS", sparse_tensors=[onnx.SparseTensorProto(indices=hidden)]),
    ]
    models = []
    for attribute in attributes:
        model = linear_model()
        model.graph.node[1].attribute.append(attribute)
        models.append(model)
        model = linear_model()
        node = onnx.NodeProto(op_type="Identity", attribute=[attribute])
        model.functions.append(onnx.FunctionProto(name="f", domain="d", node=[node]))
        model.graph.node.append(onnx.NodeProto(op_type="f", domain="d"))
        models.append(model)
    models.append(linear_model())
    models[-1].graph.sparse_initializer.append(onnx.SparseTensorProto(values=hidden))
    models.append(linear_model())
    models[-1].training_info.append(onnx.TrainingInfoProto(algorithm=graph))
    for model in models:
        assert "/etc/passwd" in _refused(saved(model, tmp_path / "model.onnx"))


def test_a_file_that_is_written_to_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(linear_model(), tmp_path / "model.onnx")
    read = weights.WeightReader.read

    def meddle(self: weights.WeightReader, tensor: Message) -> weights.Weight:
        os.utime(path, ns=(1, 1))
        return read(self, tensor)

    monkeypatch.setattr(weights.WeightReader, "read", meddle)
    assert "written to while it was read" in _refused(path)
