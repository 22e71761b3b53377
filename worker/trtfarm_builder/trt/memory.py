"""Whether TensorRT failed for want of GPU memory, which only its words tell."""

import re
from typing import Optional

from trtfarm_builder.failures import GpuMemoryError

# Its own code 2, what it passes on of CUDA's runtime, and that one's number when not even a context fits.
_SAYS = re.compile(
    r"out ?of ?memory|GPU memory .{0,60}could not be allocated|initialization failure with error: 2\b", re.IGNORECASE
)
_REMEDY = "wait until other programs have left the GPU (see nvidia-smi), or use a smaller batch size or workspace_bytes"


def memory_error(what: str, reason: Optional[str]) -> Optional[GpuMemoryError]:
    """The error for something that failed for such a reason; None where the reason is another one."""
    if reason is None or not _SAYS.search(reason):
        return None
    return GpuMemoryError("the GPU has not enough free memory to {}".format(what), cause=reason, remedy=_REMEDY)
