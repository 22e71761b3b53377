from __future__ import annotations

from tests.contracts.share_upgrade import ShareUpgradeContract


class TestShareUpgradeOnPostgresql(ShareUpgradeContract):
    pass
