"""The rule of IInt8MinMaxCalibrator."""

from dataclasses import dataclass


@dataclass(frozen=True)
class MinMax:
    def amax(self, seen: float) -> float:
        """The largest magnitude seen."""
        return seen
