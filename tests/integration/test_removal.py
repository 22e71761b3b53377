from __future__ import annotations

from tests.contracts.removal import RemovalContract


class TestRemovalOnPostgresql(RemovalContract):
    pass
