"""The step `trt-build`: an ONNX model -> an engine for this GPU, with what is in it."""

import struct
import time
from pathlib import Path
from typing import Any, Dict, Mapping, Optional

from trtfarm_builder.channel import Channel
from trtfarm_builder.failures import BadModelError, BadRequestError, BadTableError, ToolchainUnfitError
from trtfarm_builder.trt.binding import header_digits, trt
from trtfarm_builder.trt.cache_text import CacheText, check_scales, parse_cache
from trtfarm_builder.trt.calibrators import table_calibrator
from trtfarm_builder.trt.completion import Coverage, cover
from trtfarm_builder.trt.device import current_device
from trtfarm_builder.trt.interfaces import interface_of
from trtfarm_builder.trt.network import constant_values
from trtfarm_builder.trt.options import (
    NAMES,
    PRECISION_FLAGS,
    allow_precisions,
    lacking,
    set_io_formats,
    set_layer_precisions,
    words_of,
)
from trtfarm_builder.trt.results import answer_of_build
from trtfarm_builder.trt.timing_cache import set_timing_cache, timing_cache_for
from trtfarm_builder.trt.workshop import Workshop, add_profile, config_for, open_workshop, plan_from_network, refused

_SCALES = ("table", "scales", "dynamic_ranges")
#: What is no builder option.
_ARGS = frozenset(
    {
        "model",
        "compute_capability",
        "precision",
        "profiles",
        "table",
        "scales",
        "calibrator",
        "dynamic_ranges",
        "timing_cache",
        "timing_caches",
        "tactic_sources",
        "layer_precisions",
        "io_formats",
        "strongly_typed",
        "profile",
    }
)


def run(args: Dict[str, Any], channel: Channel) -> Dict[str, Any]:
    """`args`: model, precision (`int8+fp16`), profiles; all else is optional.

    For INT8 of a model without Q/DQ nodes: table (path of a calibration table's exact text) or scales {tensor: hex of
    float32 amax / 127} with calibrator (the rule that made them; entropy2); dynamic_ranges {tensor: amax} win over
    both.
    timing_cache (path) or timing_caches {name of a GPU: path}, tactic_sources (names), layer_precisions {layer: word},
    io_formats, strongly_typed, and builder options; profile (True: the built engine is run to time its layers).
    compute_capability, if given, must be this GPU's.

    Returns as `rtx-build` with more (see `answer_of_build`), and with a table coverage: {completed, harmless, harmful,
    unused, restamped_from}.
    """
    begun = time.monotonic()
    _check_names(args)
    words = words_of(args["precision"])
    table = _table_of(args) if any(args.get(name) for name in _SCALES) else None
    _check_device(args.get("compute_capability"))
    shop = open_workshop(Path(args["model"]), channel, strongly_typed=_strongly_typed(args))
    _check_precision(shop, words, args)
    config, sources = config_for(shop, args)
    if not _strongly_typed(args):
        allow_precisions(config, args["precision"])
    taken = set_timing_cache(config, timing_cache_for(args, current_device()["name"]), channel)
    add_profile(shop, config, args["profiles"])
    _set_layers(shop, args)
    coverage = None if table is None else cover(shop.view, table, lambda index: constant_values(shop.network, index))
    calibrator = None if table is None or coverage is None else _calibrator(config, table, coverage)
    built = plan_from_network(shop, config)
    if calibrator is not None:
        calibrator.check(shop.logger.last_errors())
    if built.plan is None:
        raise refused(shop, "build")
    answer = answer_of_build(
        shop,
        config,
        built,
        begun,
        precision=args["precision"],
        sources=sources,
        warm=taken,
        profile=bool(args.get("profile", True)),
    )
    if table is not None and coverage is not None:
        answer["coverage"] = _described(table, coverage)
    return answer


def _check_names(args: Mapping[str, Any]) -> None:
    unknown = sorted(set(args) - _ARGS - NAMES)
    if unknown:
        raise BadRequestError(
            "TensorRT has no builder option {}".format(", ".join(unknown)),
            remedy="use: " + ", ".join(sorted(NAMES | _ARGS - {"model", "precision", "profiles"})),
        )


def _check_device(wanted: Optional[str]) -> None:
    device = current_device()
    if wanted not in (None, device["compute_capability"]):
        raise ToolchainUnfitError(
            "this GPU is no {} but a {} ({})".format(wanted, device["compute_capability"], device["name"]),
            cause="TensorRT builds for the GPU that it runs on",
            remedy="build on a host with such a GPU",
        )


def _strongly_typed(args: Mapping[str, Any]) -> bool:
    """Asked for, or the only way that this TensorRT has."""
    flags = trt.NetworkDefinitionCreationFlag.__members__
    if args.get("strongly_typed") and "STRONGLY_TYPED" not in flags:
        raise lacking("strongly_typed", "10.0")
    return bool(args.get("strongly_typed")) or "INT8" not in trt.BuilderFlag.__members__


def _check_precision(shop: Workshop, words: Any, args: Mapping[str, Any]) -> None:
    """Raises for what TensorRT would ignore or get wrong in silence."""
    given = [name for name in _SCALES if args.get(name)]
    if given and (shop.view.quantized or "int8" not in words):
        raise BadRequestError(
            "{} would not be used".format(given[0]),
            cause="the model's Q/DQ nodes hold its scales" if shop.view.quantized else "the precision is not int8",
            remedy="leave it out, or ask for int8 of the model from before quantisation",
        )
    if shop.view.quantized and "int8" not in words:
        raise BadModelError(
            "the model has Q/DQ nodes, so TensorRT needs INT8 to build it",
            remedy="ask for int8, or hand in the model from before quantisation",
        )
    if "int8" in words and not shop.view.quantized and not given:
        raise BadRequestError(
            "INT8 needs scales, and the model has no Q/DQ nodes", remedy="give a table, or quantise the model"
        )
    if _strongly_typed(args) and given:
        raise lacking("calibration tables for strongly typed networks", "8.5", "11.0")
    types_given = [word for word in words if word in PRECISION_FLAGS and word != "int8"]
    if _strongly_typed(args) and types_given:
        raise BadRequestError(
            "a strongly typed network takes no precision {}".format(types_given[0]),
            cause="its own types decide",
            remedy="export the model with these types, or leave strongly_typed out",
        )
    if args.get("layer_precisions") and not args.get("precision_constraints"):
        raise BadRequestError(
            "layer_precisions would not be heeded", remedy="say how strictly: precision_constraints prefer or obey"
        )


def _set_layers(shop: Workshop, args: Mapping[str, Any]) -> None:
    if args.get("layer_precisions"):
        set_layer_precisions(shop.network, args["layer_precisions"])
    if args.get("io_formats"):
        set_io_formats(shop.network, args["io_formats"])


def _table_of(args: Mapping[str, Any]) -> CacheText:
    """Table, scales and ranges as one table; a range by hand takes the place of a scale."""
    if args.get("table"):
        table = parse_cache(Path(args["table"]).read_bytes())
    else:
        word = args.get("calibrator", "entropy2")
        interface_of(word)
        table = CacheText(
            calibrator=word,
            digits=header_digits(trt.__version__),
            quantile=1.0,
            cutoff=1.0,
            scales=dict(args.get("scales") or {}),
        )
    ranges = {tensor: _scale_hex(tensor, amax) for tensor, amax in (args.get("dynamic_ranges") or {}).items()}
    merged = {**table.scales, **ranges}
    if not merged:
        raise BadTableError("the table has no scales", remedy="calibrate again")
    check_scales(merged)
    return _with(table, merged)


def _scale_hex(tensor: str, amax: float) -> str:
    try:
        return struct.pack(">f", amax / 127).hex()
    except (struct.error, OverflowError, TypeError) as error:
        raise BadRequestError("the range of {!r} is no number: {!r}".format(tensor, amax)) from error


def _with(table: CacheText, scales: Dict[str, str], digits: Optional[str] = None) -> CacheText:
    return CacheText(
        calibrator=table.calibrator,
        digits=table.digits if digits is None else digits,
        quantile=table.quantile,
        cutoff=table.cutoff,
        scales=scales,
    )


def _calibrator(config: Any, table: CacheText, coverage: Coverage) -> Any:
    """Hands TensorRT the completed table under its own version's header; the names were checked by then."""
    stamped = _with(table, coverage.scales, "" if table.calibrator == "legacy" else header_digits(trt.__version__))
    Path("calibration.table").write_bytes(stamped.render())
    calibrator = table_calibrator(stamped)
    config.int8_calibrator = calibrator
    return calibrator


def _described(table: CacheText, coverage: Coverage) -> Dict[str, Any]:
    own = header_digits(trt.__version__)
    return {
        "completed": coverage.completed,
        "harmless": coverage.harmless,
        "harmful": coverage.harmful,
        "unused": coverage.unused,
        "restamped_from": table.digits if table.digits not in ("", own) else None,
    }
