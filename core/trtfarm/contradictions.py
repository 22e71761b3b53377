"""Requests that contradict themselves, told at once instead of by a step that fails later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trtfarm.build_options import DLA_CORE, DYNAMIC_RANGES, STRONGLY_TYPED, check_options
from trtfarm.calibrators import Calibrator
from trtfarm.errors import UsageError
from trtfarm.precisions import PRECISIONS, check_precision, strongly_typed
from trtfarm.requirements import MOST_MEMORY, MOST_REQUIRED, labels_of
from trtfarm.routing import MOST_URGENT
from trtfarm.shards import MOST_SHARDS
from trtfarm.versions import TensorRTVersion

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trtfarm.calibrators import CalibrationRule
    from trtfarm.submission_request import SubmissionRequest
    from trtfarm.targets import BuildTarget

#: The first TensorRT that runs a network in its own types if it is asked to; later ones do nothing else.
_TYPED_ON_REQUEST_FROM = 10


def check(request: SubmissionRequest) -> None:
    """Raises UsageError for a request that contradicts itself, or that none of its targets could follow."""
    check_precision(request.precision)
    if not -MOST_URGENT <= request.priority <= MOST_URGENT:
        raise UsageError(f"no priority {request.priority}", remedy=f"use -{MOST_URGENT} to {MOST_URGENT}")
    if not request.targets:
        raise UsageError("no target to build for", remedy="name one with --target sm_89")
    if len(set(request.targets)) < len(request.targets):
        raise UsageError("a target is named twice", remedy="name each once")
    _check_types(request)
    _check_shards(request)
    _check_place(request)
    if request.prequantized:
        _check_prequantized(request)
    elif PRECISIONS[request.precision].quantized:
        _check_scales(request)
        _check_calibration(request)
    else:
        _check_unquantized(request)
    if request.max_drop is not None:
        _check_gate(request, request.max_drop)
    if request.search:
        _check_search(request)
    for target in request.targets:
        check_options(request.build_options, target.toolchain)


def check_typing(options: Mapping[str, Any], targets: Sequence[BuildTarget]) -> None:
    """Raises UsageError where strongly typed networks are asked of a TensorRT that has none."""
    versions = [TensorRTVersion.parse(target.tensorrt) for target in targets if target.on_gpu]
    older = [version for version in versions if version.major < _TYPED_ON_REQUEST_FROM]
    if options.get(STRONGLY_TYPED) and older:
        raise UsageError(
            f"TensorRT {older[0]} has no strongly typed networks",
            cause=f"they are there from {_TYPED_ON_REQUEST_FROM}.0 on",
            remedy="leave the option strongly_typed out, or name a newer TensorRT with --tensorrt",
        )


def _check_types(request: SubmissionRequest) -> None:
    check_typing(request.build_options, request.targets)
    typed = [target for target in request.targets if strongly_typed(target, request.build_options)]
    if PRECISIONS[request.precision].by_flag and typed and not request.prequantized:
        raise UsageError(
            f"{request.precision} is something that TensorRT before 11 is allowed to use; other toolchains run the "
            "types that the model has",
            remedy="export the model in that type, or build it with an older TensorRT",
        )
    if request.explicit and not PRECISIONS[request.precision].quantized:
        raise UsageError(f"{request.precision} has no Q/DQ nodes", remedy="leave --explicit out, or ask for int8")


def _check_place(request: SubmissionRequest) -> None:
    if labels_of(request.require_labels, most=MOST_REQUIRED) != request.require_labels:
        raise UsageError("required labels are named twice or out of order", remedy="sort them")
    memory = request.require_gpu_memory
    if memory is not None and not 0 <= memory <= MOST_MEMORY << 30:
        raise UsageError(f"no GPU has {memory} bytes of memory", remedy=f"require 0 to {MOST_MEMORY} GiB")
    if memory and not any(target.on_gpu for target in (*request.targets, request.calibrate_on) if target):
        raise UsageError(
            "no job of this runs on a GPU, so that its memory does not matter",
            cause="TensorRT-RTX builds ahead of time, on a CPU",
            remedy="leave --require-gpu-memory out",
        )


def _check_shards(request: SubmissionRequest) -> None:
    if not 1 <= request.shards <= MOST_SHARDS:
        raise UsageError(f"{request.shards} shards are not possible", remedy=f"use 1 to {MOST_SHARDS}")
    if request.shards > 1 and not request.rules:
        raise UsageError("nothing is calibrated, and so nothing in shards", remedy="leave --shards out")


def _check_scales(request: SubmissionRequest) -> None:
    calibrates = request.dataset_id is not None and bool(request.rules) and not (request.rule and request.candidates)
    neither = not request.rules and (request.dataset_id is None or request.search)
    by_hand = (
        neither and bool(request.build_options.get(DYNAMIC_RANGES)) and all(map(request.implicit, request.targets))
    )
    from_table = neither and request.table_id is not None
    if not ((calibrates and request.table_id is None) or from_table or by_hand):
        raise UsageError(
            f"{request.precision} needs scales, from one place",
            remedy="hand in calibration data and a calibrator, or a table",
        )


def _check_prequantized(request: SubmissionRequest) -> None:
    useless = {
        "calibration data": request.dataset_id,
        "a calibrator": request.rules,
        "a table": request.table_id,
        "a search": request.search,
        "ranges by hand": request.build_options.get(DYNAMIC_RANGES),
        "nodes to leave out": any(request.quantizer_options.values()),
    }
    given = [what for what, value in useless.items() if value]
    if given:
        raise UsageError(
            f"a model with Q/DQ nodes has no use for {', '.join(given)}",
            cause="they hold its scales",
            remedy="leave it out, or hand in the model from before quantisation",
        )
    precision = PRECISIONS[request.precision]
    if not precision.by_nodes or (precision.quantized and not request.explicit):
        raise UsageError("a model with Q/DQ nodes is built in explicit INT8, or FP8", remedy="ask for explicit int8")


def _check_calibration(request: SubmissionRequest) -> None:
    """Raises UsageError for calibrations that nobody can do, and for tables that their targets could not take."""
    if request.shards > 1 and request.calibrate_on is not None:
        raise UsageError(
            "TensorRT calibrates in one piece",
            cause="its calibrators keep what they observe to themselves, so that shards of the data cannot be merged",
            remedy="add --calibrate-with reference, or leave --shards out",
        )
    for rule in request.rules:
        _check_rule(request, rule)
    if request.candidates and request.test_dataset_id is None:
        raise UsageError(
            "calibrators are compared on data that was not used for calibration",
            remedy="hand it in with --test-data, or put it into a folder test/ beside the calibration data",
        )


def _check_rule(request: SubmissionRequest, rule: CalibrationRule) -> None:
    if request.calibrate_on is None and not rule.before_fusion:
        raise UsageError(
            "only TensorRT itself calibrates after fusion", remedy="use --calibrate-with tensorrt on a GPU"
        )
    if request.calibrate_on is not None and not rule.calibrator.native:
        raise UsageError(f"TensorRT has no calibrator {rule.calibrator}", remedy="use --calibrate-with reference")
    on_dla = DLA_CORE in request.build_options and any(map(request.implicit, request.targets))
    if on_dla and rule.calibrator is not Calibrator.ENTROPY2:
        raise UsageError(
            f"a table of {rule.calibrator} is none for a DLA",
            cause="NVIDIA requires IInt8EntropyCalibrator2 there",
            remedy="add --calibrator entropy2, or leave dla_core out",
        )
    others = [target for target in request.targets if target != request.calibrate_on and request.implicit(target)]
    if others and not rule.portable:
        raise UsageError(
            f"a table that is made after fusion is for the GPU that made it, not for {others[0]}",
            remedy="calibrate before fusion, or submit for each target alone",
        )


def _check_search(request: SubmissionRequest) -> None:
    if any(map(request.implicit, request.targets)) or not PRECISIONS[request.precision].quantized:
        raise UsageError(
            "a search finds nodes that get no Q/DQ nodes, and not every target takes those",
            remedy="ask for explicit int8, or leave the search out",
        )
    if request.max_drop is None:
        raise UsageError("--search needs to know how much may be lost", remedy="add --max-drop 1%")
    if request.dataset_id is None:
        raise UsageError("a search needs calibration data", remedy="hand it in with --data")


def _check_unquantized(request: SubmissionRequest) -> None:
    useless = {
        "calibration data": request.dataset_id,
        "a calibrator": request.rules or None,
        "a table": request.table_id,
    }
    if not PRECISIONS[request.precision].float16 and not any(target.on_gpu for target in request.targets):
        useless["test data"] = request.test_dataset_id
    given = [what for what, value in useless.items() if value is not None]
    if given:
        raise UsageError(
            f"{request.precision} has no use for {', '.join(given)}", remedy="leave it out, or ask for int8"
        )


def _check_gate(request: SubmissionRequest, max_drop: float) -> None:
    if request.test_dataset_id is None:
        raise UsageError(
            "an accuracy gate needs data that was not used for calibration",
            remedy="hand it in with --test-data, or leave --max-drop out",
        )
    if not 0 <= max_drop <= 1:
        raise UsageError(f"an accuracy gate of {max_drop * 100:g}% is not possible", remedy="use 0 to 100 percent")
