"""The step `trt-calibrate`: TensorRT's own calibrators on the GPU, fed from prepared arrays."""

import threading
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Tuple

from trtfarm_builder.arrays import open_array
from trtfarm_builder.channel import Channel
from trtfarm_builder.failures import BadDataError, BadModelError
from trtfarm_builder.trt.binding import ENGINE_WORD, trt
from trtfarm_builder.trt.cache_text import parse_cache
from trtfarm_builder.trt.calibration_data import Feed, OverlappedBatches, PlainBatches
from trtfarm_builder.trt.calibrators import feeding_calibrator
from trtfarm_builder.trt.contradictions import check_names
from trtfarm_builder.trt.datatypes import numpy_dtype
from trtfarm_builder.trt.device import current_device
from trtfarm_builder.trt.results import answer_of_build
from trtfarm_builder.trt.workshop import (
    Built,
    Workshop,
    add_profile,
    inputs_of,
    open_workshop,
    plan_from_network,
    refused,
    set_calibration_profile,
    set_up,
)

_TABLE = "calibration.table"
#: What is no builder option. Those that say more of layers and tensors are for a build that is given the table.
_ARGS = frozenset(
    {
        "model",
        "inputs",
        "rule",
        "overlap",
        "build",
        "profiles",
        "precision",
        "timing_cache",
        "timing_caches",
        "tactic_sources",
        "profile",
    }
)
_AFTER_FUSION_BY_DEFAULT = ("entropy", "legacy")


def run(args: Dict[str, Any], channel: Channel) -> Dict[str, Any]:
    """`args`: model, inputs {name: array spec}, rule {calibrator, batch_size, before_fusion, quantile, cutoff}.

    Besides: overlap (True: the next batch is copied while TensorRT runs one), build (False; True builds the engine in
    the same go, for `profiles` and `precision`), timing_cache or timing_caches, tactic_sources, profile and builder
    options. TensorRT calibrates in the middle of a build; without `build` the rest of it is left undone.

    Returns scales {tensor: hex float32 amax / 127} in the table's order, table (file: the text that TensorRT wrote),
    samples, batches, engine, device, portable, seconds, calibration_seconds; with `build` also build: as `trt-build`,
    and then the table with all that is told of it is handed over before TensorRT goes on to the engine.
    """
    begun = time.monotonic()
    check_names(args, _ARGS)
    rule = args["rule"]
    shop = open_workshop(Path(args["model"]), channel)
    if shop.view.quantized:
        raise BadModelError(
            "the model has Q/DQ nodes, which hold its scales already: there is nothing to calibrate",
            remedy="hand in the model from before quantisation",
        )
    feeds, count = open_feeds(shop, args["inputs"], int(rule["batch_size"]))
    setup = set_up(shop, args, args.get("precision", "int8"))
    _set_fusion_position(setup.config, rule)
    _set_shapes(shop, setup.config, args, feeds)
    calibrator, built = _run(shop, setup.config, args, feeds, count)
    answer = _calibrated(rule, calibrator)
    answer["seconds"] = time.monotonic() - begun
    if built is not None:
        if built.plan is None:
            raise refused(shop, "build")
        answer["build"] = answer_of_build(shop, setup, built, begun, profile=bool(args.get("profile", True)))
    return answer


def _set_shapes(shop: Workshop, config: Any, args: Mapping[str, Any], feeds: Mapping[str, Feed]) -> None:
    """Calibration runs with full batches; the engine of the same go takes what it is to take."""
    size = int(args["rule"]["batch_size"])
    shapes = {name: (size, *feed.array.shape[1:]) for name, feed in feeds.items()}
    set_calibration_profile(shop, config, shapes)
    profiles = {name: {"min": shape, "opt": shape, "max": shape} for name, shape in shapes.items()}
    add_profile(shop, config, args.get("profiles") or profiles if args.get("build") else profiles)


def _run(
    shop: Workshop, config: Any, args: Mapping[str, Any], feeds: Dict[str, Feed], count: int
) -> Tuple[Any, Optional[Built]]:
    """The calibrator, which has a table then, and what was built in the same go if anything was to be."""
    rule, built = args["rule"], None
    with ExitStack() as stack:
        kind = OverlappedBatches if args.get("overlap", True) else PlainBatches
        batches = kind(feeds, int(rule["batch_size"]), count, stack)
        on_table = partial(_hand_over, rule, shop.channel) if args.get("build") else None
        calibrator = feeding_calibrator(rule, batches, count, shop.channel, on_table)
        config.int8_calibrator = calibrator
        if args.get("build"):
            built = plan_from_network(shop, config)
        else:
            build_until_calibrated(shop, config, calibrator)
        check_complete(shop, calibrator)
    return calibrator, built


def _calibrated(rule: Mapping[str, Any], calibrator: Any) -> Dict[str, Any]:
    """Writes the table, unless it was handed over; what there is to tell of it."""
    if not Path(_TABLE).exists():
        Path(_TABLE).write_bytes(calibrator.table)
    return {
        "scales": parse_cache(calibrator.table).scales,
        "table": _TABLE,
        "samples": calibrator.batches * int(rule["batch_size"]),
        "batches": calibrator.batches,
        "engine": ENGINE_WORD,
        "device": current_device(),
        "portable": _before_fusion(rule),
        "calibration_seconds": calibrator.seconds,
    }


def _hand_over(rule: Mapping[str, Any], channel: Channel, calibrator: Any) -> None:
    """In mid-build: the table is worth keeping, whatever becomes of the engine."""
    found = _calibrated(rule, calibrator)
    channel.hand_over({name: value for name, value in found.items() if name != "scales"})


def open_feeds(shop: Workshop, specs: Mapping[str, Any], batch_size: int) -> Tuple[Dict[str, Feed], int]:
    """Each input's samples, and how many full batches they make. Raises BadDataError where data and model differ."""
    inputs = inputs_of(shop)
    if set(specs) != set(inputs):
        raise BadDataError(
            "the data are for inputs {}, the model has {}".format(sorted(specs), sorted(inputs)),
            remedy="name each array after the input it is for",
        )
    feeds = {
        name: Feed(array=open_array(name, specs[name]), dtype=numpy_dtype(name, tensor.dtype))
        for name, tensor in inputs.items()
    }
    counts = {feed.array.samples for feed in feeds.values()}
    if len(counts) > 1:
        raise BadDataError("the inputs have different numbers of samples: {}".format(sorted(counts)))
    samples = min(counts)
    if samples < batch_size:
        raise BadDataError(
            "{} samples do not fill one batch of {}".format(samples, batch_size),
            cause="TensorRT calibrates on full batches only",
            remedy="use a smaller batch size or more samples",
        )
    for name, tensor in inputs.items():
        _check_shape(name, tuple(tensor.shape), (batch_size, *feeds[name].array.shape[1:]))
    return feeds, samples // batch_size


def _check_shape(name: str, declared: Tuple[int, ...], given: Tuple[int, ...]) -> None:
    if len(declared) != len(given) or any(size not in (-1, have) for size, have in zip(declared, given)):
        raise BadDataError(
            "input {!r} takes shape {}, a batch of the data has {}".format(name, list(declared), list(given)),
            remedy="-1 is free; a first size that is fixed is the only batch size that the model takes",
        )


def _before_fusion(rule: Mapping[str, Any]) -> bool:
    return rule["calibrator"] not in _AFTER_FUSION_BY_DEFAULT or bool(rule.get("before_fusion", True))


def _set_fusion_position(config: Any, rule: Mapping[str, Any]) -> None:
    """MinMax and Entropy2 always see the network before fusion."""
    if rule["calibrator"] in _AFTER_FUSION_BY_DEFAULT and _before_fusion(rule):
        config.set_quantization_flag(trt.QuantizationFlag.CALIBRATE_BEFORE_FUSION)


def build_until_calibrated(shop: Workshop, config: Any, calibrator: Any) -> None:
    """Returns once the table is written, or the build has ended without one.

    No TensorRT with calibrators can be told to stop there, so the build goes on in a thread that nobody waits for; the
    process ends with the step, and the thread with it.
    """

    def build() -> None:
        try:
            shop.builder.build_serialized_network(shop.network, config)
        finally:
            calibrator.done.set()

    threading.Thread(target=build, name="build", daemon=True).start()
    calibrator.done.wait()


def check_complete(shop: Workshop, calibrator: Any) -> None:
    """Raises what a calibrator's method raised, and errors for a calibration that gave no table, or a hasty one."""
    if calibrator.table is None and calibrator.failure is None:
        shop.logger.check()
        raise refused(shop, "calibrate")
    calibrator.check(shop.logger.last_errors())
    shop.logger.check()
