"""TensorRT versions, and the digits that stand for one in a calibration table's header."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import total_ordering

from trtfarm.errors import UsageError

_TEXT = re.compile(r"\d{1,3}(\.\d{1,4}){1,3}", re.ASCII)
_MAJOR = re.compile(r"\d{1,3}", re.ASCII)
# From TensorRT 10 on the major number counts 10,000 in NV_TENSORRT_VERSION, before it counted 1,000.
_WIDE_FROM_MAJOR = 10
_WIDE_DIGITS = _WIDE_FROM_MAJOR * 10_000


@total_ordering
@dataclass(frozen=True)
class TensorRTVersion:
    """A version such as 8.5.3.1: major, minor, patch, build; what was not said is None.

    A table's header carries no build number, so a version read from one has `build` None. Only what is asked for may be
    a major number alone.
    """

    major: int
    minor: int | None = None
    patch: int | None = None
    build: int | None = None

    @classmethod
    def parse(cls, text: str) -> TensorRTVersion:
        if not _TEXT.fullmatch(text):
            raise UsageError(
                f"{text!r} is not a TensorRT version",
                remedy="write it as 8.5.3.1, or shorter (10.13) where any release of that line will do",
            )
        parts = [int(part) for part in text.split(".")]
        return cls(*parts)

    @classmethod
    def wanted(cls, text: str) -> TensorRTVersion:
        """What is asked for, which may be short: 10 is for every 10.x, as `matches` has it. Raises as `parse`."""
        return cls(int(text)) if _MAJOR.fullmatch(text) else cls.parse(text)

    @classmethod
    def from_header_digits(cls, digits: int) -> TensorRTVersion:
        """8503 is 8.5.3, 100300 is 10.3.0 (NV_TENSORRT_VERSION in NvInferVersion.h)."""
        unit = 10_000 if digits >= _WIDE_DIGITS else 1_000
        return cls(digits // unit, digits % unit // 100, digits % 100)

    @property
    def header_digits(self) -> int:
        unit = 10_000 if self.major >= _WIDE_FROM_MAJOR else 1_000
        return self.major * unit + (self.minor or 0) * 100 + (self.patch or 0)

    def matches(self, wanted: TensorRTVersion) -> bool:
        """Whether this version is one that `wanted`, perhaps shorter, asks for: 10.13.3.9 matches 10.13."""
        return all(want is None or want == have for want, have in zip(wanted._parts, self._parts, strict=True))

    @property
    def _parts(self) -> tuple[int | None, ...]:
        return (self.major, self.minor, self.patch, self.build)

    def __lt__(self, other: TensorRTVersion) -> bool:
        return tuple(-1 if p is None else p for p in self._parts) < tuple(-1 if p is None else p for p in other._parts)

    def __str__(self) -> str:
        return ".".join(str(part) for part in self._parts if part is not None)
