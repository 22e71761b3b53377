"""The layers of an engine, read from the text that TensorRT logs at VERBOSE with detailed profiling verbosity.

The engine inspector would say the same, but it needs a GPU.
"""

import re
from typing import Any, Dict, List, Mapping, Optional, Sequence

from trtfarm_builder.datatypes import numpy_word

#: How the one log message that lists the engine's layers begins.
HEADING = "Layers:\n"
_LAYER = re.compile(
    r"Name: (?P<name>.*?), LayerType: (?P<type>\w+), Inputs: \[(?P<inputs>.*?)\], Constants: \[(?P<constants>.*?)\], "
    r"Outputs: \[(?P<outputs>.*?)\], TacticName: .*?, StreamId: \d+, Metadata: (?P<metadata>.*)"
)
_DATATYPE = re.compile(r"\bDatatype: (\w+)")
_ONNX_NODE = re.compile(r"\[ONNX Layer: ([^\]]*)\]")
# Code that the compiler writes itself: element-wise chains, casts, layout changes.
_GENERATED = "kgen"
_INT8 = "int8"


def layers_from_log(text: str) -> List[Dict[str, Any]]:
    """Each layer as {name, type, dtype, inputs, outputs, onnx_nodes}, in the order in which they run.

    `inputs` and `outputs` are datatypes in NumPy's words; `dtype` is the one that the layer computes in, None for a
    layer without inputs (shape arithmetic).
    """
    return [_layer(match) for match in map(_LAYER.match, text.splitlines()) if match]


def int8_layers_of(layers: Sequence[Mapping[str, Any]]) -> int:
    """How many of the layers compute in INT8."""
    return sum(layer["dtype"] == _INT8 for layer in layers)


def _layer(match: "re.Match[str]") -> Dict[str, Any]:
    inputs, outputs = _datatypes(match["inputs"]), _datatypes(match["outputs"])
    return {
        "name": match["name"],
        "type": match["type"],
        "dtype": _computed_in(match["type"], inputs, outputs),
        "inputs": inputs,
        "outputs": outputs,
        "onnx_nodes": _ONNX_NODE.findall(match["metadata"]),
    }


def _computed_in(kind: str, inputs: List[str], outputs: List[str]) -> Optional[str]:
    """INT8 for what reads INT8, but not for generated code that only turns it into something else (dequantises)."""
    if _INT8 in inputs and (kind != _GENERATED or _INT8 in outputs):
        return _INT8
    return next((dtype for dtype in inputs + outputs if dtype != _INT8), None) if inputs else None


def _datatypes(text: str) -> List[str]:
    return [numpy_word(word) for word in _DATATYPE.findall(text)]
