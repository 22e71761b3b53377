from __future__ import annotations

from tests.contracts.removal import RemovalContract


class TestRemovalOnSqlite(RemovalContract):
    pass
