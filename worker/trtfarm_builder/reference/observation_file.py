"""An observation as a file: an .npz without pickled objects, `meta` in JSON, the other arrays a row per tensor."""

import json
import zipfile
import zlib
from dataclasses import asdict, fields
from pathlib import Path
from tokenize import TokenError
from typing import Any, Dict, Tuple

import numpy as np
from numpy.typing import NDArray

from trtfarm_builder.failures import BadDataError
from trtfarm_builder.reference.histogram import BINS, LEVELS
from trtfarm_builder.reference.observation import STATISTICS, Observation, Subject

_FORMAT = 2
#: What NumPy, zip files, JSON and we say of bytes that are not what `save_observation` wrote.
_DAMAGE = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
    SyntaxError,
    TokenError,
    zlib.error,
    zipfile.BadZipFile,
)
# Arrays of each kind of statistic: type, and shape behind the axis of tensors.
_ARRAYS: Dict[str, Dict[str, Tuple[str, Tuple[int, ...]]]] = {
    "bases": {"base": ("float64", ())},
    "range": {"base": ("float64", ())},
    "histogram": {
        "base": ("float64", ()),
        "level": ("int64", ()),
        "zeros": ("int64", ()),
        "counts": ("int64", (BINS,)),
        "edges": ("int64", (LEVELS,)),
    },
}


def save_observation(observation: Observation, path: Path) -> None:
    names = list(observation.statistics)
    rows = [observation.statistics[name].row() for name in names]
    meta = {
        "format": _FORMAT,
        "subject": asdict(observation.subject),
        "start": observation.start,
        "stop": observation.stop,
        "names": names,
        "faults": [row["fault"] for row in rows],
    }
    arrays: Dict[str, Any] = {
        key: np.array([row[key] for row in rows], dtype).reshape((len(rows), *shape))
        for key, (dtype, shape) in _ARRAYS[observation.subject.kind].items()
    }
    np.savez_compressed(path, meta=np.frombuffer(json.dumps(meta).encode(), np.uint8), **arrays)


def load_observation(path: Path) -> Observation:
    """Reads what `save_observation` wrote. Raises BadDataError where the file is damaged or of another format."""
    try:
        # Opened here, because np.load leaves files open that it cannot read.
        with path.open("rb") as file:
            content = np.load(file, allow_pickle=False)
            return _observation({name: content[name] for name in content.files})
    except _DAMAGE as error:
        raise BadDataError(
            "{} holds no statistics".format(path.name), cause=str(error), remedy="observe that share of the data again"
        ) from error


def _observation(content: Dict[str, NDArray[Any]]) -> Observation:
    meta = json.loads(content["meta"].tobytes())
    if meta["format"] != _FORMAT:
        raise ValueError("format {} is not {}".format(meta["format"], _FORMAT))
    subject = Subject(**{field.name: meta["subject"][field.name] for field in fields(Subject)})
    names, faults, kind = meta["names"], meta["faults"], subject.kind
    if set(subject.origins.values()) != set(names):
        raise ValueError("tensors are missing, or others there")
    arrays = {key: _checked(content[key], (len(names), *shape), dtype) for key, (dtype, shape) in _ARRAYS[kind].items()}
    statistics = {
        name: STATISTICS[kind].from_row({"fault": faults[i], **{key: array[i] for key, array in arrays.items()}})
        for i, name in enumerate(names)
    }
    return Observation(subject=subject, start=int(meta["start"]), stop=int(meta["stop"]), statistics=statistics)


def _checked(array: NDArray[Any], shape: Tuple[int, ...], dtype: str) -> NDArray[Any]:
    if array.shape != shape or array.dtype != np.dtype(dtype) or not (np.isfinite(array) & (array >= 0)).all():
        raise ValueError("an array of the wrong kind")
    return array
