"""Images as data: which files, in which order. Only the builder child decodes them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trtfarm.datasets import limits
from trtfarm.datasets.files import DataFile, Reader
from trtfarm.datasets.preprocessing import CHANNELS, Preprocessing
from trtfarm.datasets.sources import InputSource, spec_example
from trtfarm.errors import DataError
from trtfarm.file_errors import remedy_for
from trtfarm.models.summary import TensorType
from trtfarm.regular_files import relative_steps

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".pgm", ".webp"})
_RANK = 4

#: Runs the builder step `images` with these arguments; gives the path of the uint8 `.npy` that it wrote.
DecodeImages = Callable[[dict[str, Any]], Path]


@dataclass(frozen=True, kw_only=True)
class ImageList:
    """Image files in the order of the samples, and a label for each if the list has them."""

    files: tuple[DataFile, ...]
    labels: tuple[int, ...] | None


def decode_request(source: InputSource, tensor: TensorType) -> dict[str, Any]:
    """The arguments of the builder step `images` for one input; raises DataError.

    `size` is the height and width that the model takes, None where it takes any.
    """
    preprocessing = source.preprocessing
    files = images_of(source.file, source.samples).files
    if preprocessing is None:
        raise DataError(
            f"{source.file} holds images, and nothing says how they become the model's input {tensor}",
            remedy=f"write this beside it as data.toml, and change what does not fit:\n"
            f"{spec_example(tensor, source.file.path.name)}",
        )
    if tensor.dims is None or len(tensor.dims) != _RANK:
        raise DataError(
            f"images cannot become the model's input {tensor}",
            cause="they give it four dimensions: samples, channels, height and width",
            remedy="hand in its data as .npy",
        )
    _check_channels(source, tensor.dims[1 if preprocessing.layout == "NCHW" else 3], preprocessing, tensor)
    height, width = tensor.dims[2:] if preprocessing.layout == "NCHW" else tensor.dims[1:3]
    return {
        "images": [str(file.path.absolute()) for file in files],
        "resize": list(preprocessing.resize) if isinstance(preprocessing.resize, tuple) else preprocessing.resize,
        "filter": preprocessing.filter,
        "crop": None if preprocessing.crop is None else list(preprocessing.crop),
        "color": preprocessing.color,
        "layout": preprocessing.layout,
        "exif_orientation": preprocessing.exif_orientation,
        "size": [height, width] if isinstance(height, int) and isinstance(width, int) else None,
        "output": "images.npy",
    }


def _check_channels(source: InputSource, channels: int | str | None, asked: Preprocessing, tensor: TensorType) -> None:
    """Before they are decoded: afterwards nobody would name the images, and what to change."""
    given = CHANNELS[asked.color]
    if isinstance(channels, int) and channels != given:
        fit = [color for color, count in CHANNELS.items() if count == channels]
        raise DataError(
            f"the images of {source.file} do not fit the model's input {tensor}",
            cause=f"{asked.color} has {given} channel{'s' if given > 1 else ''}, and {asked.layout} {channels} there",
            remedy=f'write color = "{fit[0]}", or the layout of the model' if fit else "hand in its data as .npy",
        )


def images_of(source: DataFile, samples: tuple[int, int] | None = None) -> ImageList:
    """The images of a folder by name, or of a list file in its order, or `samples` of them; raises DataError.

    A list has one path on each line, relative to the list, and after white space a label (a whole number) or none;
    empty lines and those that start with `#` are left out. No link is followed.
    """
    is_folder = source.path.is_dir()
    names, labels = (_in_folder(source.path), None) if is_folder else _in_list(source)
    base = source.path if is_folder else source.path.parent
    if samples and samples[1] > len(names):
        raise DataError(
            f"{source} has {len(names):,} images",
            cause=f"{samples[0]} to {samples[1]} are asked for",
            remedy="ask for less",
        )
    first, end = samples or (0, len(names))
    files = tuple(DataFile(path=base / name, root=source.root or base) for name in names[first:end])
    if not files:
        raise DataError(f"{source} has no images", remedy="put .jpg, .png, .bmp, .ppm or .webp files there")
    if len(files) > limits.IMAGES:
        raise DataError(f"{source} has {len(files):,} images", cause=f"{limits.IMAGES:,} are allowed")
    for file in files:
        file.open().close()
    return ImageList(files=files, labels=labels and labels[first:end])


def _in_folder(folder: Path) -> list[str]:
    try:
        names = [entry.name for entry in os.scandir(folder)]
    except OSError as error:
        raise DataError(
            f"{folder} cannot be read", cause=error.strerror, remedy=remedy_for(error, "name a folder of images")
        ) from error
    return sorted((name for name in names if Path(name).suffix.lower() in IMAGE_SUFFIXES), key=os.fsencode)


def _in_list(source: DataFile) -> tuple[list[str], tuple[int, ...] | None]:
    with source.open() as file:
        data = Reader(str(source), file).read(limits.TEXT_BYTES + 1)
    if len(data) > limits.TEXT_BYTES:
        raise DataError(f"{source} is too long for a list of images", cause=f"{limits.TEXT_BYTES:,} bytes are allowed")
    try:
        lines = data.decode().splitlines()
    except UnicodeDecodeError:
        raise DataError(
            f"{source} is neither an array nor a list of images",
            remedy="hand in .npy, .npz or idx files, a folder of images, or a text file with one path on each line",
        ) from None
    entries = [_entry(source, number, line) for number, line in enumerate(lines, 1) if _is_entry(line)]
    labels = [label for _, label in entries if label is not None]
    if labels and len(labels) < len(entries):
        raise DataError(f"{source} has labels on {len(labels)} of its {len(entries)} lines", remedy="give all or none")
    return [name for name, _ in entries], tuple(labels) if labels else None


def _is_entry(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _entry(source: DataFile, number: int, line: str) -> tuple[str, int | None]:
    name, label = line.strip(), None
    words: Sequence[str] = name.rsplit(maxsplit=1)
    if len(words) > 1 and words[1].isascii() and words[1].isdigit() and len(words[1]) < 10:  # noqa: PLR2004 - int32
        name, label = words[0], int(words[1])
    try:
        return "/".join(relative_steps(name)), label
    except ValueError as error:
        raise DataError(
            f"line {number} of {source} names {name[:200]!r}, which {error}",
            remedy="list paths below the list's own folder, relative to it",
        ) from None
