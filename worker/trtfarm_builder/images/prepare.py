"""Step `images`: image files to one uint8 array, (N, C, H, W) or (N, H, W, C), written sample by sample.

Done to each image, in this order, with Pillow:
1. Decoded; of an animation the first frame. 16-bit gray loses its lower byte, palettes are looked up, and transparency
   is dropped: pixels keep the colour that they are stored with.
2. Turned as its EXIF entry says, if asked to.
3. Converted to RGB, BGR or gray (ITU-R 601-2 luma).
4. Resized: to (height, width), or so that its shorter side gets the given size, the longer one rounded down.
5. Cropped around the centre, starting at round((size - crop) / 2).
"""

import os
import stat
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any, BinaryIO, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from trtfarm_builder.channel import Channel
from trtfarm_builder.failures import BadDataError

#: The decoders that a file may choose among; Pillow has others, older and less looked after.
FORMATS = ("BMP", "JPEG", "PNG", "PPM", "WEBP")
#: Pixels of one image, before and after resizing: 24 times 1920x1080, 150 MB in RGB.
MAX_PIXELS = 50000000
#: What Pillow's decoders raise for damaged files, apart from decompression bombs.
_DAMAGED = (OSError, EOFError, SyntaxError, ValueError, KeyError, IndexError, TypeError, struct.error, zlib.error)
_FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
_REPORT_EVERY = 50
_LARGEST_16_BITS = 0xFFFF


def run(args: Dict[str, Any], channel: Channel) -> Dict[str, Any]:
    """Writes the array to the file `output`; raises BadDataError that names the image.

    `args`: images (absolute paths), resize, filter, crop, color, layout, exif_orientation, size ([height, width] that
    all must have in the end, or null: that of the first), output.
    """
    paths: List[str] = args["images"]
    expected: Optional[Tuple[int, ...]] = tuple(args["size"]) if args["size"] else None
    shape: List[int] = []
    with Path(args["output"]).open("xb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's remarks on files that it can read
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        for number, path in enumerate(paths):
            pixels = _pixels(path, args)
            if expected is None:
                expected = pixels.shape[:2]
            if pixels.shape[:2] != expected:
                raise _wrong_size(path, pixels.shape[:2], expected)
            sample = pixels.transpose(2, 0, 1) if args["layout"] == "NCHW" else pixels
            if not shape:
                shape = [len(paths), *sample.shape]
                _write_header(file, shape)
            file.write(np.ascontiguousarray(sample).data)
            if (number + 1) % _REPORT_EVERY == 0 or number + 1 == len(paths):
                channel.progress("images", number + 1, len(paths), "images")
    return {"output": args["output"], "dtype": "uint8", "shape": shape}


def _write_header(file: BinaryIO, shape: List[int]) -> None:
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": tuple(shape)})


def _pixels(path: str, args: Dict[str, Any]) -> "np.ndarray[Any, Any]":
    """The image as (height, width, channels), uint8."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise BadDataError(
            "the image {} cannot be read".format(path), error.strerror, "make it a readable file"
        ) from error
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise BadDataError("the image {} is not a regular file".format(path), None, "list image files only")
        try:
            with Image.open(file, formats=FORMATS) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise _too_large(path, image.size)
                return _laid_out(_arranged(path, _decoded(image, args), args), args["color"])
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise BadDataError(
                "the image {} has more than {:,} pixels".format(path, MAX_PIXELS), str(error), "make it smaller"
            ) from error
        except _DAMAGED as error:
            raise BadDataError(
                "the image {} cannot be decoded".format(path),
                None if isinstance(error, UnidentifiedImageError) else "{}: {}".format(type(error).__name__, error),
                "replace it by a whole {} file, or leave it out".format(", ".join(FORMATS)),
            ) from error


def _too_large(path: str, size: Tuple[int, int]) -> BadDataError:
    return BadDataError(
        "the image {} is, or would become, {} pixels wide and {} high".format(path, *size),
        "{:,} pixels are allowed".format(MAX_PIXELS),
        "make it smaller, or leave it out",
    )


def _decoded(image: Image.Image, args: Dict[str, Any]) -> Image.Image:
    """The image as RGB or gray with 8 bits per channel, upright if wanted."""
    image.load()
    if args["exif_orientation"]:
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image)
        if values.dtype.kind == "f" or values.min() < 0 or values.max() > _LARGEST_16_BITS:
            raise ValueError("its pixels are neither 8 nor 16 bits wide")
        image = Image.fromarray((values >> 8).astype(np.uint8))
    elif image.mode in ("P", "PA"):
        image = image.convert("RGBA")
    return image.convert("L" if args["color"] == "gray" else "RGB")


def _arranged(path: str, image: Image.Image, args: Dict[str, Any]) -> Image.Image:
    """The image resized and cropped."""
    size = _target_size(image.size, args["resize"])
    if size[0] * size[1] > MAX_PIXELS:
        raise _too_large(path, size)
    if size != image.size:
        image = image.resize(size, _FILTERS[args["filter"]])
    if args["crop"] is None:
        return image
    height, width = args["crop"]
    if image.width < width or image.height < height:
        raise _wrong_size(path, (image.height, image.width), (height, width))
    left, top = round((image.width - width) / 2), round((image.height - height) / 2)
    return image.crop((left, top, left + width, top + height))


def _target_size(size: Tuple[int, int], resize: Union[int, List[int], None]) -> Tuple[int, int]:
    """Width and height after resizing."""
    width, height = size
    if resize is None:
        return size
    if isinstance(resize, list):
        return resize[1], resize[0]
    if width <= height:
        return resize, resize * height // width
    return resize * width // height, resize


def _laid_out(image: Image.Image, color: str) -> "np.ndarray[Any, Any]":
    values = np.asarray(image)
    if color == "gray":
        return values[:, :, np.newaxis]
    return values[:, :, ::-1] if color == "BGR" else values


def _wrong_size(path: str, size: Sequence[int], expected: Sequence[int]) -> BadDataError:
    return BadDataError(
        "the image {} is {} pixels high and {} wide, and {} x {} are needed".format(path, *size, *expected),
        None,
        "resize or crop in data.toml: resize = [{}, {}]".format(*expected),
    )
