"""What was observed of a share of the data, in memory and as a file that merges with those of the other shares.

The file is an .npz without pickled objects: `meta` is JSON, the other arrays have one row per observed tensor.
"""

import json
import zipfile
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Dict, List, Mapping, Sequence, Tuple, Type, Union

import numpy as np
from numpy.typing import NDArray

from trtfarm_builder.failures import BadDataError
from trtfarm_builder.reference.histogram import BINS, LEVELS, Histogram
from trtfarm_builder.reference.ranges import Range

_FORMAT = 1
#: What can be observed of a tensor, by name.
STATISTICS: Dict[str, Type[Union[Histogram, Range]]] = {"histogram": Histogram, "range": Range}
# Arrays of each kind: type, and shape after the axis of tensors.
_ARRAYS: Dict[str, Dict[str, Tuple[str, Tuple[int, ...]]]] = {
    "range": {"base": ("float64", ())},
    "histogram": {
        "base": ("float64", ()),
        "level": ("int64", ()),
        "zeros": ("int64", ()),
        "counts": ("int64", (BINS,)),
        "edges": ("int64", (LEVELS,)),
    },
}


@dataclass(frozen=True)
class Subject:
    """What must be equal in statistics that are merged.

    `model` is the digest of the model without its external data.
    `origins` maps every float tensor, in network order, to the observed tensor that gives it its scale; `outputs` are
    the float graph outputs; `unreadable` are tensors of types that cannot be observed; `kind` is a key of STATISTICS.
    """

    model: str
    origins: Dict[str, str]
    outputs: List[str]
    unreadable: List[str]
    kind: str
    batch_size: int
    revision: int
    engine: str


@dataclass(frozen=True)
class Observation:
    """Statistics by observed tensor over the samples from `start` to `stop` (exclusive) of a data set."""

    subject: Subject
    start: int
    stop: int
    statistics: Mapping[str, Any]

    @property
    def samples(self) -> int:
        return self.stop - self.start

    @property
    def batches(self) -> int:
        return self.samples // self.subject.batch_size


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
        with np.load(path, allow_pickle=False) as file:
            meta = json.loads(file["meta"].tobytes())
            if meta["format"] != _FORMAT:
                raise ValueError("format {} is not {}".format(meta["format"], _FORMAT))
            subject = Subject(**{field.name: meta["subject"][field.name] for field in fields(Subject)})
            names = meta["names"]
            arrays = {
                key: _checked(file[key], (len(names), *shape), dtype)
                for key, (dtype, shape) in _ARRAYS[subject.kind].items()
            }
            statistics = {
                name: STATISTICS[subject.kind].from_row(
                    {"fault": fault, **{key: array[i] for key, array in arrays.items()}}
                )
                for i, (name, fault) in enumerate(zip(names, meta["faults"]))
            }
            return Observation(subject=subject, start=int(meta["start"]), stop=int(meta["stop"]), statistics=statistics)
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise BadDataError(
            "{} holds no statistics".format(path.name), cause=str(error), remedy="observe that share of the data again"
        ) from error


def _checked(array: NDArray[Any], shape: Tuple[int, ...], dtype: str) -> NDArray[Any]:
    if array.shape != shape or array.dtype != np.dtype(dtype) or (array < 0).any():
        raise ValueError("an array of the wrong kind")
    return array


def merge_observations(parts: Sequence[Observation]) -> Observation:
    """The observation of all data from those of its consecutive parts, in any order.

    The result is the same, to the bit, as observing the data in one piece. Raises BadDataError where the parts are of
    different models, rules or versions, or leave samples out.
    """
    ordered = sorted(parts, key=lambda part: part.start)
    if not ordered:
        raise BadDataError("there are no statistics to merge")
    first = ordered[0]
    for part in ordered[1:]:
        if part.subject != first.subject or part.statistics.keys() != first.statistics.keys():
            raise BadDataError(
                "the statistics are of different models, rules or versions",
                remedy="observe all parts with one model, one rule and one release of trtfarm and ONNX Runtime",
            )
    ends = [0, *(part.stop for part in ordered)]
    for part, end in zip(ordered, ends):
        if part.start != end:
            raise BadDataError(
                "the statistics of the samples from {} to {} are missing or twice there".format(end, part.start)
            )
    merged = STATISTICS[first.subject.kind].merged
    return Observation(
        subject=first.subject,
        start=0,
        stop=ordered[-1].stop,
        statistics={name: merged([part.statistics[name] for part in ordered]) for name in first.statistics},
    )
