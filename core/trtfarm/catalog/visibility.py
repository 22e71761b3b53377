"""What of a farm a project sees: what it handed in, what its submissions asked for, and nothing else.

Rows are shared by content: two projects that hand in the same model have one row, and either sees it. An engine or a
table is seen by whoever submitted a step with its key, which names everything that it depends on: who can name all of
that had it already. None in the place of a project stands for whoever sees everything: admins, and all who open the
database themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import ColumnElement, Integer, Select, String, Table, bindparam, func, or_, select
from sqlalchemy.orm import Session, aliased

from trtfarm.database.access import GrantRow
from trtfarm.database.base import Base
from trtfarm.database.batches import batches
from trtfarm.database.engines import EngineRow
from trtfarm.database.inputs import DatasetRow, ModelRow
from trtfarm.database.insert import conflict_insert_in
from trtfarm.database.kept import Kept
from trtfarm.database.many import as_parameter, many
from trtfarm.database.measurements import VerificationRow
from trtfarm.database.scales import TableRow
from trtfarm.database.session import Database
from trtfarm.database.work import JobRow, StepRow, SubmissionRow

Condition = ColumnElement[bool]
#: The engines of so many steps are looked up and sorted as quickly as a hundred are come across among a million.
_FEW = 5_000
#: Ids of engines, and of nothing else that is granted, lie between these however a database sorts letters.
_OF_ENGINES = GrantRow.item >= "eng", GrantRow.item < "enh"
_Made = aliased(EngineRow)
_GRANTS = cast(Table, GrantRow.__table__)


def visible(rows: type[Base], project: str | None) -> list[Condition]:
    """The conditions under which a project sees a row; those of a kind that is nobody's are seen by everybody."""
    if project is None or rows not in _SEEN:
        return []
    return [_SEEN[rows](project)]


def visible_engines(session: Session, project: str | None) -> list[Condition]:
    """The same for a search of engines: those of a project that has few are looked up, else each one is asked."""
    if project is None:
        return []
    grants = _grants(project).where(*_OF_ENGINES)
    [(has_many, granted_any)] = _HAS(session, project=project, few=_FEW)
    if not has_many:
        made = select(_Made.id).join(StepRow, StepRow.key == _Made.key)
        made = made.join(SubmissionRow, SubmissionRow.id == StepRow.submission_id)
        made = made.where(SubmissionRow.project == project)
        return [EngineRow.id.in_(made.union(grants) if granted_any else made)]
    return [_each_asked(EngineRow, project, granted_any=granted_any)]


def visible_measurements(project: str | None) -> list[Condition]:
    """The same for the verifications of an engine: there are few of one, and each is asked."""
    return [] if project is None else [_each_asked(VerificationRow, project)]


@lru_cache(maxsize=256)
def _each_asked(rows: Any, project: str, *, granted_any: bool = True) -> Condition:
    """Whether a project asked for a row or was given it, as one that is at hand anyway is asked.

    Values and no EXISTS, of which PostgreSQL would look up all that there are before it asks the first row. Kept, as it
    is most of what a search is put together of.
    """
    ways = [_steps(project, StepRow.key).where(StepRow.key == rows.key)]
    if granted_any:
        ways.append(_grants(project).where(GrantRow.item == rows.id))
    return or_(*(way.limit(1).correlate(rows).scalar_subquery().is_not(None) for way in ways))


def sees_blob(session: Session, digest: str, project: str | None) -> bool:
    """Whether a project handed in these bytes, or sees a row that they are the file of."""
    if project is None or granted(session, project, [digest]):
        return True
    return any(
        session.scalar(select(rows.id).where(or_(*(column == digest for column in columns)), *visible(rows, project)))
        for rows, columns in _FILES.items()
    )


def granted(session: Session, project: str, items: Iterable[str]) -> set[str]:
    """Those of some ids and digests that a project handed in or named."""
    found: set[str] = set()
    for some in batches(sorted(set(items))):
        mine = GrantRow.project == project, GrantRow.item.in_(some)
        found.update(session.scalars(select(GrantRow.item).where(*mine)))
    return found


def grant(session: Session, project: str, items: Iterable[str | None]) -> None:
    """Notes that a project has rows, by their ids, or bytes, by their digest."""
    _GRANT(session, granted=as_parameter({"project": project, "item": item} for item in set(items) if item))


def granting(dialect: str) -> Any:
    """The statement of `grant`: any number of items that are `granted`, with their projects (`many.as_parameter`)."""
    given = many(dialect, "granted", [_GRANTS.c.project, _GRANTS.c.item])
    # Looked at first, and then in one order everywhere: most often nothing is to be written, and nobody waits.
    had = select(_GRANTS.c.item).where(_GRANTS.c.project == given.c.project, _GRANTS.c.item == given.c.item)
    new = select(*given.c).where(~had.exists()).order_by(*given.c)
    insert = conflict_insert_in(dialect, GrantRow).from_select(["project", "item"], new)
    return insert.on_conflict_do_nothing(index_elements=["project", "item"])


def give(database: Database, project: str, item: str) -> None:
    """The same in a transaction of its own, where it is new."""
    with database.read() as session:
        if granted(session, project, [item]):
            return
    with database.write() as session:
        grant(session, project, [item])


def _grants(project: Any) -> Select[str]:
    return select(GrantRow.item).where(GrantRow.project == project)


def _submissions(project: Any) -> Select[str]:
    return select(SubmissionRow.id).where(SubmissionRow.project == project)


def _steps(project: Any, column: Any) -> Select[Any]:
    """A column of the steps of a project's submissions."""
    steps = select(column).join(SubmissionRow, SubmissionRow.id == StepRow.submission_id)
    return steps.where(SubmissionRow.project == project, column.is_not(None))


def _what_it_has() -> Select[bool, bool]:
    """Whether a `project` asked for more than a `few` engines, and whether it was given any otherwise."""
    project, few = bindparam("project", type_=String), bindparam("few", type_=Integer)
    # Who handed in so many times asked for as many engines, and to count the former is quicker.
    counted = (_submissions(project), _steps(project, StepRow.key))
    more = func.coalesce(*(rows.offset(few).limit(1).scalar_subquery() for rows in counted))
    given = _grants(project).where(*_OF_ENGINES).limit(1).scalar_subquery()
    return select(more.is_not(None).label("many"), given.is_not(None).label("granted"))


def _made_or_granted(rows: Any) -> Callable[[str], Condition]:
    return lambda project: or_(rows.key.in_(_steps(project, StepRow.key)), rows.id.in_(_grants(project)))


#: Made once: to make it takes longer than to ask it.
_HAS = Kept(lambda _dialect: [_what_it_has()])
_GRANT = Kept(lambda dialect: [granting(dialect)])
_SEEN: Mapping[type[Base], Callable[[str], Condition]] = {
    ModelRow: lambda project: ModelRow.id.in_(_grants(project)),
    DatasetRow: lambda project: DatasetRow.id.in_(_grants(project)),
    TableRow: _made_or_granted(TableRow),
    EngineRow: _made_or_granted(EngineRow),
    VerificationRow: _made_or_granted(VerificationRow),
    SubmissionRow: lambda project: SubmissionRow.project == project,
    JobRow: lambda project: JobRow.id.in_(_steps(project, StepRow.job_id)),
}
#: The files that rows name one by one; arrays of data are seen by whoever handed them in.
_FILES: Mapping[Any, tuple[Any, ...]] = {
    ModelRow: (ModelRow.blob, ModelRow.weights_blob),
    TableRow: (TableRow.blob,),
    EngineRow: (EngineRow.blob, EngineRow.log_blob),
}
