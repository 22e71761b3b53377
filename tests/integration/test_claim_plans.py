"""A claim reads as little where PostgreSQL is wrong about the jobs, as it is until it has looked at many new ones."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Executable, text, update

from trtfarm.database.session import Database
from trtfarm.jobs.claiming import Claims
from trtfarm.jobs.look import look
from trtfarm.jobs.rows import JOBS
from trtfarm.jobs.state import JobState
from trtfarm.routing import CPU, NOWHERE

COUNT = 3_000
PROJECTS = 5
#: Rows, and entries of indexes, by how many jobs are claimed. A look takes some for each project and job that runs, a
#: claim for each job; who wants several counts a thousand of those that wait, each with its row.
A_FEW = {1: 200, 8: 2_300}
#: Of the table and of its indexes, in this transaction.
READ = text(
    "SELECT sum(pg_stat_get_xact_tuples_returned(oid) + pg_stat_get_xact_tuples_fetched(oid)) FROM pg_class "
    "WHERE oid = 'jobs'::regclass OR oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = 'jobs'::regclass)"
)
FILL = text(
    "INSERT INTO jobs (id, kind, key, capability, requires, request, state, attempt, max_attempts, priority, created, "
    "queued_at, cancel_requested, project) SELECT 'job_' || n, 'build', 'key ' || n, 'cpu', '00000', '{}', 'queued', "
    "0, 3, 0, now(), now(), false, 'project ' || n % :projects FROM generate_series(:first, :last) AS n"
)


@pytest.fixture
def alone(database: Database) -> Iterator[Database]:
    """PostgreSQL looks at the jobs only when it is told to."""
    _do(database, text("ALTER TABLE jobs SET (autovacuum_enabled = false)"))
    yield database
    _do(database, text("ALTER TABLE jobs RESET (autovacuum_enabled)"))


@pytest.mark.parametrize("believed", [JobState.DONE, JobState.RUNNING, None])
def test_a_claim_reads_a_few_jobs_whatever_is_believed(alone: Database, believed: JobState | None) -> None:
    """That all are done, or run, or nothing at all, while as many more are queued."""
    if believed:
        _fill(alone, 1)
        _do(alone, update(JOBS).values(state=believed), text("ANALYZE jobs"), update(JOBS).values(state=JobState.DONE))
    _fill(alone, COUNT + 1)
    read = [_claim(alone, most) for most in list(A_FEW) * 6]  # often enough for a plan to be kept
    # The first ones also read what is left in the indexes of jobs that were queued or ran before, for the last time.
    assert max(read[2::2]) < A_FEW[1]
    assert max(read[3::2]) < A_FEW[8]


def test_steady_transactions_never_wait_for_a_compiler(database: Database) -> None:
    """PostgreSQL 14 to 17 compile each statement in which a table has to be read that may not be."""
    for steady in (database.steady_read, database.steady_write):
        with steady() as session:
            assert session.scalar(text("SHOW jit")) == "off"


def _claim(database: Database, most: int) -> int:
    """How much is read to claim so many jobs."""
    with database.steady_write() as session:
        before = session.scalars(READ).one()
        found = look(session, [CPU], [CPU], NOWHERE)
        claims = Claims(session, "worker", 60).next(found, most=most, anyway=1, fresh=False)
        read = session.scalars(READ).one() - before
    assert (len(found.turns), len(claims)) == (PROJECTS, most)
    return int(read)


def _fill(database: Database, first: int) -> None:
    _do(database, FILL.bindparams(projects=PROJECTS, first=first, last=first + COUNT - 1))


def _do(database: Database, *statements: Executable) -> None:
    with database.write() as session:
        for statement in statements:
            session.execute(statement)
