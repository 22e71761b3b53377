from __future__ import annotations

from tests.contracts.garbage import GarbageContract


class TestGarbageOnPostgresql(GarbageContract):
    pass
