"""Databases of every release, brought to this one, on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contracts.released_schemas import ReleasedSchemaContract
from tests.integration.conftest import database_on
from tests.releases.dump import Dump


class TestReleasedSchemasOnPostgresql(ReleasedSchemaContract):
    @pytest.fixture(scope="class")
    @classmethod
    def empty_url(cls, dump: Dump, server: str) -> Iterator[str]:
        with database_on(server) as url:
            yield url
