"""TensorRT's progress; there is a monitor from 10.0 on."""

from trtfarm_builder.build_log import BuildLog
from trtfarm_builder.build_progress import BuildProgress
from trtfarm_builder.channel import Channel
from trtfarm_builder.trt.binding import trt


class ProgressReporter(BuildProgress, trt.IProgressMonitor):  # type: ignore[misc]  # the bindings have no types
    def __init__(self, channel: Channel, log: BuildLog) -> None:
        trt.IProgressMonitor.__init__(self)
        BuildProgress.__init__(self, channel, log)
