from __future__ import annotations

from tests.contracts.placing import PlacingContract


class TestPlacingOnSqlite(PlacingContract):
    """SQLite, as a single machine uses it."""
