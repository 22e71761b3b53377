"""The step `trt-combine`: the timing caches of several builds made into one."""

from pathlib import Path
from typing import Any, Dict

from trtfarm_builder.channel import Channel
from trtfarm_builder.failures import BadRequestError, ToolchainUnfitError
from trtfarm_builder.trt.binding import trt
from trtfarm_builder.trt.device import current_device
from trtfarm_builder.trt.logger import TrtLogger
from trtfarm_builder.trt.timing_cache import combined, set_in, write_timing_cache
from trtfarm_builder.trt.workshop import LOG, made


def run(args: Dict[str, Any], channel: Channel) -> Dict[str, Any]:
    """`args`: timing_caches (paths). Where several know a kernel, the time of the first is kept.

    Returns timing_cache (file), size (bytes), tensorrt and device. Raises ToolchainUnfitError, naming the file, for a
    cache of another TensorRT or GPU, or one that is damaged: nothing is written then.
    """
    paths = [Path(path) for path in args["timing_caches"]]
    if not paths:
        raise BadRequestError("there are no timing caches to combine")
    logger = TrtLogger(Path(LOG), channel)
    builder = made(trt.Builder, logger)
    # Combining compares caches with one another; only a configuration compares one with the GPU.
    fresh = builder.create_builder_config()
    whole, reasons = combined(fresh, [path.read_bytes() for path in paths], logger)
    for path, reason in zip(paths, reasons):
        if reason is not None:
            raise _refused(path, reason)
    reason = set_in(builder.create_builder_config(), bytes(whole.serialize()), logger)
    if reason is not None:
        raise _refused(paths[0], reason)
    logger.check()
    file = write_timing_cache(whole)
    return {
        "timing_cache": file,
        "size": Path(file).stat().st_size,
        "tensorrt": trt.__version__,
        "device": current_device(),
    }


def _refused(path: Path, reason: str) -> ToolchainUnfitError:
    return ToolchainUnfitError(
        "TensorRT {} does not take the timing cache {}".format(trt.__version__, path.name),
        cause=reason,
        remedy="leave it out: kernels are timed anew then, which costs only time",
    )
