from __future__ import annotations

from tests.contracts.catalog import CatalogContract


class TestCatalogOnSqlite(CatalogContract):
    pass
