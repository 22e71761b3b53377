"""A TensorRT's progress, passed on: it tells the user how far a build is and the supervisor that it lives.

TensorRT and TensorRT-RTX each have a monitor class of their own to inherit from; what they share is here.
"""

import time
from typing import Dict, Optional

from trtfarm_builder.build_log import BuildLog
from trtfarm_builder.channel import Channel

_SECONDS_BETWEEN = 0.1


class BuildProgress:
    """Phases nest; each is a stage. Stops the build when the log could not be written."""

    def __init__(self, channel: Channel, log: BuildLog) -> None:
        self._channel = channel
        self._log = log
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
        return not self._log.failed

    def phase_finish(self, phase_name: str) -> None:
        self._totals.pop(phase_name, None)

    def _tell(self, phase: str, done: int) -> None:
        now = time.monotonic()
        if now - self._sent >= _SECONDS_BETWEEN:
            self._sent = now
            self._channel.progress(phase, done, self._totals.get(phase))
