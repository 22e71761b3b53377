"""Projects: whose submissions and tokens there are, and how each of them shares in the workers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import func, select

from trtfarm.database.insert import conflict_insert
from trtfarm.database.schema import ProjectRow, TokenRow
from trtfarm.database.session import Database
from trtfarm.database.work import LIVE_JOBS
from trtfarm.errors import UsageError
from trtfarm.jobs.rows import JOBS
from trtfarm.jobs.sharing import Share
from trtfarm.jobs.state import JobState

#: Of all who need no token.
DEFAULT_PROJECT = "default"
NAME_CHARACTERS = 100
#: The sharing looks back one turn, in which a project takes as many jobs as its weight.
HIGHEST_WEIGHT = 100
MOST_RUNNING = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Project:
    """A project that has jobs, a token, or a share of its own, and what it has in the queues and on workers now."""

    name: str
    weight: int
    #: Jobs that workers do for it at once; None for any number.
    max_running: int | None
    queued: int
    running: int


def list_projects(database: Database, name: str | None = None) -> list[Project]:
    """All of them by name, or the one of this name, whether anybody has heard of it or not."""
    live = select(JOBS.c.project, JOBS.c.state, func.count()).where(LIVE_JOBS).group_by(JOBS.c.project, JOBS.c.state)
    with database.read() as session:
        shares = {
            row.name: Share(weight=row.weight, max_running=row.max_running)
            for row in session.scalars(select(ProjectRow))
        }
        jobs = {(project, state): count for project, state, count in session.execute(live)}
        tokens = set(session.scalars(select(TokenRow.project).distinct()))
    known = {DEFAULT_PROJECT, *shares, *tokens, *(project for project, _ in jobs)}
    return list(_projects([name] if name is not None else sorted(known), shares, jobs))


def set_share(database: Database, name: str, share: Share) -> Project:
    """Says how a project shares in the workers from now on. Raises UsageError for what cannot be."""
    check_share(name, share)
    with database.write() as session:
        wanted = {"weight": share.weight, "max_running": share.max_running}
        row = conflict_insert(session, ProjectRow).values(name=name, **wanted)
        session.execute(row.on_conflict_do_update(index_elements=["name"], set_=wanted))
    return list_projects(database, name)[0]


def check_share(name: str, share: Share) -> None:
    """Raises UsageError for what no project can be called, or given."""
    checked_name(name)
    if not 1 <= share.weight <= HIGHEST_WEIGHT:
        raise UsageError(f"a weight cannot be {share.weight}", remedy=f"use 1 to {HIGHEST_WEIGHT}; others have 1")
    if share.max_running is not None and not 1 <= share.max_running <= MOST_RUNNING:
        raise UsageError(
            f"a project cannot be limited to {share.max_running} jobs", remedy="use 1 or more; or set no limit"
        )


def checked_name(name: str, of: str = "name of a project") -> str:
    """Raises UsageError."""
    if not name.strip() or not name.isprintable() or len(name) > NAME_CHARACTERS:
        raise UsageError(
            f"{name[:NAME_CHARACTERS]!r} cannot be the {of}",
            remedy=f"use 1 to {NAME_CHARACTERS} printable characters",
        )
    return name


def _projects(names: list[str], shares: dict[str, Share], jobs: dict[tuple[str, str], int]) -> Iterator[Project]:
    for name in names:
        share = shares.get(name, Share())
        yield Project(
            name=name,
            weight=share.weight,
            max_running=share.max_running,
            queued=jobs.get((name, JobState.QUEUED), 0),
            running=jobs.get((name, JobState.RUNNING), 0),
        )
