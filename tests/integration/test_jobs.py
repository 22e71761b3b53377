from __future__ import annotations

from tests.contracts.jobs import JobContract


class TestJobsOnPostgresql(JobContract):
    """PostgreSQL, as a team uses it."""
