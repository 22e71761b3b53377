"""A search of engines taken apart into searches that one index each answers in the order of the list.

`10.13` means every build of it, and `int8` also `int8+fp16`: with `OR` and `LIKE` a database sorts all that fit before
it gives the first. There are few versions, which are looked up first, and precisions, which are known. One of the
filters then leads: each of its values is searched for by itself, and what these give is merged. The other filters pass
or drop what the leading one's index gives, which holds their columns too, so that no row has to be read for that.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from trtfarm.catalog.filters import Filter, named_so, starts_so
from trtfarm.catalog.labels import labels_seen
from trtfarm.catalog.leading import Column, of_row
from trtfarm.catalog.measured import measured_engines
from trtfarm.database.engines import EngineLabelRow, EngineRow
from trtfarm.database.inputs import ModelRow
from trtfarm.database.kept import Kept
from trtfarm.precisions import PRECISIONS

#: More values than these are asked for at once, whatever it costs.
_MOST = 32
#: So many engines are sorted as quickly as a hundred of them are come across among a million.
_FEW = 10_000

#: Major, minor, patch and build.
_DOTS_IN_FULL = 3

Conditions = list[ColumnElement[bool]]


def engine_alternatives(session: Session, wanted: Filter, project: str | None = None) -> list[Conditions]:
    """Conditions on engines; an engine fits one of them at most, and none where none can. Labels are the project's."""
    # The one that leaves the fewest engines leads; each has an index that holds the columns after it.
    meant: dict[Column, list[str] | None] = {
        EngineRow.model_id: _models(session, wanted.model),
        EngineRow.tensorrt: _builds(session, wanted.tensorrt),
        EngineRow.compute_capability: _exactly(wanted.compute_capability),
        EngineRow.precision: _kinds(wanted.precision),
        EngineRow.calibrator: _exactly(wanted.calibrator),
    }
    given = [(column, values) for column, values in meant.items() if values is not None]
    rest = [*_starting(wanted.digest), *_built_on(wanted.gpu), *_labelled(session, wanted.label, project)]
    few, as_good = measured_engines(session, wanted.accuracy, alone=not given and not rest, project=project)
    rest += as_good
    if few is not None:
        return [[*few, *rest, *(of_row(column).in_(words) for column, words in given)]]
    if not given:
        return [rest]
    (leading, values), *others = given
    # PostgreSQL counts what there is and chooses well; SQLite would let any of them lead.
    counts = session.get_bind().dialect.name != "sqlite"
    rest += [(column if counts else of_row(column)).in_(words) for column, words in others]
    if len(values) > _MOST:
        return [[leading.in_(values), *rest]]
    return [[leading == value, *rest] for value in values]


def _starting(digest: str | None) -> Conditions:
    return [] if digest is None else [starts_so(EngineRow.blob, digest)]


def _built_on(gpu: str | None) -> Conditions:
    """No index answers this: where few engines fit, it reads all that the other filters leave."""
    return [] if gpu is None else [EngineRow.gpu.icontains(gpu, autoescape=True)]


def _labelled(session: Session, label: str | None, project: str | None) -> Conditions:
    """That an engine has a label: one that few have is looked up, of one that many have each engine is asked."""
    if label is None:
        return []
    found = select(EngineLabelRow.engine_id).where(EngineLabelRow.label == label, *labels_seen(project))
    many = session.execute(found.offset(_FEW).limit(1)).first() is not None
    if many:
        asked = found.where(EngineLabelRow.engine_id == EngineRow.id).limit(1).correlate(EngineRow)
        # A value and no EXISTS, of which PostgreSQL would look up all that have the label before it asks the first.
        return [asked.scalar_subquery().is_not(None)]
    return [EngineRow.id.in_(found)]


def _builds(session: Session, version: str | None) -> list[str] | None:
    """The stored versions that one stands for: itself where it is in full, else those of its line.

    The dot keeps 10.1 from standing for 10.13.
    """
    if version is None or version.count(".") == _DOTS_IN_FULL:
        return _exactly(version)
    stored = (row.value for row in _STORED(session))
    return [build for build in stored if build == version or build.startswith(f"{version}.")]


def _kinds(precision: str | None) -> list[str] | None:
    """The precisions that one stands for, which there may be: itself, and those that have another for the rest."""
    if precision is None:
        return None
    return [precision, *(other for other in PRECISIONS if other.startswith(f"{precision}+"))]


def _exactly(word: str | None) -> list[str] | None:
    return None if word is None else [word]


def _distinct(column: InstrumentedAttribute[str]) -> Select[str]:
    """The values of a column, by one look into its index for each instead of one for each row."""
    least: Any = func.min(column).label("value")
    values = select(least).cte(recursive=True)
    greater = select(func.min(column)).where(column > values.c.value).scalar_subquery()
    values = values.union_all(select(greater).where(values.c.value.is_not(None)))
    return select(values.c.value).where(values.c.value.is_not(None))


def _models(session: Session, word: str | None) -> list[str] | None:
    """The ids of the models with this name, or whose id or digest starts so."""
    return None if word is None else list(session.scalars(select(ModelRow.id).where(or_(*named_so(word)))))


#: Every version that engines have been built with.
_STORED = Kept(lambda _dialect: [_distinct(EngineRow.tensorrt)])
