"""The layers of an engine, from what its inspector tells, and which of them compute in INT8."""

import re
from typing import Any, Dict, List, Mapping, Optional

#: Layers that only move, convert or hold data.
_IDLE = ("Reformat", "NoOp", "Constant", "ShapeHostToDevice", "Signal", "Wait")
# The first word of this kind in TensorRT's sentence for a format, such as "Row major linear FP32".
_TYPE = re.compile(r"\b(Int8|INT8|FP8|FP16|Half|BF16|FP32|Float|Int32|INT32|Int64|Bool|UInt8)\b")
_WORDS = {
    "half": "float16",
    "fp16": "float16",
    "fp32": "float32",
    "float": "float32",
    "bf16": "bfloat16",
    "fp8": "float8_e4m3fn",
}
_INT8 = "int8"
_KERNEL_WORDS = {
    "imma": _INT8,
    "int8": _INT8,
    "i8": _INT8,
    "fp16": "float16",
    "f16": "float16",
    "bf16": "bfloat16",
    "tf32": "float32",
    "fp32": "float32",
    "f32": "float32",
}
# What a kernel reads is the first type in its name, alone or with that of its output right behind:
# "…_interleaved_i8i8_i8i32_f32_nchw…", "…_pooling_IMMA_…", "…_max_nhwc_FP32FP32_…".
_KERNEL = re.compile("(?:^|_)({0})(?=_|$|i32|{0})".format("|".join(_KERNEL_WORDS)), re.IGNORECASE)


def layers_from_json(information: Mapping[str, Any]) -> List[Dict[str, Any]]:
    """Each layer as {name, type, dtype, inputs, outputs, tactic, idle}, in the order in which they run.

    `inputs` and `outputs` are types in NumPy's words, `dtype` is the one that the layer computes in (None where it is
    not said); `idle` layers only move data. An engine built without detailed verbosity lists names alone.
    """
    return [_layer(row) if isinstance(row, dict) else _named(str(row)) for row in information.get("Layers", [])]


def with_times(layers: List[Dict[str, Any]], times: Mapping[str, float]) -> List[Dict[str, Any]]:
    """The layers with `ms`, None where `times` does not tell."""
    return [{**layer, "ms": times.get(layer["name"])} for layer in layers]


def int8_time_share(layers: List[Dict[str, Any]], times: Mapping[str, float]) -> Optional[float]:
    """Share of the milliseconds in `times` that layers take which compute in INT8; None where there are no times."""
    total = sum(times.values())
    if not total:
        return None
    in_int8 = {layer["name"] for layer in layers if layer["dtype"] == _INT8}
    return sum(ms for name, ms in times.items() if name in in_int8) / total


def int8_layers(layers: List[Dict[str, Any]]) -> int:
    """How many layers compute in INT8."""
    return sum(layer["dtype"] == _INT8 for layer in layers)


def _layer(row: Mapping[str, Any]) -> Dict[str, Any]:
    inputs, outputs = _types(row.get("Inputs", [])), _types(row.get("Outputs", []))
    kind = str(row.get("LayerType", ""))
    idle = kind in _IDLE
    return {
        "name": str(row.get("Name", "")),
        "type": kind,
        "dtype": None if idle else _computed_in(inputs, outputs, row),
        "inputs": inputs,
        "outputs": outputs,
        "tactic": str(row.get("TacticName", "")),
        "idle": idle,
    }


def _named(name: str) -> Dict[str, Any]:
    return {"name": name, "type": "", "dtype": None, "inputs": [], "outputs": [], "tactic": "", "idle": False}


def _computed_in(inputs: List[str], outputs: List[str], row: Mapping[str, Any]) -> Optional[str]:
    """The type of its inputs, else of its weights, else the one in its kernel's name, else of its outputs.

    8.5 says "N/A due to dynamic shapes" for the inputs and outputs of every engine with more than one shape, also with
    an execution context that has shapes; weights and kernels it names all the same (seen on an H200).
    """
    tactic = str(row.get("TacticName", ""))
    if _INT8 in inputs:
        return _INT8
    # Compiled as a whole (Myelin): its borders are float32 while its kernels may not be.
    if not inputs and _INT8 in tactic.lower():
        return _INT8
    weights = row.get("Weights")
    word = str(weights.get("Type", "")).lower() if isinstance(weights, dict) else ""
    kernel = _KERNEL.search(tactic)
    stated = [_WORDS.get(word, word), _KERNEL_WORDS[kernel[1].lower()] if kernel else ""]
    return next((dtype for dtype in (*inputs, *stated, *outputs) if dtype), None)


def _types(tensors: Any) -> List[str]:
    found = []
    for tensor in tensors:
        match = _TYPE.search(str(tensor.get("Format/Datatype", ""))) if isinstance(tensor, dict) else None
        if match:
            word = match[1].lower()
            found.append(_WORDS.get(word, word))
    return found
