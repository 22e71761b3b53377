from __future__ import annotations

from pathlib import Path

import pytest

from tests.contracts.share_upgrade import ShareUpgradeContract
from trtfarm.database.session import sqlite_url


class TestShareUpgradeOnSqlite(ShareUpgradeContract):
    @pytest.fixture
    def empty_database_url(self, tmp_path: Path) -> str:
        return sqlite_url(tmp_path / "farm.db")
