"""The order in which queued jobs are taken, as SQL; the manager's tools, nobody else's.

Each capability has its own queue within the index `ix_jobs_queued`, in which its first job stands first. To share
workers out between projects, let an index begin with capability and project, and let `head` choose the project.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Select, select, union_all

from trtfarm.database.work import QUEUED_JOBS
from trtfarm.jobs.rows import JOBS

#: The very words of the index: with the state as a parameter no database could tell that it may use a partial one.
QUEUED = QUEUED_JOBS
#: A worker asks the same again and again, and putting a statement together takes as long as the database does with it.
_STATEMENTS = 256


def order(columns: Any = JOBS.c) -> Iterable[ColumnElement[Any]]:
    """Highest priority first, then the one that has waited longest."""
    return columns.priority.desc(), columns.queued_at, columns.id


@lru_cache(maxsize=_STATEMENTS)
def waiting(capabilities: tuple[str, ...]) -> Select[Any]:
    """Those of the capabilities that a queued job needs, that of the most urgent job first."""
    heads = union_all(*(select(head(word).subquery()) for word in capabilities)).subquery()
    return select(heads.c.capability).order_by(*order(heads.c))


@lru_cache(maxsize=_STATEMENTS)
def head(capability: str) -> Select[Any]:
    """The job that the next worker with a capability takes: capability, priority, queued_at, id."""
    columns = (JOBS.c.capability, JOBS.c.priority, JOBS.c.queued_at, JOBS.c.id)
    return select(*columns).where(QUEUED, JOBS.c.capability == capability).order_by(*order()).limit(1)
