"""What was observed of a share of the data, and how shares are put together."""

from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Sequence, Type, Union

from trtfarm_builder.failures import BadDataError
from trtfarm_builder.reference.histogram import Histogram
from trtfarm_builder.reference.ranges import Range

#: What can be observed of a tensor, by name.
STATISTICS: Dict[str, Type[Union[Histogram, Range]]] = {"histogram": Histogram, "range": Range}


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
