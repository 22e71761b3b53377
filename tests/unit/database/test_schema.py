from __future__ import annotations

from tests.contracts.schema import SchemaContract


class TestSchemaOnSqlite(SchemaContract):
    pass
