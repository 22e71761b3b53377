"""TensorRT's progress, passed on; there is a monitor from 10.0 on."""

import time
from typing import Dict, Optional

from trtfarm_builder.channel import Channel
from trtfarm_builder.trt.binding import trt
from trtfarm_builder.trt.logger import TrtLogger

_SECONDS_BETWEEN = 0.1


class ProgressReporter(trt.IProgressMonitor):  # type: ignore[misc]  # the bindings have no types
    """Phases nest; each is a stage. Stops the build when the log could not be written."""

    def __init__(self, channel: Channel, logger: TrtLogger) -> None:
        trt.IProgressMonitor.__init__(self)
        self._channel = channel
        self._logger = logger
        self._totals: Dict[str, int] = {}
        self._sent = 0.0

    def phase_start(
        self,
        phase_name: str,
        parent_phase: Optional[str],  # noqa: ARG002 - TensorRT's signature
        num_steps: int,
    ) -> None:
        self._totals[phase_name] = num_steps
        self._tell(phase_name, 0)

    def step_complete(self, phase_name: str, step: int) -> bool:
        self._tell(phase_name, step + 1)
        return not self._logger.failed

    def phase_finish(self, phase_name: str) -> None:
        self._totals.pop(phase_name, None)

    def _tell(self, phase: str, done: int) -> None:
        now = time.monotonic()
        if now - self._sent >= _SECONDS_BETWEEN:
            self._sent = now
            self._channel.progress(phase, done, self._totals.get(phase))
