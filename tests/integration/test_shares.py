from __future__ import annotations

from tests.contracts.sharing import SharingContract


class TestSharingOnPostgresql(SharingContract):
    """PostgreSQL, as a team uses it."""
