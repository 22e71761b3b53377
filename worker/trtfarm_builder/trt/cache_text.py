"""The calibration cache as TensorRT writes it: a header line, then `<tensor>: <hex of float32 amax / 127>` lines."""

import re
import struct
from dataclasses import dataclass
from typing import Dict, Mapping, Tuple

from trtfarm_builder.failures import BadTableError

#: Word in a header -> the farm's word for the calibrator.
CALIBRATORS = {
    "MinMaxCalibration": "minmax",
    "EntropyCalibration2": "entropy2",
    "EntropyCalibration": "entropy",
}
_WORDS = {calibrator: word for word, calibrator in CALIBRATORS.items()}
_VERSION_FORM = re.compile(r"TRT-([0-9]+)-([A-Za-z0-9]+)")
# Cutoff and quantile as big-endian float64; a Legacy cache names no version.
_LEGACY_FORM = re.compile(r"0 ([0-9a-f]{16}) ([0-9a-f]{16})")
_HEX = re.compile(r"[0-9a-f]{8}")
_REMEDY = "see what is wrong with it: trtfarm tables validate"


@dataclass(frozen=True)
class CacheText:
    """`calibrator` is the farm's word; `digits` are the version's, empty for legacy; `quantile` and `cutoff` are
    legacy's own, 1.0 elsewhere; `scales` maps tensors to 8 hex digits in the text's order."""

    calibrator: str
    digits: str
    quantile: float
    cutoff: float
    scales: Dict[str, str]

    def render(self) -> bytes:
        if self.calibrator == "legacy":
            header = "0 {} {}".format(_float64_hex(self.cutoff), _float64_hex(self.quantile))
        else:
            header = "TRT-{}-{}".format(self.digits, _WORDS[self.calibrator])
        lines = [header, *("{}: {}".format(tensor, scale) for tensor, scale in self.scales.items())]
        return "".join(line + "\n" for line in lines).encode()


def parse_cache(data: bytes) -> CacheText:
    """Reads a cache; raises BadTableError for what TensorRT would refuse, or use only in part, in silence."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise BadTableError("the table is no text", cause=str(error), remedy=_REMEDY) from error
    if not text.strip():
        raise BadTableError("the table is empty", remedy=_REMEDY)
    first, *lines = text.splitlines()
    calibrator, digits, cutoff, quantile = _header(first)
    scales: Dict[str, str] = {}
    for number, line in enumerate(lines, start=2):
        tensor, _, scale = line.rpartition(": ")
        if not tensor or not _HEX.fullmatch(scale):
            raise BadTableError("line {} of the table is not `<tensor>: <scale>`".format(number), remedy=_REMEDY)
        if tensor in scales:
            raise BadTableError("the table names {!r} twice".format(tensor), remedy=_REMEDY)
        scales[tensor] = scale
    return CacheText(calibrator=calibrator, digits=digits, quantile=quantile, cutoff=cutoff, scales=scales)


def check_scales(scales: Mapping[str, str]) -> None:
    """Raises BadTableError unless every scale is finite and above zero: on others a build fails without a word."""
    for tensor, text in scales.items():
        scale = scale_of(text)
        if not 0 < scale < float("inf"):
            raise BadTableError(
                "the scale of {!r} is {}".format(tensor, scale),
                cause="TensorRT builds nothing from scales that are not finite and above zero",
                remedy="calibrate again, or set the range of this tensor by hand",
            )


def scale_of(text: str) -> float:
    """`3c010204` is 1/127."""
    value: float = struct.unpack(">f", bytes.fromhex(text))[0]
    return value


def _header(line: str) -> Tuple[str, str, float, float]:
    """Calibrator, digits, cutoff, quantile."""
    match = _VERSION_FORM.fullmatch(line)
    if match and match[2] in CALIBRATORS:
        return CALIBRATORS[match[2]], match[1], 1.0, 1.0
    match = _LEGACY_FORM.fullmatch(line)
    if match:
        cutoff, quantile = (struct.unpack(">d", bytes.fromhex(part))[0] for part in match.groups())
        return "legacy", "", cutoff, quantile
    raise BadTableError(
        "the table begins with {!r}, which is no header of TensorRT's".format(line[:80]),
        cause="TensorRT would calibrate anew, in silence",
        remedy=_REMEDY,
    )


def _float64_hex(value: float) -> str:
    return struct.pack(">d", value).hex()
