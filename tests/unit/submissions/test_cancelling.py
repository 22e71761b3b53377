from __future__ import annotations

from tests.contracts.cancelling import CancelContract


class TestCancellingOnSqlite(CancelContract):
    pass
