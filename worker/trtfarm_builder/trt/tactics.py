"""The libraries that a build may take kernels from."""

import ctypes
from typing import Any, List, Optional, Sequence

from trtfarm_builder.failures import BadRequestError
from trtfarm_builder.trt.binding import trt

_CUDNN = "CUDNN"
_CUDNN_LIBRARIES = ("libcudnn.so.8", "libcudnn.so.9")


def set_tactic_sources(config: Any, names: Optional[Sequence[str]]) -> List[str]:
    """Sets the named sources, or TensorRT's own choice where there are none; returns what is set.

    CUDNN is left out where the loader finds no whole cuDNN: TensorRT 8.5 needs the library only to be there, and many
    hosts have a stub in its place, whose functions end the process. Raises BadRequestError for what cannot be set.
    """
    sources = trt.TacticSource.__members__
    unknown = [name for name in names or () if name not in sources]
    if unknown:
        raise BadRequestError(
            "TensorRT {} has no tactic source {}".format(trt.__version__, ", ".join(unknown)),
            remedy="use some of: " + ", ".join(sorted(sources)),
        )
    whole = _CUDNN not in sources or has_cudnn()
    if names is not None and _CUDNN in names and not whole:
        raise BadRequestError("there is no whole cuDNN on this host", remedy="leave CUDNN out of tactic_sources")
    chosen = (
        names if names is not None else [n for n, v in sources.items() if config.get_tactic_sources() & 1 << int(v)]
    )
    chosen = [name for name in chosen if whole or name != _CUDNN]
    config.set_tactic_sources(sum(1 << int(sources[name]) for name in chosen))
    return sorted(chosen)


def has_cudnn() -> bool:
    """Whether the cuDNN that TensorRT finds first answers for its version; a newer one beside it is of no use to it."""
    for name in _CUDNN_LIBRARIES:
        try:
            return hasattr(ctypes.CDLL(name), "cudnnGetVersion")
        except OSError:
            continue
    return False
