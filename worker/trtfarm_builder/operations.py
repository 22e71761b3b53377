"""The steps a builder process knows, each in a module that is imported only when asked for."""

import importlib
from typing import Any, Callable, Dict, cast

from trtfarm_builder.channel import Channel
from trtfarm_builder.failures import BadRequestError

Arguments = Dict[str, Any]
Result = Dict[str, Any]
#: A step: takes the request's `args`, works in the current folder (its scratch), returns the answer's `result`.
Step = Callable[[Arguments, Channel], Result]

#: Word in the request -> module with a function `run`; a module imports what its toolchain has and nothing else. What
#: a step takes and answers is said there.
#:
#: Timing caches: `trt-build` and `trt-calibrate` take `timing_cache` (path) and answer `timing_cache` (a file, theirs
#: added) and `timing_cache_used`. One of another TensorRT or GPU is left aside, with a warning. `trt-combine` takes
#: `timing_caches` (paths) and answers `timing_cache`; there a strange one is an error.
STEPS = {
    "nothing": "trtfarm_builder.nothing",
    "calibrate": "trtfarm_builder.reference.calibrate",
    "observe": "trtfarm_builder.reference.observe",
    "merge": "trtfarm_builder.reference.merge",
    "quantize": "trtfarm_builder.quantization.quantize",
    "search": "trtfarm_builder.sensitivity.search",
    "convert": "trtfarm_builder.precision.convert",
    "ranges": "trtfarm_builder.quantization.ranges",
    "evaluate": "trtfarm_builder.evaluation.evaluate",
    "record": "trtfarm_builder.evaluation.record",
    "inspect": "trtfarm_builder.evaluation.inspect",
    "images": "trtfarm_builder.images.prepare",
    "reference-probe": "trtfarm_builder.reference.versions",
    "trt-probe": "trtfarm_builder.trt.probe",
    "trt-calibrate": "trtfarm_builder.trt.calibrate",
    "trt-build": "trtfarm_builder.trt.build",
    "trt-combine": "trtfarm_builder.trt.combine",
    "trt-run": "trtfarm_builder.trt.run",
    "trt-bench": "trtfarm_builder.trt.bench",
    "trt-evaluate": "trtfarm_builder.trt.evaluate",
    "rtx-probe": "trtfarm_builder.rtx.probe",
    "rtx-build": "trtfarm_builder.rtx.build",
}


def step_named(name: str) -> Step:
    if name not in STEPS:
        raise BadRequestError("unknown step {!r}".format(name), remedy="use one of: " + ", ".join(sorted(STEPS)))
    return cast(Step, importlib.import_module(STEPS[name]).run)
