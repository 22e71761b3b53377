"""The messages of an ONNX file (onnx.proto of ONNX 1.23, IR version 14): field numbers, kinds, what is kept.

Fields that are not listed are dropped from the farm's copy, and so is everything marked as not kept.
"""

from __future__ import annotations

from trtfarm.models.messages import Field, Kind, Schema

_VARINT, _FIXED32, _FIXED64, _BYTES = 0, 5, 1, 2


def _integer(name: str, *, repeated: bool = False, kept: bool = True, choice: str = "") -> Field:
    return Field(name=name, kind=Kind.INTEGER, repeated=repeated, kept=kept, choice=choice, wire=_VARINT)


def _text(name: str, *, repeated: bool = False, choice: str = "") -> Field:
    return Field(name=name, kind=Kind.TEXT, repeated=repeated, choice=choice)


def _bytes(name: str, *, repeated: bool = False) -> Field:
    return Field(name=name, kind=Kind.BYTES, repeated=repeated)


def _one(name: str, message: str, *, choice: str = "") -> Field:
    return Field(name=name, kind=Kind.MESSAGE, message=message, choice=choice)


def _many(name: str, message: str) -> Field:
    return Field(name=name, kind=Kind.MESSAGE, message=message, repeated=True)


def _elements(name: str, wire: int) -> Field:
    return Field(name=name, kind=Kind.ELEMENTS, repeated=name != "raw_data", wire=wire)


def _skipped(name: str) -> Field:
    return Field(name=name, kind=Kind.SKIPPED, repeated=True, kept=False)


_DOC = "doc_string"
_METADATA = "metadata_props"

SCHEMAS: dict[str, Schema] = {
    "ModelProto": {
        1: _integer("ir_version"),
        2: _skipped("producer_name"),
        3: _skipped("producer_version"),
        4: _skipped("domain"),
        5: _integer("model_version", kept=False),
        6: _skipped(_DOC),
        7: _one("graph", "GraphProto"),
        8: _many("opset_import", "OperatorSetIdProto"),
        14: _skipped(_METADATA),
        20: _many("training_info", "TrainingInfoProto"),
        25: _many("functions", "FunctionProto"),
        26: _many("configuration", "DeviceConfigurationProto"),
    },
    "StringStringEntryProto": {1: _text("key"), 2: _text("value")},
    "OperatorSetIdProto": {1: _text("domain"), 2: _integer("version")},
    "DeviceConfigurationProto": {1: _text("name"), 2: _integer("num_devices"), 3: _text("device", repeated=True)},
    "TrainingInfoProto": {
        1: _one("initialization", "GraphProto"),
        2: _one("algorithm", "GraphProto"),
        3: _many("initialization_binding", "StringStringEntryProto"),
        4: _many("update_binding", "StringStringEntryProto"),
    },
    "FunctionProto": {
        1: _text("name"),
        4: _text("input", repeated=True),
        5: _text("output", repeated=True),
        6: _text("attribute", repeated=True),
        7: _many("node", "NodeProto"),
        8: _skipped(_DOC),
        9: _many("opset_import", "OperatorSetIdProto"),
        10: _text("domain"),
        11: _many("attribute_proto", "AttributeProto"),
        12: _many("value_info", "ValueInfoProto"),
        13: _text("overload"),
        14: _skipped(_METADATA),
    },
    "GraphProto": {
        1: _many("node", "NodeProto"),
        2: _text("name"),
        5: _many("initializer", "TensorProto"),
        10: _skipped(_DOC),
        11: _many("input", "ValueInfoProto"),
        12: _many("output", "ValueInfoProto"),
        13: _many("value_info", "ValueInfoProto"),
        14: _many("quantization_annotation", "TensorAnnotation"),
        15: _many("sparse_initializer", "SparseTensorProto"),
        16: _skipped(_METADATA),
    },
    "TensorAnnotation": {
        1: _text("tensor_name"),
        2: _many("quant_parameter_tensor_names", "StringStringEntryProto"),
    },
    "NodeProto": {
        1: _text("input", repeated=True),
        2: _text("output", repeated=True),
        3: _text("name"),
        4: _text("op_type"),
        5: _many("attribute", "AttributeProto"),
        6: _skipped(_DOC),
        7: _text("domain"),
        8: _text("overload"),
        9: _skipped(_METADATA),
        10: _many("device_configurations", "NodeDeviceConfigurationProto"),
    },
    "NodeDeviceConfigurationProto": {
        1: _text("configuration_id"),
        2: _many("sharding_spec", "ShardingSpecProto"),
        3: _integer("pipeline_stage"),
    },
    "ShardingSpecProto": {
        1: _text("tensor_name"),
        2: _integer("device", repeated=True),
        3: _many("index_to_device_group_map", "IntIntListEntryProto"),
        4: _many("sharded_dim", "ShardedDimProto"),
    },
    "IntIntListEntryProto": {1: _integer("key"), 2: _integer("value", repeated=True)},
    "ShardedDimProto": {1: _integer("axis"), 2: _many("simple_sharding", "SimpleShardedDimProto")},
    "SimpleShardedDimProto": {
        1: _integer("dim_value", choice="dim"),
        2: _text("dim_param", choice="dim"),
        3: _integer("num_shards"),
    },
    "AttributeProto": {
        1: _text("name"),
        2: Field(name="f", kind=Kind.FIXED32, wire=_FIXED32),
        3: _integer("i"),
        4: _bytes("s"),
        5: _one("t", "TensorProto"),
        6: _one("g", "GraphProto"),
        7: Field(name="floats", kind=Kind.FIXED32, repeated=True, wire=_FIXED32),
        8: _integer("ints", repeated=True),
        9: _bytes("strings", repeated=True),
        10: _many("tensors", "TensorProto"),
        11: _many("graphs", "GraphProto"),
        13: _skipped(_DOC),
        14: _one("tp", "TypeProto"),
        15: _many("type_protos", "TypeProto"),
        20: _integer("type"),
        21: _text("ref_attr_name"),
        22: _one("sparse_tensor", "SparseTensorProto"),
        23: _many("sparse_tensors", "SparseTensorProto"),
    },
    "TensorProto": {
        1: _integer("dims", repeated=True),
        2: _integer("data_type"),
        3: _one("segment", "Segment"),
        4: _elements("float_data", _FIXED32),
        5: _elements("int32_data", _VARINT),
        6: _elements("string_data", _BYTES),
        7: _elements("int64_data", _VARINT),
        8: _text("name"),
        9: _elements("raw_data", _BYTES),
        10: _elements("double_data", _FIXED64),
        11: _elements("uint64_data", _VARINT),
        12: _skipped(_DOC),
        13: _many("external_data", "StringStringEntryProto"),
        14: _integer("data_location"),
        16: _skipped(_METADATA),
    },
    "Segment": {1: _integer("begin"), 2: _integer("end")},
    "SparseTensorProto": {
        1: _one("values", "TensorProto"),
        2: _one("indices", "TensorProto"),
        3: _integer("dims", repeated=True),
    },
    "ValueInfoProto": {1: _text("name"), 2: _one("type", "TypeProto"), 3: _skipped(_DOC), 4: _skipped(_METADATA)},
    "TypeProto": {
        1: _one("tensor_type", "TensorTypeProto", choice="value"),
        4: _one("sequence_type", "ElementTypeProto", choice="value"),
        5: _one("map_type", "MapTypeProto", choice="value"),
        6: _text("denotation"),
        7: _one("opaque_type", "OpaqueTypeProto", choice="value"),
        8: _one("sparse_tensor_type", "TensorTypeProto", choice="value"),
        9: _one("optional_type", "ElementTypeProto", choice="value"),
    },
    "TensorTypeProto": {1: _integer("elem_type"), 2: _one("shape", "TensorShapeProto")},
    "ElementTypeProto": {1: _one("elem_type", "TypeProto")},
    "MapTypeProto": {1: _integer("key_type"), 2: _one("value_type", "TypeProto")},
    "OpaqueTypeProto": {1: _text("domain"), 2: _text("name")},
    "TensorShapeProto": {1: _many("dim", "DimensionProto")},
    "DimensionProto": {
        1: _integer("dim_value", choice="value"),
        2: _text("dim_param", choice="value"),
        3: _text("denotation"),
    },
}
