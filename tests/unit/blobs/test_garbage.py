from __future__ import annotations

from tests.contracts.garbage import GarbageContract


class TestGarbageOnSqlite(GarbageContract):
    pass
