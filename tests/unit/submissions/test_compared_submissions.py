from __future__ import annotations

from tests.contracts.compared_submissions import ComparedSubmissionContract


class TestComparedSubmissionsOnSqlite(ComparedSubmissionContract):
    pass
