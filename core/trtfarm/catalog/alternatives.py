"""A search of engines taken apart into searches for exact values, each of which one index answers in order.

`int8` also means `int8+fp16`, and `10.13` every build of it: with `OR` and `LIKE` a database sorts all that fit before
it gives the first. There are few versions and precisions, so they are looked up first, and what each gives is merged.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import product
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from trtfarm.catalog.filters import Filter, engine_conditions, starts_so
from trtfarm.database.artifacts import EngineRow, ModelNameRow, ModelRow

#: More than these are asked for at once, whatever it costs.
_MOST = 32

Conditions = list[ColumnElement[bool]]


def engine_alternatives(session: Session, wanted: Filter) -> list[Conditions]:
    """Conditions on engines joined with their models; an engine fits one of them at most, and none where none can."""
    choices = [
        _choices(EngineRow.tensorrt, _meant(session, EngineRow.tensorrt, wanted.tensorrt, ".")),
        _choices(EngineRow.precision, _meant(session, EngineRow.precision, wanted.precision, "+")),
        _choices(EngineRow.model_id, _models(session, wanted.model)),
    ]
    rest = engine_conditions(replace(wanted, tensorrt=None, precision=None, model=None))
    if len(choices[0]) * len(choices[1]) * len(choices[2]) > _MOST:
        choices = [[[or_(*(condition for choice in one for condition in choice))] if one[0] else []] for one in choices]
    return [[*rest, *(condition for choice in chosen for condition in choice)] for chosen in product(*choices)]


def _choices(column: InstrumentedAttribute[str], values: Iterable[str] | None) -> list[Conditions]:
    """One for each value; one without a condition where any will do."""
    return [[]] if values is None else [[column == value] for value in values]


def _meant(session: Session, column: InstrumentedAttribute[str], word: str | None, separator: str) -> list[str] | None:
    """The stored values that a short one stands for; the separator keeps 10.1 from standing for 10.13."""
    if word is None:
        return None
    return [value for value in _distinct(session, column) if value == word or value.startswith(word + separator)]


def _distinct(session: Session, column: InstrumentedAttribute[str]) -> list[str]:
    """The values of a column, by one look into its index for each instead of one for each row."""
    least: Any = func.min(column).label("value")
    values = select(least).cte(recursive=True)
    greater = select(func.min(column)).where(column > values.c.value).scalar_subquery()
    values = values.union_all(select(greater).where(values.c.value.is_not(None)))
    return list(session.scalars(select(values.c.value).where(values.c.value.is_not(None))))


def _models(session: Session, word: str | None) -> list[str] | None:
    """The ids of the models with this name, or whose id or digest starts so."""
    if word is None:
        return None
    named = select(ModelNameRow.model_id).where(ModelNameRow.name == word)
    fits = (
        ModelRow.name == word,
        ModelRow.id.in_(named),
        starts_so(ModelRow.digest, word),
        ModelRow.id.startswith(word, autoescape=True),
    )
    return list(session.scalars(select(ModelRow.id).where(or_(*fits))))
