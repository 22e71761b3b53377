from __future__ import annotations

from tests.contracts.placing import PlacingContract


class TestPlacingOnPostgresql(PlacingContract):
    """PostgreSQL, as a team uses it."""

    examples = 15
