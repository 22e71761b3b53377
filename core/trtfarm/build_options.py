"""The builder options that a submission may name: which toolchains have them, how they are written, what they may be.

Whether this TensorRT has one, the builder finds out; here are the names, so that a wrong one costs no job.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from trtfarm.digests import canonical_json
from trtfarm.errors import UsageError
from trtfarm.file_errors import remedy_for
from trtfarm.regular_files import open_regular
from trtfarm.targets import TENSORRT

DYNAMIC_RANGES = "dynamic_ranges"
STRONGLY_TYPED = "strongly_typed"
#: What an engine takes besides its first profile, each as builds have that: {input: {min, opt, max}}.
MORE_PROFILES = "more_profiles"
DLA_CORE = "dla_core"
_LARGEST_FILE = 16 << 20
_LARGEST_COUNT = 1 << 63
_SIZE = re.compile(r"(\d{1,18})\s*(KiB|MiB|GiB)?", re.ASCII)
_UNITS = {None: 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _LARGEST_COUNT


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _is_words_by_name(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(word, str) for word in value.values())


def _is_ranges(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(amax, int | float) and not isinstance(amax, bool) and 0 < amax < float("inf")
        for amax in value.values()
    )


def _is_formats(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(wanted, Mapping) and set(wanted) <= {"dtype", "formats"} for wanted in value.values()
    )


def _is_profiles(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(profile, Mapping) and all(map(_is_shape_range, profile.values())) for profile in value
    )


def _is_shape_range(value: Any) -> bool:
    if not isinstance(value, Mapping) or set(value) != {"min", "opt", "max"}:
        return False
    shapes = list(value.values())
    return all(isinstance(shape, list) and all(map(_is_count, shape)) for shape in shapes)


#: What an option may be: in words, and whether a value is that.
_COUNT = ("a whole number", _is_count)
_SWITCH = ("true or false", lambda value: isinstance(value, bool))
_NAMES = ("a list of names", _is_names)
_WORD = ("a word", lambda value: isinstance(value, str))
_OPTIONS: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "workspace_bytes": ("a whole number of bytes, such as 256MiB", _is_count),
    "avg_timing_iterations": _COUNT,
    "min_timing_iterations": _COUNT,
    "builder_optimization_level": _COUNT,
    "max_aux_streams": _COUNT,
    "max_num_tactics": _COUNT,
    "flags": _NAMES,
    "clear_flags": _NAMES,
    "tactic_sources": _NAMES,
    DLA_CORE: _COUNT,
    "gpu_fallback": _SWITCH,
    "sparse_weights": _SWITCH,
    "refit": _SWITCH,
    "strip_plan": _SWITCH,
    "version_compatible": _SWITCH,
    "hardware_compatibility": _WORD,
    "precision_constraints": ("prefer or obey", lambda value: value in ("prefer", "obey")),
    "layer_precisions": ("a precision for each layer by name", _is_words_by_name),
    "io_formats": ("dtype and formats for each input or output by name", _is_formats),
    STRONGLY_TYPED: _SWITCH,
    MORE_PROFILES: ("a list of profiles, each with min, opt and max for each input by name", _is_profiles),
    DYNAMIC_RANGES: ("a largest magnitude, above zero, for each tensor by name", _is_ranges),
}
_COMMON = frozenset(
    {
        "workspace_bytes",
        "avg_timing_iterations",
        "builder_optimization_level",
        "max_aux_streams",
        "max_num_tactics",
        "flags",
        MORE_PROFILES,
    }
)
#: Options that change how long a build takes and what it chooses from, but not one number of a calibration beside it.
NEUTRAL = _COMMON - {"flags", MORE_PROFILES}


def check_options(options: Mapping[str, Any], toolchain: str) -> None:
    """Raises UsageError for options that a kind of toolchain does not have, and for values that they cannot be."""
    known = set(_OPTIONS) if toolchain == TENSORRT else _COMMON
    unknown = sorted(set(options) - known)
    if unknown:
        raise UsageError(
            f"{toolchain} has no builder option {', '.join(unknown):.200}", remedy="use: " + ", ".join(sorted(known))
        )
    try:
        canonical_json(options)  # keys of builds are made of it
    except (ValueError, TypeError, RecursionError) as error:
        raise UsageError(
            "the builder options are not plain data",
            cause=f"{error!s:.200}",
            remedy="use texts, lists and numbers that JSON has",
        ) from error
    for name, value in options.items():
        words, fits = _OPTIONS[name]
        if not fits(value):
            raise UsageError(f"the builder option {name} cannot be {value!r:.200}", remedy=f"it is {words}")


def options_of(texts: Sequence[str], file: Path | None, ranges: Path | None) -> dict[str, Any]:
    """Options from `name=value` texts, which win over those of a TOML file, and ranges from a file of their own.

    Raises UsageError for what cannot be read.
    """
    options = _from_file(file) if file else {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"{text!r:.200} is no builder option", remedy="write it as name=value")
        options[name.strip().replace("-", "_")] = _value(value.strip())
    options = {name: _written_out(name, value) for name, value in options.items()}
    return {**options, DYNAMIC_RANGES: read_ranges(ranges)} if ranges else options


def read_ranges(path: Path) -> dict[str, float]:
    """Tensor -> largest magnitude, from lines `<tensor>: <number>` as NVIDIA's sampleINT8API has them."""
    ranges: dict[str, float] = {}
    for number, line in enumerate(_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        tensor, _, value = line.rpartition(":")
        try:
            amax = float(value)
        except ValueError:
            amax = 0.0
        if not tensor.strip() or not 0 < amax < float("inf") or tensor.strip() in ranges:
            raise UsageError(
                f"line {number} of {path} is no range: {line!r:.200}",
                remedy="write <tensor>: <largest magnitude> once for each tensor, magnitudes above zero",
            )
        ranges[tensor.strip()] = amax
    if not ranges:
        raise UsageError(f"{path} has no ranges", remedy="write <tensor>: <largest magnitude> on each line")
    return ranges


def _from_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(_text(path))
    except (ValueError, RecursionError) as error:  # TOML's own error is one, and so is a number of too many digits
        raise UsageError(f"{path} is not TOML", cause=str(error), remedy="write name = value on each line") from error


def _text(path: Path) -> str:
    try:
        with open_regular(path) as file:
            data = file.read(_LARGEST_FILE + 1)
            text = data.decode()
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read", cause=error.strerror, remedy=remedy_for(error, "name a text file")
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} cannot be read", cause=str(error), remedy="name a text file") from error
    if len(data) > _LARGEST_FILE:
        raise UsageError(f"{path} has more than {_LARGEST_FILE:,} bytes", remedy="name a file of options or ranges")
    return text


def _value(text: str) -> Any:
    """A TOML value; what is none is a text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text


def _written_out(name: str, value: Any) -> Any:
    """Short forms in full: 256MiB, and names with commas between."""
    if name == "workspace_bytes" and isinstance(value, str) and (match := _SIZE.fullmatch(value)):
        return int(match[1]) * _UNITS[match[2]]
    if _OPTIONS.get(name) is _NAMES and isinstance(value, str):
        return [word.strip() for word in value.split(",")]
    return value
