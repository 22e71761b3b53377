"""Timing caches: how long each kernel took on this very GPU and TensorRT, so that no build measures it again."""

from pathlib import Path
from typing import Any, Mapping, Optional

from trtfarm_builder.channel import Channel

_FILE = "timing.cache"


def timing_cache_for(args: Mapping[str, Any], gpu: str) -> Optional[str]:
    """The path of the cache that a request gives for the GPU of this name: `timing_cache`, which is for any, else the
    one of `timing_caches` {name of a GPU: path}, which whoever does not know where the step will run gives."""
    path: Optional[str] = args.get("timing_cache") or (args.get("timing_caches") or {}).get(gpu)
    return path


def set_timing_cache(config: Any, path: Optional[str], channel: Channel) -> bool:
    """Starts from the cache in the file `path`, from an empty one where there is none; says whether it was taken.

    TensorRT checks that the cache is its own and this GPU's. One that is not is left aside: it costs time, not truth.
    """
    data = Path(path).read_bytes() if path else b""
    cache = config.create_timing_cache(data)
    if cache is not None and config.set_timing_cache(cache, ignore_mismatch=False):
        return bool(data)
    channel.log("the timing cache is of another TensorRT or GPU, or damaged; kernels are timed anew", "warning")
    config.set_timing_cache(config.create_timing_cache(b""), ignore_mismatch=False)
    return False


def save_timing_cache(config: Any) -> Optional[str]:
    """Writes what the builds with `config` know by now; the file's name, None where the build keeps no cache."""
    cache = config.get_timing_cache()
    return None if cache is None else write_timing_cache(cache)


def write_timing_cache(cache: Any) -> str:
    """Writes the cache into the current folder; the file's name."""
    Path(_FILE).write_bytes(cache.serialize())
    return _FILE
