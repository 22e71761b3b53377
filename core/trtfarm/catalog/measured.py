"""Searching by accuracy: what was measured of an engine, of what a table made, or by a submission."""

from __future__ import annotations

from typing import Any, TypeVar

from sqlalchemy import ColumnElement, ScalarSelect, Select, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from trtfarm.accuracy import AccuracyFilter
from trtfarm.database.artifacts import EngineRow, QuantizationRow, TableRow, VerificationRow
from trtfarm.database.work import StepRow, SubmissionRow

#: Where so few verifications are as good, their engines are looked up, and not each engine asked for its own: among a
#: million engines, which twenty of share a model, the one takes as long as the other then.
_FEW = 1_500

Value = TypeVar("Value")
Conditions = list[ColumnElement[bool]]


def _conditions(wanted: AccuracyFilter, rows: Any = VerificationRow) -> Conditions:
    """On a verification: its columns, or those of an alias of it."""
    conditions: Conditions = []
    if wanted.min_top1 is not None:
        conditions.append(rows.top1 >= wanted.min_top1)
    if wanted.min_cosine is not None:
        conditions.append(rows.cosine >= wanted.min_cosine)
    if wanted.max_drop is not None:
        conditions.append(rows.lost <= wanted.max_drop)
    return conditions


def measured_engines(wanted: AccuracyFilter) -> Conditions:
    """On engines: what a list says of their accuracy, their own newest measurement or else their model's."""
    if not _conditions(wanted):
        return []
    newest = func.coalesce(newest_measured(VerificationRow.id), newest_simulated(VerificationRow.id))
    as_good = aliased(VerificationRow)
    found = select(as_good.id).where(as_good.id == newest, *_conditions(wanted, as_good)).limit(1)
    # A value and no EXISTS, of which PostgreSQL would look up all that are as good before it asks the first engine.
    return [found.correlate(EngineRow).scalar_subquery().is_not(None)]


def few_measured_engines(session: Session, wanted: AccuracyFilter) -> Conditions | None:
    """On engines, for a search to begin with where few verifications are as good: that they have one of them."""
    fit = _conditions(wanted)
    if not fit or session.execute(select(VerificationRow.id).where(*fit).offset(_FEW).limit(1)).first() is not None:
        return None
    made, same, run = aliased(EngineRow), aliased(EngineRow), aliased(EngineRow)
    of_models = select(made.id).join(VerificationRow, VerificationRow.quantization_id == made.quantization_id)
    of_plans = select(same.id).join(run, run.blob == same.blob)
    of_plans = of_plans.join(VerificationRow, VerificationRow.engine_id == run.id)
    return [EngineRow.id.in_(of_models.where(*fit).union(of_plans.where(*fit)))]


def measured_tables(wanted: AccuracyFilter) -> Conditions:
    """On tables: something that was made with them is as good."""
    fit = _conditions(wanted)
    if not fit:
        return []
    simulated = select(QuantizationRow.id).join(VerificationRow, VerificationRow.quantization_id == QuantizationRow.id)
    measured = select(EngineRow.id).join(VerificationRow, VerificationRow.engine_id == EngineRow.id)
    return [
        or_(
            simulated.where(QuantizationRow.table_id == TableRow.id, *fit).correlate(TableRow).exists(),
            measured.where(EngineRow.table_id == TableRow.id, *fit).correlate(TableRow).exists(),
        )
    ]


def measured_submissions(wanted: AccuracyFilter) -> Conditions:
    """On submissions: something that they made is as good."""
    fit = _conditions(wanted)
    if not fit:
        return []
    named: Any = StepRow.result["verification_id"].as_string()
    steps = select(StepRow.name).join(VerificationRow, VerificationRow.id == named)
    return [steps.where(StepRow.submission_id == SubmissionRow.id, *fit).correlate(SubmissionRow).exists()]


def newest_measured(column: InstrumentedAttribute[Value]) -> ScalarSelect[Value]:
    """Of an engine's newest measurement: engines of equal bytes are measured once, whichever of them it was."""
    same = aliased(EngineRow)
    newest = select(column).join(same, VerificationRow.engine_id == same.id)
    return _first(newest.where(same.blob == EngineRow.blob))


def newest_simulated(column: InstrumentedAttribute[Value]) -> ScalarSelect[Value]:
    """Of the newest measurement of the model that an engine was built from."""
    return _first(select(column).where(VerificationRow.quantization_id == EngineRow.quantization_id))


def _first(newest: Select[Value]) -> ScalarSelect[Value]:
    order = VerificationRow.created.desc(), VerificationRow.id.desc()
    return newest.order_by(*order).limit(1).correlate(EngineRow).scalar_subquery()
