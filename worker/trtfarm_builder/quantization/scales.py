"""Scales as calibration tables write them: the eight hex digits of a big-endian float32, amax / 127."""

import struct
from typing import Dict, List, Mapping

import numpy as np

from trtfarm_builder.failures import BadTableError

#: The largest magnitude of a symmetric INT8 value: a scale is amax / 127.
LEVELS = 127
_DIGITS = 8
#: Below the smallest normal float32 a scale is flushed to zero by GPUs.
_SMALLEST = float(np.finfo(np.float32).tiny)
_SHOWN = 5


def hex_from_scale(scale: float) -> str:
    return struct.pack(">f", scale).hex()


def scale_from_hex(digits: str) -> float:
    """The scale as a Python float that float32 holds exactly. Raises ValueError where there are not 8 hex digits."""
    if len(digits) != _DIGITS:
        raise ValueError(digits)
    return float(struct.unpack(">f", bytes.fromhex(digits))[0])


def is_usable(scale: float) -> bool:
    """Whether TensorRT takes the scale: it wants finite ones above zero."""
    return bool(np.isfinite(scale)) and scale >= _SMALLEST


def read_scales(table: Mapping[str, str]) -> Dict[str, float]:
    """{tensor: hex digits} as {tensor: scale}. Raises BadTableError on any scale that TensorRT would not take."""
    scales: Dict[str, float] = {}
    bad: List[str] = []
    for tensor, digits in table.items():
        try:
            scale = scale_from_hex(digits)
        except (ValueError, TypeError):
            scale = 0.0
        if not is_usable(scale):
            bad.append("{}: {!r}".format(tensor, digits))
        scales[tensor] = scale
    if bad:
        raise BadTableError(
            "{} of {} scales are not positive numbers: {}".format(len(bad), len(scales), ", ".join(bad[:_SHOWN])),
            cause="the table is damaged, or those tensors were always zero in the calibration data",
            remedy="calibrate again with data that exercises the whole model",
        )
    return scales
