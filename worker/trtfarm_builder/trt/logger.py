"""TensorRT's log."""

from pathlib import Path

from trtfarm_builder.build_log import BuildLog
from trtfarm_builder.channel import Channel
from trtfarm_builder.trt.binding import trt


class TrtLogger(BuildLog, trt.ILogger):  # type: ignore[misc]  # the bindings have no types
    def __init__(self, path: Path, channel: Channel) -> None:
        trt.ILogger.__init__(self)
        BuildLog.__init__(self, path, channel)
