from __future__ import annotations

from tests.contracts.found_engines import FoundEnginesContract


class TestFoundEnginesOnPostgresql(FoundEnginesContract):
    pass
