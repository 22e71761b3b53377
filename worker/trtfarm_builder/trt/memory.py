"""Whether TensorRT failed for want of GPU memory, which it says only sometimes."""

import re
from typing import Optional

from trtfarm_builder.failures import GpuMemoryError, StepError

# Its own code 2, what it passes on of CUDA's runtime, and that one's number when not even a context fits.
_SAYS = re.compile(
    r"out ?of ?memory|GPU memory .{0,60}could not be allocated|initialization failure with error: 2\b", re.IGNORECASE
)
# What it says instead when CUDA or a library of it could not begin, for whatever reason.
_VAGUE = re.compile(r"cuda|cublas|cudnn|could not initialize", re.IGNORECASE)
# TensorRT 8.5 and cuBLAS take about half of this before a build begins.
_LITTLE_BYTES = 1 << 30
_REMEDY = "wait until other programs have left the GPU (see nvidia-smi), or use a smaller batch size or workspace_bytes"


def memory_error(what: str, reason: Optional[str]) -> Optional[GpuMemoryError]:
    """The error for something that failed for such a reason; None where the reason is another one."""
    message = "the GPU has not enough free memory to {}".format(what)
    if reason and _SAYS.search(reason):
        return GpuMemoryError(message, cause=reason, remedy=_REMEDY)
    free = _free_bytes() if not reason or _VAGUE.search(reason) else None
    if free is None or free >= _LITTLE_BYTES:
        return None
    cause = "{} MiB of it are free".format(free >> 20)
    return GpuMemoryError(message, cause="{}; {}".format(cause, reason) if reason else cause, remedy=_REMEDY)


def _free_bytes() -> Optional[int]:
    """None where CUDA does not say."""
    try:
        from trtfarm_builder.trt.gpu import free_memory  # noqa: PLC0415 - a build alone needs no CUDA Python

        return free_memory()
    except GpuMemoryError:  # not even room to ask
        return 0
    except StepError:
        return None
