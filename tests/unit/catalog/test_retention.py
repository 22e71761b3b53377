from __future__ import annotations

from tests.contracts.retention import RetentionContract


class TestRetentionOnSqlite(RetentionContract):
    pass
