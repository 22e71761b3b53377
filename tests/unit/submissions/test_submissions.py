from __future__ import annotations

from tests.contracts.submissions import SubmissionContract


class TestSubmissionsOnSqlite(SubmissionContract):
    pass
