"""The data specification: `data.toml` (or `data.json` with the same keys) says where each input's data is and how it
is preprocessed.

    samples = [0, 500]                 # which of them: the first, and the one after the last; all unless given

    [inputs.data]                      # the model's input
    path = "photos"                    # relative to this file; without it: <input>.npy
    source = "images"                  # npy, npz, idx, polygraphy, raw or images; without it: told from the content
    member = "x_train"                 # the array in a .npz, or in Polygraphy's JSON
    resize = 256                       # images: the shorter side, or [height, width]
    filter = "bilinear"                # images: nearest, bilinear, bicubic or lanczos
    crop = [224, 224]                  # images: the middle, height and width
    color = "RGB"                      # images: RGB, BGR or gray
    exif_orientation = false           # images: turn them as the camera noted
    layout = "NCHW"                    # or NHWC: where the channels are
    divide = 255.0                     # first
    mean = [0.485, 0.456, 0.406]       # then subtracted; one number or one for each channel
    std = [0.229, 0.224, 0.225]        # then divided by
    dtype = "float32"                  # allows a cast to the model's type

    [labels]                           # for verification: one integer for each sample
    path = "labels.npy"
    member = "y_train"

Preprocessing goes into the data set's digest in a canonical form: TOML and JSON that say the same are the same.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trtfarm.datasets import limits
from trtfarm.datasets.files import DataFile, Reader
from trtfarm.datasets.kinds import SourceKind
from trtfarm.datasets.preprocessing import CHANNELS, FILTERS, LAYOUTS, Preprocessing
from trtfarm.errors import DataError
from trtfarm.regular_files import relative_steps

SPEC_FILES = ("data.toml", "data.json")
_LARGEST_SIDE = 1 << 16
_LARGEST = 3e38
_LARGEST_COUNT = 1 << 62
_DTYPES = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
_FLOAT_DTYPES = ("float16", "float32", "float64")


@dataclass(frozen=True, kw_only=True)
class InputSpec:
    """One input's entry. `path` is relative and checked; None where the entry does not say."""

    path: str | None
    kind: SourceKind | None
    member: str | None
    preprocessing: Preprocessing


@dataclass(frozen=True, kw_only=True)
class DataSpec:
    """A whole specification; the labels have no preprocessing.

    `samples` are the first one that is used, of inputs and labels, and the one after the last; None for all.
    """

    inputs: Mapping[str, InputSpec]
    labels: InputSpec | None
    samples: tuple[int, int] | None = None


class _InvalidError(Exception):
    """What a value should have been."""


def read_spec(path: Path) -> DataSpec:
    """Raises DataError that names the key and what may stand there."""
    with DataFile(path=path).open() as file:
        data = Reader(str(path), file).read(limits.TEXT_BYTES + 1)
    if len(data) > limits.TEXT_BYTES:
        raise _invalid(path, f"it has more than {limits.TEXT_BYTES:,} bytes")
    try:
        text = data.decode()
        content = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise _invalid(path, f"it is not {path.suffix.removeprefix('.').upper()}: {error}") from None
    try:
        return _spec(content)
    except _InvalidError as error:
        raise _invalid(path, str(error)) from None


def checked_preprocessing(name: str, steps: object) -> dict[str, Any]:
    """An input's preprocessing in the form that digests are made of; raises DataError for what is none."""
    try:
        table = _table(f"the preprocessing of {name}", steps, set(_PREPROCESSING))
        return Preprocessing(
            **{key: _value(name, key, value, _PREPROCESSING[key]) for key, value in table.items()}
        ).as_dict()
    except _InvalidError as error:
        raise DataError(str(error), remedy="see docs/data.md for what may stand there") from None


def _invalid(path: Path, cause: str) -> DataError:
    return DataError(
        f"{path} is not a data specification", cause=cause, remedy="see docs/data.md for what may stand there"
    )


def _spec(content: object) -> DataSpec:
    whole = _table("the file", content, {"inputs", "labels", "samples"})
    inputs = whole.get("inputs")
    if not isinstance(inputs, dict) or not inputs:
        raise _InvalidError("there is no table [inputs.<name of a model's input>]")
    labels = whole.get("labels")
    return DataSpec(
        inputs={name: _input(f"inputs.{name}", entry, _PREPROCESSING) for name, entry in inputs.items()},
        labels=None if labels is None else _input("labels", labels, {}),
        samples=_value("", "samples", whole["samples"], _span) if "samples" in whole else None,
    )


def _input(where: str, entry: object, preprocessing: Mapping[str, Callable[[Any], Any]]) -> InputSpec:
    table = _table(where, entry, {*_PLACE, *preprocessing})
    place = {key: _value(where, key, table[key], check) for key, check in _PLACE.items() if key in table}
    steps = {key: _value(where, key, table[key], check) for key, check in preprocessing.items() if key in table}
    return InputSpec(
        path=place.get("path"),
        kind=place.get("source"),
        member=place.get("member"),
        preprocessing=Preprocessing(**steps),
    )


def _table(where: str, value: object, keys: set[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _InvalidError(f"{where} is not a table")
    if unknown := sorted(set(value) - keys):
        raise _InvalidError(f"{where} has the unknown key {unknown[0]!r:.80}; it may have " + ", ".join(sorted(keys)))
    return value


def _value(where: str, key: str, value: Any, check: Callable[[Any], Any]) -> Any:
    try:
        return check(value)
    except _InvalidError as error:
        name = f"{where}.{key}" if where else key
        raise _InvalidError(f"{name} is {_quoted(value)}; it must be {error}") from None


def _quoted(value: Any) -> str:
    try:
        return f"{value!r:.80}"
    except ValueError:  # Python writes no number of so many digits
        return "a number of thousands of digits"


def _one_of(*words: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if value not in words:
            raise _InvalidError("one of " + ", ".join(words))
        return str(value)

    return check


def _side(value: Any) -> int:
    if type(value) is not int or not 1 <= value <= _LARGEST_SIDE:
        raise _InvalidError(f"a number of pixels from 1 to {_LARGEST_SIDE}")
    return value


def _size(value: Any) -> tuple[int, int]:
    if not isinstance(value, list) or len(value) != 2:  # noqa: PLR2004 - height and width
        raise _InvalidError("a height and a width, such as [224, 224]")
    return _side(value[0]), _side(value[1])


def _span(value: Any) -> tuple[int, int]:
    whole = isinstance(value, list) and len(value) == 2 and all(type(bound) is int for bound in value)  # noqa: PLR2004
    if not whole or not 0 <= value[0] < value[1] < _LARGEST_COUNT:
        raise _InvalidError("the first sample, counted from 0, and the one after the last, such as [0, 500]")
    return value[0], value[1]


def _resize(value: Any) -> int | tuple[int, int]:
    return _size(value) if isinstance(value, list) else _side(value)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _InvalidError("true or false")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not -_LARGEST <= value <= _LARGEST:
        raise _InvalidError("a number that float32 can hold")
    return float(value)


def _divisor(value: Any) -> float:
    if not _number(value):
        raise _InvalidError("a number other than 0")
    return float(value)


def _numbers(check: Callable[[Any], float]) -> Callable[[Any], tuple[float, ...]]:
    def read(value: Any) -> tuple[float, ...]:
        values = value if isinstance(value, list) else [value]
        if not values:
            raise _InvalidError("one number, or a list with one for each channel")
        return tuple(check(number) for number in values)

    return read


def _word(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise _InvalidError("a name")
    return value


def _path(value: Any) -> str:
    try:
        return "/".join(relative_steps(_word(value)))
    except ValueError:
        raise _InvalidError("a path relative to this file, within its folder") from None


_PLACE: dict[str, Callable[[Any], Any]] = {
    "path": _path,
    "source": lambda value: SourceKind(_one_of(*SourceKind)(value)),
    "member": _word,
}
_PREPROCESSING: dict[str, Callable[[Any], Any]] = {
    "resize": _resize,
    "filter": _one_of(*FILTERS),
    "crop": _size,
    "color": _one_of(*CHANNELS),
    "layout": _one_of(*LAYOUTS),
    "exif_orientation": _flag,
    "divide": _divisor,
    "mean": _numbers(_number),
    "std": _numbers(_divisor),
    "dtype": _one_of(*_FLOAT_DTYPES, *_DTYPES),
}
