from __future__ import annotations

from tests.contracts.hostile_requests import HostileRequestContract


class TestHostileRequestsOnPostgresql(HostileRequestContract):
    pass
