"""What was observed of a share of the data, and how shares are put together."""

from dataclasses import dataclass, fields
from typing import Any, Dict, List, Mapping, Sequence, Tuple, Type, Union

from trtfarm_builder.failures import BadDataError
from trtfarm_builder.reference.bases import Base
from trtfarm_builder.reference.histogram import Histogram
from trtfarm_builder.reference.ranges import Range

#: What can be observed of a tensor, by name.
STATISTICS: Dict[str, Type[Union[Histogram, Range]]] = {"bases": Base, "histogram": Histogram, "range": Range}


@dataclass(frozen=True)
class Subject:
    """What must be equal in statistics that are merged.

    `model` is the digest of the model without its external data; `content` what whoever asked calls all of the model,
    and the data.
    `origins` maps every float tensor, in network order, to the observed tensor that gives it its scale; `outputs` are
    the float graph outputs; `unreadable` are tensors of types that cannot be observed; `kind` is a key of STATISTICS.
    """

    model: str
    content: Dict[str, str]
    origins: Dict[str, str]
    outputs: List[str]
    unreadable: List[str]
    kind: str
    batch_size: int
    revision: int
    engine: str

    def differences(self, other: "Subject") -> List[str]:
        """Names of the fields in which the two differ."""
        names = (field.name for field in fields(self))
        return [name for name in names if getattr(self, name) != getattr(other, name)]


@dataclass(frozen=True)
class Observation:
    """Statistics by observed tensor over the samples from `start` to `stop` (exclusive) of a data set.

    `unlike` are the tensors whose histograms were merged from parts that begin otherwise.
    """

    subject: Subject
    start: int
    stop: int
    statistics: Mapping[str, Any]
    unlike: Tuple[str, ...] = ()

    @property
    def samples(self) -> int:
        return self.stop - self.start

    @property
    def batches(self) -> int:
        return self.samples // self.subject.batch_size


def check_alike(one: Subject, other: Subject) -> None:
    """Raises BadDataError where the two are not of the same, or were not observed in the same way."""
    differences = one.differences(other)
    if differences:
        raise BadDataError(
            "the statistics are of different models, data, rules or versions",
            cause="they differ in: {}".format(", ".join(differences)),
            remedy="observe all parts anew (submit --fresh), with one release of trtfarm and ONNX Runtime",
        )


def merge_observations(parts: Sequence[Observation]) -> Observation:
    """The observation of all data from those of its consecutive parts, in any order.

    The result is the same, to the bit, as observing the data in one piece, where all were observed by processors that
    compute alike. Raises BadDataError where the parts are of different models, rules or versions, or leave samples out.
    """
    ordered = sorted(parts, key=lambda part: part.start)
    if not ordered:
        raise BadDataError("there are no statistics to merge")
    first = ordered[0]
    for part in ordered[1:]:
        check_alike(part.subject, first.subject)
    ends = [0, *(part.stop for part in ordered)]
    for part, end in zip(ordered, ends):
        if part.start != end:
            raise BadDataError(
                "the statistics of the samples from {} to {} are missing or twice there".format(end, part.start)
            )
    merged = STATISTICS[first.subject.kind].merged
    parts_of = {name: [part.statistics[name] for part in ordered] for name in first.statistics}
    return Observation(
        subject=first.subject,
        start=0,
        stop=ordered[-1].stop,
        statistics={name: merged(found) for name, found in parts_of.items()},
        unlike=tuple(name for name, found in parts_of.items() if _begin_otherwise(first.subject.kind, found)),
    )


def _begin_otherwise(kind: str, parts: Sequence[Any]) -> bool:
    """Whether histograms have several bases, which are found once for all: processors rounded the same otherwise."""
    return kind == "histogram" and len({part.base for part in parts if part.base}) > 1
