from __future__ import annotations

from tests.contracts.api import ApiContract


class TestApiOnSqlite(ApiContract):
    pass
