"""TensorRT-RTX's log, from which the layers of an engine are read."""

from pathlib import Path

from trtfarm_builder.build_log import BuildLog
from trtfarm_builder.channel import Channel
from trtfarm_builder.rtx.binding import trt
from trtfarm_builder.rtx.layers import HEADING


class BuildLogger(BuildLog, trt.ILogger):  # type: ignore[misc]  # the bindings have no types
    """`layers` is the message that lists the engine's layers, once there was one."""

    def __init__(self, path: Path, channel: Channel) -> None:
        trt.ILogger.__init__(self)
        BuildLog.__init__(self, path, channel)
        self.layers = ""

    def take(self, severity: str, msg: str) -> None:
        if msg.startswith(HEADING):
            self.layers = msg
        super().take(severity, msg)
