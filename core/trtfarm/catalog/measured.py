"""Searching by accuracy: what was measured of an engine, of what a table made, or by a submission."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, ScalarSelect, Select, SQLColumnExpression, and_, false, func, literal, or_, select
from sqlalchemy.orm import Session, aliased

from trtfarm.accuracy import AccuracyFilter
from trtfarm.catalog.leading import of_row
from trtfarm.catalog.visibility import visible_measurements
from trtfarm.database.engines import EngineRow
from trtfarm.database.measurements import VerificationRow
from trtfarm.database.scales import QuantizationRow, TableRow
from trtfarm.database.work import StepRow, SubmissionRow

#: Where so few verifications are as good, their engines are looked up, and not each engine asked for its own: among a
#: million engines, which twenty of share a model, the one takes as long as the other then. More, where other filters
#: leave few of them to be put in order.
_FEW_OF_ALL, _FEW_OF_OTHERS = 200, 600
#: Up to so many, an engine is first asked what is quick to ask: whether any verification as good is of its kind.
_SOME = 5_000

#: Made once: to make one takes longer than to ask a database for a row.
_Same, _Run = aliased(EngineRow), aliased(EngineRow)

Value = TypeVar("Value")
Conditions = list[ColumnElement[bool]]


def _conditions(wanted: AccuracyFilter) -> Conditions:
    """On a verification."""
    conditions: Conditions = []
    if wanted.min_top1 is not None:
        conditions.append(VerificationRow.top1 >= wanted.min_top1)
    if wanted.min_cosine is not None:
        conditions.append(VerificationRow.cosine >= wanted.min_cosine)
    if wanted.max_drop is not None:
        conditions.append(VerificationRow.lost <= wanted.max_drop)
    return conditions


def measured_engines(
    session: Session, wanted: AccuracyFilter, *, alone: bool, project: str | None
) -> tuple[Conditions | None, Conditions]:
    """On engines: what a list says of their accuracy to a project, their own newest measurement or else their model's.

    First conditions for a search to begin with, None where it better begins with something else; then the others.
    `alone` where nothing else is searched for.
    """
    ways = _ways(wanted, project)
    if ways is None:
        return None, []
    count = session.scalars(ways.count).one()
    if count <= (_FEW_OF_ALL if alone else _FEW_OF_OTHERS):
        return [ways.of_few], [ways.shown]
    return None, [ways.of_some, ways.shown] if count <= _SOME else [ways.shown]


@dataclass(frozen=True, kw_only=True)
class _Ways:
    """What may be asked of an engine, and how many verifications are as good, up to one more than some."""

    shown: ColumnElement[bool]
    of_few: ColumnElement[bool]
    of_some: ColumnElement[bool]
    count: Select[int]


@lru_cache(maxsize=256)
def _ways(wanted: AccuracyFilter, project: str | None) -> _Ways | None:
    """Kept, as the same is asked for again and again, and to put it together takes a third as long as to find it."""
    fit = _conditions(wanted)
    if not fit:
        return None
    as_good = select(literal(1)).where(*fit).select_from(VerificationRow).limit(_SOME + 1).subquery()
    return _Ways(
        # False, not NULL, for what was not measured: what an engine's model did stands for no measurement of its own.
        # And values, no EXISTS, of which PostgreSQL would look up all that are as good before it asks the first engine.
        shown=shown_of_engine(func.coalesce(and_(*fit), false()), project),
        of_few=_has_one_of_few(fit),
        of_some=_may_have_one_of_some(fit),
        count=select(func.count()).select_from(as_good),
    )


def _has_one_of_few(fit: Conditions) -> ColumnElement[bool]:
    of_models = select(_Same.id).join(VerificationRow, VerificationRow.quantization_id == _Same.quantization_id)
    of_plans = select(_Same.id).join(_Run, _Run.blob == _Same.blob)
    of_plans = of_plans.join(VerificationRow, VerificationRow.engine_id == _Run.id)
    return EngineRow.id.in_(of_models.where(*fit).union(of_plans.where(*fit)))


def _may_have_one_of_some(fit: Conditions) -> ColumnElement[bool]:
    """That it is of a model, or of the bytes of an engine, that any of them is of: each engine is held to two sets."""
    as_good = select(VerificationRow.quantization_id, VerificationRow.engine_id).where(*fit).cte()
    models = select(as_good.c.quantization_id).where(as_good.c.quantization_id.is_not(None))
    plans = select(_Run.blob).join(as_good, as_good.c.engine_id == _Run.id).cte()
    return or_(of_row(EngineRow.quantization_id).in_(models), of_row(EngineRow.blob).in_(select(plans.c.blob)))


def measured_tables(wanted: AccuracyFilter, project: str | None) -> Conditions:
    """On tables: something that was made with them is as good, by a measurement that the project sees."""
    fit = _conditions(wanted)
    if not fit:
        return []
    fit += visible_measurements(project)
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


def shown_of_engine(column: SQLColumnExpression[Value], project: str | None) -> ColumnElement[Value]:
    """Of the verification that lists show of an engine: its own newest measurement, or else its model's.

    Of those that the project sees: on which data others measured the same engine, and what came of it, is theirs.
    """
    return func.coalesce(_newest_measured(column, project), _newest_simulated(column, project))


def _newest_measured(column: SQLColumnExpression[Value], project: str | None) -> ScalarSelect[Value]:
    """Engines of equal bytes are measured once, whichever of them it was."""
    newest = select(column).join(_Same, VerificationRow.engine_id == _Same.id)
    return _first(newest.where(_Same.blob == EngineRow.blob), project)


def _newest_simulated(column: SQLColumnExpression[Value], project: str | None) -> ScalarSelect[Value]:
    """Of the model that an engine was built from."""
    return _first(select(column).where(VerificationRow.quantization_id == EngineRow.quantization_id), project)


def _first(newest: Select[Value], project: str | None) -> ScalarSelect[Value]:
    order = VerificationRow.created.desc(), VerificationRow.id.desc()
    seen = newest.where(*visible_measurements(project))
    return seen.order_by(*order).limit(1).correlate(EngineRow).scalar_subquery()
