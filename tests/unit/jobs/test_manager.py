from __future__ import annotations

from tests.contracts.jobs import JobContract


class TestJobsOnSqlite(JobContract):
    """SQLite, as a single machine uses it."""
