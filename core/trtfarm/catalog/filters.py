"""The conditions of a search, as SQL."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from trtfarm.accuracy import ANY_ACCURACY, AccuracyFilter
from trtfarm.calibrators import Calibrator
from trtfarm.catalog.measured import measured_tables
from trtfarm.compute_capability import ComputeCapability
from trtfarm.database.inputs import ModelNameRow, ModelRow
from trtfarm.database.scales import TableRow
from trtfarm.errors import UsageError
from trtfarm.precisions import check_precision
from trtfarm.stored_names import as_stored
from trtfarm.versions import TensorRTVersion

_DIGEST = "sha256:"


@dataclass(frozen=True, kw_only=True)
class Filter:
    """What to search for; None asks for nothing.

    A TensorRT version may be short: 10 and 10.13 find 10.13.3.9. So may a precision: int8 finds int8+fp16. `model` is
    any of its names, or the start of a digest or of an id. Raises UsageError for a version, a compute capability, a
    precision or a calibrator that is none: it would find nothing, as if there were nothing.
    """

    tensorrt: str | None = None
    compute_capability: str | None = None
    precision: str | None = None
    model: str | None = None
    calibrator: str | None = None
    #: The start of the digest of an engine's plan, or of a table's text.
    digest: str | None = None
    #: A label of an engine.
    label: str | None = None
    #: Any part of the model name of the GPU that an engine was built on, in capital letters or small ones.
    gpu: str | None = None
    accuracy: AccuracyFilter = ANY_ACCURACY

    def __post_init__(self) -> None:
        if self.tensorrt is not None:
            TensorRTVersion.wanted(self.tensorrt)
        if self.compute_capability is not None:
            # Written as it is stored, whichever way it was asked for.
            object.__setattr__(self, "compute_capability", str(ComputeCapability.parse(self.compute_capability)))
        if self.precision is not None:
            check_precision(self.precision)
        if self.calibrator is not None and self.calibrator not in list(Calibrator):
            raise UsageError(f"no calibrator {self.calibrator!r}", remedy="use one of: " + ", ".join(Calibrator))


def table_conditions(wanted: Filter, project: str | None = None) -> list[ColumnElement[bool]]:
    """Conditions on tables joined with their models; a table fits every device unless it is tied to one."""
    device = wanted.compute_capability
    conditions = [] if device is None else [or_(TableRow.portable, TableRow.device == device)]
    if wanted.calibrator is not None:
        conditions.append(TableRow.calibrator == wanted.calibrator)
    if wanted.digest is not None:
        conditions.append(starts_so(TableRow.blob, wanted.digest))
    if wanted.tensorrt is not None:
        # The dot keeps 10.1 from finding 10.13.
        builds = TableRow.tensorrt.startswith(f"{wanted.tensorrt}.", autoescape=True)
        conditions.append(or_(TableRow.tensorrt == wanted.tensorrt, builds))
    if wanted.model is not None:
        conditions.append(or_(*named_so(wanted.model)))
    return [*conditions, *measured_tables(wanted.accuracy, project)]


def named_so(word: str) -> list[ColumnElement[bool]]:
    """What a model fits at least one of if a person calls it so: a name, or the start of its digest or id."""
    name = as_stored(word)
    named = select(ModelNameRow.model_id).where(ModelNameRow.name == name)
    return [
        ModelRow.name == name,
        ModelRow.id.in_(named),
        starts_so(ModelRow.digest, word),
        ModelRow.id.startswith(word, autoescape=True),
    ]


def starts_so(column: InstrumentedAttribute[str], digest: str) -> ColumnElement[bool]:
    """The condition that a digest starts with what a person copied of it, with or without its `sha256:`."""
    start = _DIGEST + digest.removeprefix(_DIGEST)
    # The range is what an index answers; a digest's letters end with f.
    return and_(column >= start, column < f"{start}g", column.startswith(start, autoescape=True))
