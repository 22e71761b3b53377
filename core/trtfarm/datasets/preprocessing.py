"""What turns stored values into what a model expects; the same for calibration, verification and inference.

Images: turned by their EXIF orientation if wanted, converted to `color`, resized, cropped around the centre, laid out.
Then, for images and arrays alike, in float32 (float64 for float64 inputs): (x / divide - mean) / std, and a cast.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

#: Channels by colour mode.
CHANNELS = {"RGB": 3, "BGR": 3, "gray": 1}
LAYOUTS = ("NCHW", "NHWC")
FILTERS = ("nearest", "bilinear", "bicubic", "lanczos")


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """Sizes are in pixels, height before width. `mean` and `std` have one number, or one for each channel."""

    #: Exactly this height and width, or an int: the shorter side gets it and the longer one keeps the proportion.
    resize: int | tuple[int, int] | None = None
    #: How Pillow resamples; with antialiasing where it makes smaller.
    filter: str = "bilinear"
    #: Height and width of the middle that is kept.
    crop: tuple[int, int] | None = None
    color: str = "RGB"
    #: Where the channels are, in the model's input too.
    layout: str = "NCHW"
    #: Whether a camera's note on how it was held is followed; most training pipelines do not.
    exif_orientation: bool = False
    divide: float = 1.0
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    #: Says that the values are to become this type, which must be the model's; without it the types must agree.
    dtype: str | None = None

    @property
    def computes(self) -> bool:
        """Whether values are changed, and not just their type."""
        return bool(self.divide != 1 or self.mean or self.std)

    def as_dict(self) -> dict[str, Any]:
        """What differs from the defaults as plain data; equal for equal preprocessing, however it was written."""
        values = asdict(self)
        return {
            field.name: list(value) if isinstance(value, tuple) else value
            for field in fields(self)
            if (value := values[field.name]) != field.default
        }
