from __future__ import annotations

from tests.contracts.upgrades import UpgradeContract


class TestUpgradesOnSqlite(UpgradeContract):
    pass
