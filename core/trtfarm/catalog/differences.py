"""What differs between two engines, by all that a farm tells of each (`engine_details`, `engines show --json`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

#: A value of the first engine and of the second; None for what one of them does not have, or was not measured.
Pair = tuple[Any, Any]
Facts = Mapping[str, Any]

#: Ends of the names of nodes that are only there for INT8.
PAIR_NODES = ("/QuantizeLinear", "/DequantizeLinear")
_FACTS = (
    "model",
    "model_digest",
    "precision",
    "calibrator",
    "table",
    "table_reuse",
    "compute_capability",
    "gpu",
    "toolchain",
    "tensorrt",
    "size",
    "build_seconds",
    "layer_count",
    "int8_layers",
    "int8_share",
    "int8_time_share",
    "warning",
)


@dataclass(frozen=True, kw_only=True)
class ComputedOtherwise:
    """A node, or a layer where nodes are not told, and the types that it computes in."""

    name: str
    left: str
    right: str


@dataclass(frozen=True, kw_only=True)
class EngineDiff:
    """Two engines compared; each mapping has only what differs, but for `layers`, which are whole."""

    engines: tuple[str, str]
    same_plan: bool
    facts: Mapping[str, Pair]
    #: By name of the option, of the input (its shapes) and of the tensor (its type and shape).
    options: Mapping[str, Pair]
    profiles: Mapping[str, Pair]
    io: Mapping[str, Pair]
    accuracy: Mapping[str, Pair]
    #: By type: how many layers compute in it.
    layers: Mapping[str, Pair]
    #: By type: the milliseconds that these take, where each engine was timed on a GPU when it was built.
    milliseconds: Mapping[str, Pair]
    computed_otherwise: tuple[ComputedOtherwise, ...]
    #: Nodes that only one of the two leaves in floating point, of those that could be INT8.
    left_in_float: tuple[tuple[str, ...], tuple[str, ...]]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def engine_differences(left: Facts, right: Facts) -> EngineDiff:
    """Compares the details of two engines, which may be of two farms."""
    floats = _left_in_float(left), _left_in_float(right)
    return EngineDiff(
        engines=(left["id"], right["id"]),
        same_plan=left["digest"] == right["digest"],
        facts=_differing(_chosen(left), _chosen(right)),
        options=_differing(left["options"], right["options"]),
        profiles=_differing(left["profiles"], right["profiles"]),
        io=_differing(_tensors(left["io"]), _tensors(right["io"])),
        accuracy=_differing(_accuracy(left["metrics"]), _accuracy(right["metrics"])),
        layers=_pairs(Counter(_types(left)), Counter(_types(right))),
        milliseconds=_pairs(_milliseconds(left["layers"]), _milliseconds(right["layers"])),
        computed_otherwise=tuple(_computed_otherwise(_computed_in(left["layers"]), _computed_in(right["layers"]))),
        left_in_float=(
            tuple(name for name in floats[0] if name not in floats[1]),
            tuple(name for name in floats[1] if name not in floats[0]),
        ),
    )


def _pairs(left: Facts, right: Facts) -> dict[str, Pair]:
    return {name: (left.get(name), right.get(name)) for name in {**left, **right}}


def _differing(left: Facts, right: Facts) -> dict[str, Pair]:
    return {name: pair for name, pair in _pairs(left, right).items() if pair[0] != pair[1]}


def _chosen(details: Facts) -> Facts:
    return {name: details.get(name) for name in _FACTS}


def _tensors(io: Sequence[Facts]) -> dict[str, Any]:
    return {tensor["name"]: {key: value for key, value in tensor.items() if key != "name"} for tensor in io}


def _accuracy(metrics: Facts | None) -> dict[str, Any]:
    """What was measured of an engine against FP32; of outputs without classes each one's mean and least cosine."""
    if metrics is None:
        return {}
    told = {"samples": metrics["samples"], "simulated": metrics["simulated"]}
    if classes := metrics.get("classification"):
        return told | {name: classes["candidate"][name] for name in ("top1", "top5")}
    measures = ("cosine_mean", "cosine_min", "equal_share")
    return told | {
        f"{output} {name}": measured[name]
        for output, measured in metrics["outputs"].items()
        for name in measures
        if name in measured
    }


def _types(details: Facts) -> Iterator[str]:
    return (layer["dtype"] for layer in details["layers"] if layer["dtype"])


def _milliseconds(layers: Sequence[Facts]) -> dict[str, float]:
    total: dict[str, float] = {}
    for layer in layers:
        if layer.get("ms") is not None:
            word = layer["dtype"] or "unknown"
            total[word] = total.get(word, 0.0) + layer["ms"]
    return total


def _computed_in(layers: Sequence[Facts]) -> dict[str, set[str]]:
    """The types that each node computes in: one of several layers may be a part of it, or its turn in a profile."""
    found: dict[str, set[str]] = {}
    for layer in layers:
        if layer["dtype"] and not layer.get("idle"):
            for name in layer.get("onnx_nodes") or [layer["name"]]:
                if not name.endswith(PAIR_NODES):
                    found.setdefault(name, set()).add(layer["dtype"])
    return found


def _computed_otherwise(left: Mapping[str, set[str]], right: Mapping[str, set[str]]) -> Iterator[ComputedOtherwise]:
    for name, types in left.items():
        if types != right.get(name, types):
            yield ComputedOtherwise(name=name, left=_joined(types), right=_joined(right[name]))


def _joined(types: set[str]) -> str:
    return "+".join(sorted(types))


def _left_in_float(details: Facts) -> list[str]:
    return [left["node"] for left in details["left_in_float"]]
