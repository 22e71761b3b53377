from __future__ import annotations

from tests.contracts.api import ApiContract


class TestApiOnPostgresql(ApiContract):
    pass
