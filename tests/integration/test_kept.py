from __future__ import annotations

import pytest
from sqlalchemy import func, select, text

from tests.contracts.kept import KeptContract
from trtfarm.database.kept import Kept
from trtfarm.database.session import Database
from trtfarm.errors import StorageError

_PROCESS = Kept(lambda _: [select(func.pg_backend_pid().label("pid"))])
_END = text("SELECT pg_terminate_backend(:pid)")


class TestKeptOnPostgresql(KeptContract):
    """PostgreSQL, as a team uses it."""

    def test_a_connection_that_is_lost_is_replaced(self, database: Database) -> None:
        def process() -> int:
            with database.write() as session:
                return int(_PROCESS(session)[0].pid)

        def lose() -> None:
            with database.write() as session:
                with database.read() as other:
                    other.execute(_END, {"pid": _PROCESS(session)[0].pid})
                _PROCESS(session)

        first = process()
        with pytest.raises(StorageError):
            lose()
        assert process() != first
