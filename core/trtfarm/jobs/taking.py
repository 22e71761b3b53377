"""The statements that take queued jobs for a worker; `claiming` fills them in.

All of them want `by`, the worker's name, and `lease`, its seconds. PostgreSQL notes the `change` in the history of the
jobs in the same statement, which SQLite cannot.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Float,
    Integer,
    Select,
    TextClause,
    any_,
    bindparam,
    case,
    func,
    insert,
    literal,
    null,
    select,
    union_all,
    update,
)

from trtfarm.database.clock import FromNow, now
from trtfarm.database.kept import Kept
from trtfarm.jobs.history import EVENTS, STATE_CHANGED
from trtfarm.jobs.queue import ONE, in_queue, order, turns_where
from trtfarm.jobs.rows import JOBS
from trtfarm.jobs.state import JobState

#: A worker takes some tens of jobs at once at most, and so of as many queues.
_NUMBERS = 64


def _one_job(dialect: str) -> list[Any]:
    return [_taking(dialect, JOBS.c.id == bindparam("job"), JOBS.c.state == JobState.QUEUED, started=now())]


def _first(dialect: str, *, unserved: bool = False) -> list[Any]:
    found = _in_order(*in_queue(bindparam("need"), bindparam("requiring"), bindparam("whose")))
    turn = bindparam("at", type_=Float())
    if unserved:
        latest = turns_where(JOBS.c.turn >= turn).subquery()
        found = found.where(~select(latest.c.project).where(latest.c.project == bindparam("whose")).exists())
    first = found.limit(ONE).with_for_update(skip_locked=True).scalar_subquery()
    return [_taking(dialect, JOBS.c.id == first, started=now(), turn=turn)]


@lru_cache(maxsize=_NUMBERS)
def firsts(queues: int) -> Kept:
    """Of each of so many queues of `need`, of different projects, as many jobs as its `most` that nobody has tried.

    They are `requiring`, `whose`, `most` and `at` with a number from 0 on. The jobs are not begun.
    """
    return Kept(partial(_firsts, queues=queues))


def _firsts(dialect: str, *, queues: int) -> list[Any]:
    ids = union_all(*(select(_untried(number).subquery().c.id) for number in range(queues)))
    # As a list, which PostgreSQL looks up one by one: of a set it would not know that it is small.
    which = JOBS.c.id.in_(ids) if dialect == "sqlite" else JOBS.c.id == any_(func.array(ids.scalar_subquery()))
    numbered = range(queues)
    turn = case(*((JOBS.c.project == bindparam(f"whose{n}"), bindparam(f"at{n}", type_=Float())) for n in numbered))
    return [_taking(dialect, which, started=null(), turn=turn)]


def _untried(number: int) -> Select[str]:
    waiting = in_queue(bindparam("need"), bindparam(f"requiring{number}"), bindparam(f"whose{number}"))
    found = _in_order(*waiting, JOBS.c.attempt == 0).limit(bindparam(f"most{number}", type_=Integer()))
    return found.with_for_update(skip_locked=True)


def _in_order(*which: ColumnElement[bool] | TextClause) -> Select[str]:
    return select(JOBS.c.id).where(*which).order_by(*order())


def _taking(dialect: str, *which: ColumnElement[bool], **values: Any) -> Any:
    lease = FromNow(bindparam("lease", type_=Float()))
    running = {"state": JobState.RUNNING, "owner": bindparam("by"), "attempt": JOBS.c.attempt + 1, "lease_until": lease}
    taken = update(JOBS).where(*which).values(**running, **values).returning(JOBS)
    if dialect == "sqlite":
        return taken
    jobs = taken.cte("taken")
    change = bindparam("change", type_=EVENTS.c.data.type)
    line = {"job_id": jobs.c.id, "attempt": jobs.c.attempt, "at": now(), "kind": literal(STATE_CHANGED), "data": change}
    noted = insert(EVENTS).from_select(list(line), select(*line.values()))
    return select(jobs).add_cte(noted.cte("noted"))


#: The job with the id `job`, if it is queued.
ONE_JOB = Kept(_one_job)
#: The first job of the queue of `need`, `requiring` and `whose`, at the turn `at`.
FIRST = Kept(_first)
#: The same; none if somebody has taken one of the project at that turn or a later one.
FIRST_IF_UNSERVED = Kept(partial(_first, unserved=True))
