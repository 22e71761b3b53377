"""The conditions of a search, as SQL."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from trtfarm.compute_capability import ComputeCapability
from trtfarm.database.artifacts import EngineLabelRow, EngineRow, ModelNameRow, ModelRow, TableRow
from trtfarm.versions import TensorRTVersion

_DIGEST = "sha256:"


@dataclass(frozen=True, kw_only=True)
class Filter:
    """What to search for; None asks for nothing.

    A TensorRT version may be short: 10 and 10.13 find 10.13.3.9. So may a precision: int8 finds int8+fp16. `model` is
    any of its names, or the start of a digest or of an id. Raises UsageError for a version or a compute capability that
    is none.
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

    def __post_init__(self) -> None:
        if self.tensorrt is not None and not self.tensorrt.isdecimal():
            TensorRTVersion.parse(self.tensorrt)
        if self.compute_capability is not None:
            # Written as it is stored, whichever way it was asked for.
            object.__setattr__(self, "compute_capability", str(ComputeCapability.parse(self.compute_capability)))


def engine_conditions(wanted: Filter) -> list[ColumnElement[bool]]:
    """Conditions on engines joined with their models."""
    return [
        *_common(wanted, EngineRow.tensorrt, EngineRow.calibrator, EngineRow.blob),
        *_equal(EngineRow.compute_capability, wanted.compute_capability),
        *_precision(wanted.precision),
        *_labelled(wanted.label),
    ]


def table_conditions(wanted: Filter) -> list[ColumnElement[bool]]:
    """Conditions on tables joined with their models; a table fits every device unless it is tied to one."""
    device = wanted.compute_capability
    tied = [] if device is None else [or_(TableRow.portable, TableRow.device == device)]
    return [*_common(wanted, TableRow.tensorrt, TableRow.calibrator, TableRow.blob), *tied]


def starts_so(column: InstrumentedAttribute[str], digest: str) -> ColumnElement[bool]:
    """The condition that a digest starts with what a person copied of it, with or without its `sha256:`."""
    start = _DIGEST + digest.removeprefix(_DIGEST)
    # The range is what an index answers; a digest's letters end with f.
    return and_(column >= start, column < f"{start}g", column.startswith(start, autoescape=True))


def _common(
    wanted: Filter,
    tensorrt: InstrumentedAttribute[str] | InstrumentedAttribute[str | None],
    calibrator: InstrumentedAttribute[str] | InstrumentedAttribute[str | None],
    blob: InstrumentedAttribute[str],
) -> list[ColumnElement[bool]]:
    conditions = _equal(calibrator, wanted.calibrator)
    if wanted.digest is not None:
        conditions.append(starts_so(blob, wanted.digest))
    if wanted.tensorrt is not None:
        # The dot keeps 10.1 from finding 10.13.
        conditions.append(or_(tensorrt == wanted.tensorrt, tensorrt.startswith(f"{wanted.tensorrt}.", autoescape=True)))
    if wanted.model is not None:
        named = select(ModelNameRow.model_id).where(ModelNameRow.name == wanted.model)
        conditions.append(
            or_(
                ModelRow.name == wanted.model,
                ModelRow.id.in_(named),
                starts_so(ModelRow.digest, wanted.model),
                ModelRow.id.startswith(wanted.model, autoescape=True),
            )
        )
    return conditions


def _precision(word: str | None) -> list[ColumnElement[bool]]:
    if word is None:
        return []
    return [or_(EngineRow.precision == word, EngineRow.precision.startswith(f"{word}+", autoescape=True))]


def _labelled(label: str | None) -> list[ColumnElement[bool]]:
    if label is None:
        return []
    return [EngineRow.id.in_(select(EngineLabelRow.engine_id).where(EngineLabelRow.label == label))]


def _equal(
    column: InstrumentedAttribute[str] | InstrumentedAttribute[str | None], value: str | None
) -> list[ColumnElement[bool]]:
    return [] if value is None else [column == value]
