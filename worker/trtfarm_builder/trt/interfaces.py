"""TensorRT's calibrator interfaces by the farm's words; 11.0 has none of them any more."""

from typing import Any

from trtfarm_builder.failures import ToolchainUnfitError
from trtfarm_builder.trt.binding import trt

#: The farm's word for a calibrator -> TensorRT's interface.
INTERFACES = {
    "minmax": "IInt8MinMaxCalibrator",
    "entropy2": "IInt8EntropyCalibrator2",
    "entropy": "IInt8EntropyCalibrator",
    "legacy": "IInt8LegacyCalibrator",
}


def interface_of(word: str) -> Any:
    """TensorRT's class for a calibrator; raises ToolchainUnfitError where this version has none."""
    interface = getattr(trt, INTERFACES.get(word, ""), None)
    if interface is None:
        raise ToolchainUnfitError(
            "TensorRT {} has no calibrator {!r}".format(trt.__version__, word),
            cause="TensorRT removed its calibrators with 11.0; the farm's own rules run on the reference toolchain",
            remedy="use one of {} on a TensorRT from 8.5 to 10, or quantise the model (Q/DQ)".format(
                ", ".join(INTERFACES)
            ),
        )
    return interface
