"""The farm's cacheable actions, and the fields that make two of them the same.

A key is the digest of an action's name and fields. A field left out hands out wrong results; one too many builds twice.
Fields stay readable, because `explain` compares them one by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

from trtfarm.calibrators import CalibrationRule
from trtfarm.digests import digest_of_json

#: Raised when the reference calibrator's rules change, so that tables made by older rules are not handed out.
REFERENCE_REVISION = 3
#: Raised when the quantizer places Q/DQ nodes otherwise.
QUANTIZER_REVISION = 1
#: Raised when the search finds other nodes.
SEARCH_REVISION = 1
#: Raised when the converter leaves other nodes in float32, or rounds otherwise.
CONVERTER_REVISION = 1
#: Raised when accuracy is measured otherwise: other sums, other samples, another output that is the classifier's.
MEASURES_REVISION = 1
#: Raised when what FP32 computes is recorded otherwise.
RECORDING_REVISION = 1
#: The TensorRT whose tables the reference calibrator reproduces; it is what their header says.
REFERENCE_TENSORRT = "8.5.3.1"


class ActionKind(StrEnum):
    """A step of a submission; each runs in one builder child."""

    #: Model and a share of the data -> statistics, of which a table is made with those of the other shares.
    OBSERVE = "observe"
    #: Model, data and rule -> a calibration table.
    CALIBRATE = "calibrate"
    #: Model and table -> an ONNX with Q/DQ nodes, for toolchains that take INT8 in no other way.
    QUANTIZE = "quantize"
    #: Model, table and data -> such an ONNX that leaves out the nodes which lose too much.
    SEARCH = "search"
    #: ONNX, with Q/DQ nodes or without -> one that computes in float16, for toolchains that run what the ONNX says.
    CONVERT = "convert"
    #: FP32 against what was made of it on held-out data -> accuracy.
    VERIFY = "verify"
    #: ONNX, and a table where that holds the scales -> an engine for one compute capability and TensorRT version.
    BUILD = "build"
    #: Model and held-out data -> what FP32 computes, in ONNX Runtime.
    RECORD = "record"
    #: Engine against such outputs, on its GPU -> accuracy.
    MEASURE = "measure"
    #: The accuracies of several tables -> the best of these tables. The farm itself does it, there is no job.
    CHOOSE = "choose"


@dataclass(frozen=True)
class Action:
    """An action with all that its result depends on; `fields` holds plain JSON values."""

    kind: ActionKind
    fields: Mapping[str, Any]

    @cached_property
    def key(self) -> str:
        return digest_of_json({"action": self.kind.value, **self.fields})


def calibrate(
    *,
    model: str,
    dataset: str,
    rule: CalibrationRule,
    tensorrt: str | None = None,
    compute_capability: str | None = None,
) -> Action:
    """`model` and `dataset` are digests; the data set's covers content, order and preprocessing.

    With `tensorrt`, an exact version, that one's own calibrator runs on a GPU of `compute_capability`. Where the GPU
    runs makes no difference to a table that is portable, so there it stays out of the key.
    """
    made_by: dict[str, Any] = {
        "engine": "reference",
        "revision": REFERENCE_REVISION,
        "tensorrt": REFERENCE_TENSORRT,
    }
    if tensorrt is not None:
        tied = {} if rule.portable else {"compute_capability": compute_capability}
        made_by = {"engine": "tensorrt", "tensorrt": tensorrt, **tied}
    return Action(ActionKind.CALIBRATE, {"model": model, "dataset": dataset, **rule.as_dict(), **made_by})


def observe(
    *, model: str, dataset: str, statistic: str, batch_size: int, samples: tuple[int, int], bases: str | None
) -> Action:
    """`samples` are the first one and the one after the last; `bases` is the digest of where histograms begin.

    The data set is in the key, and not the share's own content: the first samples of all decide how a model is run.
    """
    observed = {"statistic": statistic, "batch_size": batch_size, "samples": list(samples), "bases": bases}
    return Action(ActionKind.OBSERVE, {"model": model, "dataset": dataset, **observed, "revision": REFERENCE_REVISION})


def quantize(*, model: str, scales: str, options: Mapping[str, Any]) -> Action:
    """`scales` is the digest of the table's scales: tables with equal numbers give equal models."""
    return Action(
        ActionKind.QUANTIZE,
        {"model": model, "scales": scales, "options": dict(options), "revision": QUANTIZER_REVISION},
    )


def search(
    *, model: str, scales: str, dataset: str, options: Mapping[str, Any], allowed: float, measure: str
) -> Action:
    """`dataset` is the digest of the data to search with; `allowed` the share that may be lost, by this measure."""
    aim = {"dataset": dataset, "allowed": allowed, "measure": measure, "search_revision": SEARCH_REVISION}
    quantized = quantize(model=model, scales=scales, options=options).fields
    return Action(ActionKind.SEARCH, {**quantized, **aim})


def convert(*, onnx: str, weights: str | None, options: Mapping[str, Any]) -> Action:
    """`onnx` is the digest of the model, or of the Q/DQ model's file; that of a large model has `weights` beside it."""
    fields = {"onnx": onnx, "weights": weights, "type": "float16", "options": dict(options)}
    return Action(ActionKind.CONVERT, {**fields, "revision": CONVERTER_REVISION})


def verify(*, model: str, quantized: str, dataset: str) -> Action:
    """`quantized` is the digest of the rewritten model's file. On the CPU this simulates the engine, and says so."""
    compared = {"model": model, "quantized": quantized, "dataset": dataset, "engine": "onnxruntime"}
    return Action(ActionKind.VERIFY, {**compared, **_since(revision=MEASURES_REVISION)})


def build(
    *,
    onnx: str,
    weights: str | None,
    precision: str,
    toolchain: str,
    tensorrt: str,
    compute_capability: str,
    profiles: Mapping[str, Any],
    options: Mapping[str, Any],
    scales: str | None = None,
    algorithm: str | None = None,
) -> Action:
    """`onnx` is the digest of the file handed to the builder; `toolchain` the kind, `tensorrt` the exact version.

    A file made of a large model names weights in another one, so its own digest does not cover them: `weights` does.
    `scales` is the digest of the scales of a table that is handed over beside it, and `algorithm` what its header says
    but for the version: the builder fills in what a table lacks by that rule.
    """
    table = {} if scales is None else {"scales": scales, "algorithm": algorithm}
    return Action(
        ActionKind.BUILD,
        {
            "onnx": onnx,
            "weights": weights,
            "precision": precision,
            "toolchain": toolchain,
            "tensorrt": tensorrt,
            "compute_capability": compute_capability,
            "profiles": dict(profiles),
            "options": dict(options),
            **table,
        },
    )


def record(*, model: str, dataset: str) -> Action:
    """`model` and `dataset` are digests."""
    computed = {"model": model, "dataset": dataset, "engine": "onnxruntime"}
    return Action(ActionKind.RECORD, {**computed, **_since(revision=RECORDING_REVISION)})


def measure(
    *, model: str, dataset: str, engine: str, tensorrt: str, compute_capability: str, profile: int | None = None
) -> Action:
    """`engine` is the digest of the plan; `tensorrt` and `compute_capability` say what runs it.

    `profile` is the number of an optimization profile, None for the first that takes the data.
    """
    ran = {"engine": engine, "tensorrt": tensorrt, "compute_capability": compute_capability}
    said = {} if profile is None else {"profile": profile}
    by = _since(revision=MEASURES_REVISION, recording=RECORDING_REVISION)
    return Action(ActionKind.MEASURE, {"model": model, "dataset": dataset, **ran, **said, **by})


def choose(*, verifications: Sequence[str]) -> Action:
    """`verifications` are the keys of what was measured with each table, in the order that decides between equals."""
    return Action(ActionKind.CHOOSE, {"verifications": list(verifications)})


def _since(**revisions: int) -> dict[str, int]:
    """Revisions in keys that had none at first: what farms stored by the first ones is found as ever."""
    return {name: revision for name, revision in revisions.items() if revision > 1}
