from __future__ import annotations

from tests.contracts.races import RaceContract


class TestRacesOnPostgresql(RaceContract):
    """PostgreSQL, where writers do not wait for each other."""
