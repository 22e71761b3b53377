"""The first line of a table: TensorRT version and algorithm, or the Legacy calibrator's two parameters."""

from __future__ import annotations

import re
from dataclasses import dataclass

from trtfarm.calibrators import DEFAULT_CUTOFF, DEFAULT_QUANTILE, HEADER_WORDS, CalibrationRule, Calibrator
from trtfarm.errors import UsageError
from trtfarm.tables.scales import float64_from_hex, hex_from_float64, is_float64_hex
from trtfarm.versions import TensorRTVersion

_VERSION_FORM = re.compile(r"TRT-([0-9]{1,6})-([A-Za-z][A-Za-z0-9]*)")
# Two float64 and a leading 0 whose meaning is not known: nothing else was ever seen there.
_LEGACY_FORM = re.compile(r"0 (\S+) (\S+)")
_OLDEST_DIGITS = 1_000
#: TensorRT 11 has no calibrators: INT8 means Q/DQ nodes in the ONNX.
NO_CALIBRATORS_FROM = 11


@dataclass(frozen=True, kw_only=True)
class VersionHeader:
    """`TRT-8503-EntropyCalibration2`. The digits stay text: a file may hold ones that no TensorRT writes."""

    digits: str
    word: str

    @classmethod
    def of(cls, version: TensorRTVersion, word: str) -> VersionHeader:
        """Raises UsageError for a version that the digits cannot tell, or that has no calibrators."""
        if version.major >= NO_CALIBRATORS_FROM:
            raise UsageError(
                f"TensorRT {version} reads no calibration tables",
                cause=f"TensorRT {NO_CALIBRATORS_FROM} removed calibrators, and INT8 is Q/DQ nodes in the ONNX",
                remedy="trtfarm quantize writes such a model with the table as it is",
            )
        if version.patch is None:
            raise UsageError(
                f"TensorRT {version} is too short for a table's header",
                remedy="say three numbers at least, such as 8.5.3",
            )
        header = cls(digits=str(version.header_digits), word=word)
        if header.version is None or not version.matches(header.version):
            raise UsageError(
                f"no table's header can say TensorRT {version}",
                cause=f"its digits would be {header.digits}, which is another version",
                remedy="see the version that `trtfarm toolchain list` tells",
            )
        return header

    @property
    def version(self) -> TensorRTVersion | None:
        """Major, minor and patch; None for digits that stand for no TensorRT, such as 10300 (10.3.0 is 100300)."""
        if int(self.digits) < _OLDEST_DIGITS:
            return None
        version = TensorRTVersion.from_header_digits(int(self.digits))
        return version if str(version.header_digits) == self.digits else None

    @property
    def calibrator(self) -> Calibrator | None:
        """The TensorRT interface that takes this table; None for a word TensorRT does not know."""
        # The farm's own rules borrow a word, and come after its owner.
        return next((calibrator for calibrator, word in HEADER_WORDS.items() if word == self.word), None)

    def __str__(self) -> str:
        return f"TRT-{self.digits}-{self.word}"


@dataclass(frozen=True, kw_only=True)
class LegacyHeader:
    """`0 3ff0000000000000 3fefff2e48e8a71e`: cutoff and quantile as big-endian float64 in hex; no version."""

    cutoff: str
    quantile: str

    @classmethod
    def of(cls, *, cutoff: float, quantile: float) -> LegacyHeader:
        return cls(cutoff=hex_from_float64(cutoff), quantile=hex_from_float64(quantile))

    @property
    def parameters(self) -> dict[str, float]:
        """Both shares of 1: the regression's cutoff, and the quantile of the histogram."""
        return {"cutoff": float64_from_hex(self.cutoff), "quantile": float64_from_hex(self.quantile)}

    @property
    def calibrator(self) -> Calibrator:
        return Calibrator.LEGACY

    def __str__(self) -> str:
        return f"0 {self.cutoff} {self.quantile}"


@dataclass(frozen=True, kw_only=True)
class UnknownHeader:
    """A first line in neither form, kept to be shown."""

    text: str

    @property
    def calibrator(self) -> None:
        return None

    def __str__(self) -> str:
        return self.text


Header = VersionHeader | LegacyHeader | UnknownHeader


def header_from_text(line: str) -> Header:
    if match := _VERSION_FORM.fullmatch(line):
        return VersionHeader(digits=match[1], word=match[2])
    if (match := _LEGACY_FORM.fullmatch(line)) and all(map(is_float64_hex, match.groups())):
        return LegacyHeader(cutoff=match[1], quantile=match[2])
    return UnknownHeader(text=line)


def header_for(rule: CalibrationRule, version: TensorRTVersion) -> Header:
    """The first line TensorRT writes for a rule; the farm's own rules go as Entropy2."""
    if rule.calibrator is Calibrator.LEGACY:
        return LegacyHeader.of(
            cutoff=DEFAULT_CUTOFF if rule.cutoff is None else rule.cutoff,
            quantile=DEFAULT_QUANTILE if rule.quantile is None else rule.quantile,
        )
    return VersionHeader.of(version, HEADER_WORDS[rule.calibrator])
