from __future__ import annotations

from tests.contracts.sharing import SharingContract


class TestSharingOnSqlite(SharingContract):
    """SQLite, as a single machine uses it."""
