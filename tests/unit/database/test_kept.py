from __future__ import annotations

from tests.contracts.kept import KeptContract


class TestKeptOnSqlite(KeptContract):
    """SQLite, as one machine uses it."""
