from __future__ import annotations

from pathlib import Path

import pytest

from tests.contracts.races import RaceContract
from trtfarm.database.session import sqlite_url


class TestRacesOnSqlite(RaceContract):
    @pytest.fixture
    def empty_database_url(self, tmp_path: Path) -> str:
        return sqlite_url(tmp_path / "first" / "farm.db")
