from __future__ import annotations

from tests.contracts.cancelling import CancelContract


class TestCancellingOnPostgresql(CancelContract):
    pass
