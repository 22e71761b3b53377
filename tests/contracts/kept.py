"""What statements that go past SQLAlchemy's session promise, on any database."""

from __future__ import annotations

import pytest
from sqlalchemy import Text, bindparam, cast, func, insert, select
from sqlalchemy.exc import IntegrityError

from tests.contracts.rows import job_row, model_row
from trtfarm.database.kept import Kept
from trtfarm.database.many import among, as_parameter, json_text, many
from trtfarm.database.schema import GrantRow, JobRow, ModelRow
from trtfarm.database.session import Database
from trtfarm.jobs.rows import JOBS
from trtfarm.jobs.state import JobState
from trtfarm.requirements import Requirements

_ADD = Kept(lambda _: [insert(GrantRow).values(project=bindparam("whose"), item=bindparam("what"))])
_COUNT = Kept(lambda _: [select(func.count().label("grants")).select_from(GrantRow)])
_JOBS = Kept(lambda dialect: [select(JOBS).where(among(dialect, JOBS.c.id, "ids")).order_by(JOBS.c.id)])


class KeptContract:
    """Run with a fixture `database`."""

    def test_rows_are_read_as_the_columns_say(self, database: Database) -> None:
        labelled = Requirements(labels=("rack=a1",), gpu_memory_gib=40)
        with database.write() as session:
            session.add(job_row(id="job_1", key="one", requires=labelled, request={"b": 1, "a": None}))
            session.add(job_row(id="job_2", key="two", state=JobState.DONE, result={}))
        with database.read() as session:
            found, plain = _JOBS(session, ids=["job_2", "job_1", "job_3"]), session.execute(select(JOBS)).all()
        assert [row._asdict() for row in found] == [dict(row._mapping) for row in sorted(plain, key=lambda job: job.id)]
        assert list(found[0].request) == ["b", "a"]
        assert type(found[1].state) is JobState

    def test_values_come_back_as_they_were_told(self, database: Database) -> None:
        def told(dialect: str) -> list[object]:
            given = many(dialect, "rows", [JOBS.c.id, JOBS.c.attempt, JOBS.c.request, JOBS.c.result])
            return [select(given.c.id, given.c.attempt, cast(given.c.request, Text).label("request"), given.c.result)]

        name = 'it\'s 50 % \\ "é\u2028" :id'
        request = json_text({"b": [1.5e-7, name], "a": {"\udce9": None}})
        rows: list[dict[str, object]] = [
            {"id": name, "attempt": -3, "request": request, "result": None},
            {"id": None, "attempt": 10**9},
        ]
        with database.read() as session:
            found = [tuple(row) for row in Kept(told)(session, rows=as_parameter(rows))]
        assert found == [(name, -3, request, None), (None, 10**9, None, None)]

    def test_names_that_are_no_utf8_are_written_out(self, database: Database) -> None:
        with database.write() as session:
            _ADD(session, whose="p", what="model\udce9.onnx")
        with database.read() as session:
            assert session.scalars(select(GrantRow.item)).all() == ["model\\udce9.onnx"]

    def test_a_broken_constraint_undoes_the_transaction(self, database: Database) -> None:
        def twice() -> None:
            with database.write() as session:
                _ADD(session, whose="p", what="once")
                assert _COUNT(session)[0].grants == 1
                _ADD(session, whose="p", what="once")

        with pytest.raises(IntegrityError):
            twice()
        with database.write() as session:
            assert _COUNT(session)[0].grants == 0
            _ADD(session, whose="p", what="once")

    def test_what_a_session_was_told_to_undo_is_undone(self, database: Database) -> None:
        with database.write() as session:
            _ADD(session, whose="p", what="undone")
            session.rollback()
            _ADD(session, whose="p", what="done")
        with database.read() as session:
            assert session.scalars(select(GrantRow.item)).all() == ["done"]

    def test_both_ways_share_a_transaction(self, database: Database) -> None:
        """What a session holds back is written when the block ends, whatever went past it."""
        with database.write() as session:
            _ADD(session, whose="p", what="past")
            session.add(model_row(id="mod_1"))
            _ADD(session, whose="p", what="more")

        def in_vain() -> None:
            with database.write() as session:
                session.add(job_row(id="job_1"))
                session.flush()
                _ADD(session, whose="p", what="never")
                raise KeyError

        with pytest.raises(KeyError):
            in_vain()
        with database.read() as session:
            assert (_COUNT(session)[0].grants, session.get(ModelRow, "mod_1") is None) == (2, False)
            assert session.get(JobRow, "job_1") is None

    def test_a_block_that_does_nothing_takes_no_connection(self, database: Database) -> None:
        with database.write(), database.read():
            assert database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
