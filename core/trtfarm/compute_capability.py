"""CUDA compute capabilities: what an engine is built for."""

from __future__ import annotations

import re
from dataclasses import dataclass

from trtfarm.errors import UsageError

_FORMS = (re.compile(r"(?:sm_?|SM_?)?(\d{1,2})(\d)", re.ASCII), re.compile(r"(\d{1,2})\.(\d)", re.ASCII))


@dataclass(frozen=True, order=True)
class ComputeCapability:
    """Major and minor number; written `sm_89` by the farm, `8.9` by NVIDIA's tables."""

    major: int
    minor: int

    @classmethod
    def parse(cls, text: str) -> ComputeCapability:
        """Reads `sm_89`, `sm89`, `SM89`, `89` or `8.9`."""
        for form in _FORMS:
            if match := form.fullmatch(text):
                return cls(int(match[1]), int(match[2]))
        raise UsageError(f"{text!r} is not a compute capability", remedy="write it as sm_89 or 8.9")

    def __str__(self) -> str:
        return f"sm_{self.major}{self.minor}"
