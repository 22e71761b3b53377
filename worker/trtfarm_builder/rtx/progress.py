"""TensorRT's progress, passed on: it tells the user how far a build is and the supervisor that it lives."""

import time
from typing import Dict, Optional

from trtfarm_builder.channel import Channel
from trtfarm_builder.rtx.binding import trt
from trtfarm_builder.rtx.logger import BuildLogger

_SECONDS_BETWEEN = 0.1


class ProgressReporter(trt.IProgressMonitor):  # type: ignore[misc]  # the bindings have no types
    """Phases nest; each is a stage. Stops the build when the log could not be written."""

    def __init__(self, channel: Channel, logger: BuildLogger) -> None:
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
