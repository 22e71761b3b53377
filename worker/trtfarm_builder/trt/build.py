"""The step `trt-build`: an ONNX model -> an engine for this GPU, with what is in it."""

import time
from pathlib import Path
from typing import Any, Dict, Mapping, Optional

from trtfarm_builder.channel import Channel
from trtfarm_builder.failures import ToolchainUnfitError
from trtfarm_builder.trt.cache_text import CacheText
from trtfarm_builder.trt.calibrators import table_calibrator
from trtfarm_builder.trt.completion import Coverage, cover
from trtfarm_builder.trt.contradictions import check_names, check_precision, strongly_typed
from trtfarm_builder.trt.device import current_device
from trtfarm_builder.trt.given_scales import given_scales, restamped_from, stamped
from trtfarm_builder.trt.network import constant_values
from trtfarm_builder.trt.options import set_io_formats, set_layer_precisions, words_of
from trtfarm_builder.trt.results import answer_of_build
from trtfarm_builder.trt.workshop import Workshop, add_profile, open_workshop, plan_from_network, refused, set_up

#: What is no builder option.
_ARGS = frozenset(
    {
        "model",
        "compute_capability",
        "precision",
        "profiles",
        "more_profiles",
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
    """`args`: model, precision (`int8+fp16`), profiles; all else is optional, more_profiles (a list of such) too.

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
    check_names(args, _ARGS)
    words = words_of(args["precision"])
    table = given_scales(args)
    _check_device(args.get("compute_capability"))
    shop = open_workshop(Path(args["model"]), channel, strongly_typed=strongly_typed(args))
    check_precision(words, args, quantized=shop.view.quantized)
    setup = set_up(shop, args, args["precision"], strongly_typed=strongly_typed(args))
    for profiles in (args["profiles"], *args.get("more_profiles", ())):
        add_profile(shop, setup.config, profiles)
    _set_layers(shop, args)
    coverage = None if table is None else cover(shop.view, table, lambda index: constant_values(shop.network, index))
    calibrator = None if table is None or coverage is None else _calibrator(setup.config, table, coverage)
    built = plan_from_network(shop, setup.config)
    if calibrator is not None:
        calibrator.check(shop.logger.last_errors())
    if built.plan is None:
        raise refused(shop, "build")
    answer = answer_of_build(shop, setup, built, begun, profile=bool(args.get("profile", True)))
    if table is not None and coverage is not None:
        answer["coverage"] = _described(table, coverage)
    return answer


def _check_device(wanted: Optional[str]) -> None:
    device = current_device()
    if wanted not in (None, device["compute_capability"]):
        raise ToolchainUnfitError(
            "this GPU is no {} but a {} ({})".format(wanted, device["compute_capability"], device["name"]),
            cause="TensorRT builds for the GPU that it runs on",
            remedy="build on a host with such a GPU",
        )


def _set_layers(shop: Workshop, args: Mapping[str, Any]) -> None:
    if args.get("layer_precisions"):
        set_layer_precisions(shop.network, args["layer_precisions"])
    if args.get("io_formats"):
        set_io_formats(shop.network, args["io_formats"])


def _calibrator(config: Any, table: CacheText, coverage: Coverage) -> Any:
    """Hands TensorRT the completed table under its own version's header; the names were checked by then."""
    whole = stamped(table, coverage.scales)
    Path("calibration.table").write_bytes(whole.render())
    calibrator = table_calibrator(whole)
    config.int8_calibrator = calibrator
    return calibrator


def _described(table: CacheText, coverage: Coverage) -> Dict[str, Any]:
    return {
        "completed": coverage.completed,
        "harmless": coverage.harmless,
        "harmful": coverage.harmful,
        "unused": coverage.unused,
        "restamped_from": restamped_from(table),
    }
