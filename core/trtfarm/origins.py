"""Where a calibration table comes from."""

from __future__ import annotations

from enum import StrEnum


class TableOrigin(StrEnum):
    """Who made the numbers of a table."""

    #: The reference calibrator, on the CPU.
    REFERENCE = "reference"
    #: TensorRT's own calibrator, on a GPU.
    NATIVE = "native"
    #: Handed in by a user.
    IMPORTED = "imported"
    #: Another table's scales under the header of another TensorRT version.
    RESTAMPED = "restamped"
