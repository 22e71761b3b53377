"""Timing caches: how long each kernel took on this very GPU and TensorRT, so that no build measures it again."""

from pathlib import Path
from typing import Any, List, Mapping, Optional, Sequence, Tuple

from trtfarm_builder.build_log import BuildLog
from trtfarm_builder.channel import Channel

_FILE = "timing.cache"
# TensorRT 8.5 says these of every cache, also of one that it wrote a moment ago and then builds with in a tenth of the
# time: what Myelin compiled is not read back, the kernels' times are. It calls combining such caches failed, too.
_HARMLESS = ("myelinCache.h", "The timing cache will not be used!")
_STRANGE = "it is of another TensorRT or GPU, or damaged"
# TensorRT 8.5 crashes when caches that were combined are destroyed. Nothing here is: the process ends with its step.
_KEPT: List[Any] = []


def timing_cache_for(args: Mapping[str, Any], gpu: str) -> Optional[str]:
    """The path of the cache that a request gives for the GPU of this name: `timing_cache`, which is for any, else the
    one of `timing_caches` {name of a GPU: path}, which whoever does not know where the step will run gives."""
    path: Optional[str] = args.get("timing_cache") or (args.get("timing_caches") or {}).get(gpu)
    return path


def set_timing_cache(config: Any, path: Optional[str], logger: BuildLog, channel: Channel) -> bool:
    """Starts from the cache in the file `path`, from an empty one where there is none; says whether it was taken.

    TensorRT checks that the cache is its own and this GPU's. One that is not is left aside: it costs time, not truth.
    """
    if path is not None:
        reason = set_in(config, Path(path).read_bytes(), logger)
        if reason is None:
            return True
        channel.log("the timing cache is left aside and kernels are timed anew: {}".format(reason), "warning")
    config.set_timing_cache(config.create_timing_cache(b""), ignore_mismatch=False)
    return False


def set_in(config: Any, data: bytes, logger: BuildLog) -> Optional[str]:
    """Hands a cache to a configuration; None, or why it is of no use here.

    What TensorRT answers does not tell: 8.5 takes any bytes, and says only in its log that it will not use them.
    """
    with logger.aside() as said:
        cache = config.create_timing_cache(data)
        taken = cache is not None and config.set_timing_cache(cache, ignore_mismatch=False)
    _KEPT.append((config, cache))
    return _reason(said, fine=taken)


def combined(config: Any, caches: Sequence[bytes], logger: BuildLog) -> Tuple[Any, List[Optional[str]]]:
    """One cache that knows what any of them does, and for each whether it is in there: None, or why it is not.

    Where several know a kernel, the time of the first is kept.
    """
    with logger.aside() as said:
        whole = config.create_timing_cache(caches[0])
    _KEPT.append((config, whole))
    reasons = [_reason(said, fine=whole is not None)]
    for data in caches[1:]:
        with logger.aside() as said:
            cache = config.create_timing_cache(data)
        _KEPT.append(cache)
        reason = _reason(said, fine=cache is not None)
        if reason is None:
            with logger.aside() as said:
                done = whole.combine(cache, ignore_mismatch=False)
            reason = _reason(said, fine=done or bool(said))
        reasons.append(reason)
    return whole, reasons


def _reason(said: Sequence[str], *, fine: bool) -> Optional[str]:
    grave = [line for line in said if not any(word in line for word in _HARMLESS)]
    if grave:
        return "\n".join(grave)
    return None if fine else _STRANGE


def save_timing_cache(config: Any) -> Optional[str]:
    """Writes what the builds with `config` know by now; the file's name, None where the build keeps no cache."""
    cache = config.get_timing_cache()
    return None if cache is None else write_timing_cache(cache)


def write_timing_cache(cache: Any) -> str:
    """Writes the cache into the current folder; the file's name."""
    Path(_FILE).write_bytes(cache.serialize())
    return _FILE
