"""What a table lacks of the parsed network: filled where it follows exactly, else judged by whether it may cost INT8.

A table from another place names the tensors of the ONNX file. TensorRT's own tables also name what its parser puts
between them; and those `(Unnamed Layer* N)` entries are known only where the parsed network is. Most of them follow
from the others; the product within a Gemm does not, so the reference calibrator measures it under a name of its own.
"""

from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Mapping, Optional, Set

import numpy as np

from trtfarm_builder.failures import BadTableError
from trtfarm_builder.reference.observation import STATISTICS
from trtfarm_builder.reference.rules import rule_from
from trtfarm_builder.reference.scales import ASSUMED_AMAX, scale_hex
from trtfarm_builder.tensor_names import gemm_output, product_name
from trtfarm_builder.trt.cache_text import CacheText
from trtfarm_builder.trt.network_view import Layer, NetworkView

_STEPS = np.float32(127)
_SHOWN = 5
_HARM = "layers that read or give it cannot run in INT8"
# Seen of 8.5.3 on an H200 with such a table: LeNet's second product stayed in FP32, its first ran in INT8.
_HARM_BEFORE_BIAS = "is between a matrix product and its bias: TensorRT may keep the product out of INT8"
#: The values of the constant layer with this index.
Constants = Callable[[int], Any]


@dataclass(frozen=True)
class Coverage:
    """`scales` are the table's with those that were `completed` ({tensor, reason}) at the end.

    What is still missing is `harmless` or `harmful` ({tensor, reason}); `unused` are entries for no tensor of the
    network, which TensorRT ignores.
    """

    scales: Dict[str, str]
    completed: List[Dict[str, str]]
    harmless: List[Dict[str, str]]
    harmful: List[Dict[str, str]]
    unused: List[str]


def cover(view: NetworkView, table: CacheText, constants: Constants) -> Coverage:
    """Compares a table with the network that is to be built from it. Raises BadTableError where they share nothing."""
    tensors = view.tensors
    unused = [name for name in table.scales if name not in tensors and gemm_output(name) not in tensors]
    if len(unused) == len(table.scales):
        raise BadTableError(
            "the table names no tensor of this model",
            cause="it names {}; the model has {}".format(_shown(table.scales), _shown(tensors)),
            remedy="use the table that was made for this model",
        )
    scales, completed = dict(table.scales), []
    for tensor, scale, reason in _derived(view, table, constants):
        scales[tensor] = scale
        completed.append({"tensor": tensor, "reason": reason})
    missing = [tensor.name for tensor in tensors.values() if tensor.is_float and tensor.name not in scales]
    excuses = {name: _excuse(view, name, scales) for name in missing}
    return Coverage(
        scales=scales,
        completed=completed,
        harmless=[{"tensor": name, "reason": why} for name, why in excuses.items() if why],
        harmful=[
            {"tensor": name, "reason": _HARM_BEFORE_BIAS if _before_bias(view, name) else _HARM}
            for name, why in excuses.items()
            if not why
        ],
        unused=unused,
    )


def _derived(view: NetworkView, table: CacheText, constants: Constants) -> List[Any]:
    """(tensor, scale, reason) of what follows from the table and the network, until nothing more does."""
    known = dict(table.scales)
    producers = {tensor.name: layer for layer in view.layers for tensor in layer.outputs}
    found = []
    for layer in view.layers:
        for tensor in layer.outputs:
            scale, reason = _scale_of_output(layer, known, table, constants)
            if not scale and layer.kind == "MATRIX_MULTIPLY":
                scale, reason = _scale_of_product(view, tensor.name, table)
            if not tensor.is_float or tensor.name in known or not scale:
                continue
            known[tensor.name] = scale
            # TensorRT gives single numbers no scale, but what they are reshaped to.
            if tensor.rank != 0:
                found.append((tensor.name, scale, reason))
    for layer in reversed(view.layers):
        source = _unscaled_source(view, layer, known, producers)
        if source:
            known[source] = known[layer.outputs[0].name]
            found.append((source, known[source], "is reshaped to {!r}".format(layer.outputs[0].name)))
    return found


def _scale_of_output(layer: Layer, known: Mapping[str, str], table: CacheText, constants: Constants) -> Any:
    """Scale and reason, or None and "" where it does not follow from what comes before."""
    # With a cutoff, the range of a constant depends on how many batches it was seen in, which a table does not say.
    if layer.kind == "CONSTANT" and layer.outputs[0].is_float and table.cutoff == 1:
        return _constant_scale(table, constants(layer.index)), "is a constant"
    source = layer.inputs[0] if layer.inputs else ""
    if layer.kind == "POOLING" and source in known:
        return known[source], "is pooled from {!r}".format(source)
    if layer.kind == "SHUFFLE" and source not in table.scales and source in known:
        return known[source], "is reshaped from {!r}".format(source)
    return None, ""


def _scale_of_product(view: NetworkView, name: str, table: CacheText) -> Any:
    """Scale and reason, where the table has the matrix product `name` under the output of the sum it goes into."""
    sums = [layer.outputs[0].name for layer in _readers(view, name) if layer.kind == "ELEMENTWISE"]
    output = next((output for output in sums if product_name(output) in table.scales), None)
    if output is None:
        return None, ""
    return table.scales[product_name(output)], "is the product within {!r}".format(output)


def _readers(view: NetworkView, name: str) -> List[Layer]:
    return [layer for layer in view.layers if name in layer.inputs]


def _unscaled_source(
    view: NetworkView, layer: Layer, known: Mapping[str, str], producers: Mapping[str, Layer]
) -> Optional[str]:
    """The input of a reshaping that lacks a scale while its output has one: they hold the same values.

    Not so where the input comes from pooling: that carries the scale of what was pooled. And where the network's own
    output is only reshaped, TensorRT gives the scale to that.
    """
    if layer.kind != "SHUFFLE" or not layer.outputs[0].is_float or layer.outputs[0].name not in known:
        return None
    if layer.outputs[0].name in view.outputs:
        return None
    source = layer.inputs[0]
    producer = producers.get(source)
    if source in known or producer is None or producer.kind in ("POOLING", "CONSTANT"):
        return None
    return source


def _constant_scale(table: CacheText, values: Any) -> str:
    """A constant's scale by the rule that made the table; the constant was seen unchanged in every batch."""
    rule = rule_from({"calibrator": table.calibrator, "batch_size": 1, "quantile": table.quantile, "cutoff": 1.0})
    statistic = STATISTICS[rule.statistic]()
    statistic.add(np.asarray(values))
    if statistic.recount():
        statistic.add(np.asarray(values))
    statistic.end_batch()
    amax = rule.amax(statistic.summary()) if statistic.base and not statistic.fault else ASSUMED_AMAX
    return scale_hex(float(np.float32(amax) / _STEPS))


def _excuse(view: NetworkView, name: str, scales: Mapping[str, str]) -> str:
    """Why it does no harm that tensor `name` has no scale; empty where it may."""
    if view.tensors[name].rank == 0:
        return "is a single number, which TensorRT gives no scale"
    readers = _readers(view, name)
    producer = next((layer for layer in view.layers if any(t.name == name for t in layer.outputs)), None)
    if producer and producer.kind == "SHUFFLE" and producer.inputs[0] in scales:
        return "is reshaped from {!r}, which has one".format(producer.inputs[0])
    reshaped = [layer.outputs[0].name for layer in readers if layer.kind == "SHUFFLE"]
    if any(output in scales and output in view.outputs for output in reshaped):
        return "is only reshaped to an output, which has one"
    return "is a constant" if name in _constants(view) else ""


def _before_bias(view: NetworkView, name: str) -> bool:
    """Whether all that reads the matrix product `name` adds a constant to it, as in a Gemm."""
    producer = next((layer for layer in view.layers if any(t.name == name for t in layer.outputs)), None)
    readers = _readers(view, name)
    constants = _constants(view)
    biased = [layer for layer in readers if layer.kind == "ELEMENTWISE" and constants.intersection(layer.inputs)]
    return producer is not None and producer.kind == "MATRIX_MULTIPLY" and bool(readers) and readers == biased


def _constants(view: NetworkView) -> Set[str]:
    """Constants, and what they are reshaped to."""
    constants = {tensor.name for layer in view.layers if layer.kind == "CONSTANT" for tensor in layer.outputs}
    reshaped = (layer for layer in view.layers if layer.kind == "SHUFFLE" and layer.inputs[0] in constants)
    return constants | {tensor.name for layer in reshaped for tensor in layer.outputs}


def _shown(names: Any) -> str:
    listed = list(names)
    return ", ".join(map(repr, listed[:_SHOWN])) + (
        " and {} more".format(len(listed) - _SHOWN) if listed[_SHOWN:] else ""
    )
