from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contracts.upgrades import UpgradeContract
from trtfarm.database.migrate import prepare
from trtfarm.database.session import Database, open_database


class TestUpgradesOnPostgresql(UpgradeContract):
    @pytest.fixture
    def database(self, empty_database_url: str) -> Iterator[Database]:
        """Of its own: an upgrade must not reach the one that other tests share."""
        opened = open_database(empty_database_url)
        prepare(opened)
        yield opened
        opened.close()
