"""Which engines a project finds: few are looked up, of many each is asked, and either way it is the same ones."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from sqlalchemy import delete
from sqlalchemy.orm import Session

from tests.contracts.rows import dataset_row, engine_row, model_row, table_row
from trtfarm.catalog import search, visibility
from trtfarm.catalog.entries import EngineEntry
from trtfarm.catalog.filters import Filter
from trtfarm.catalog.search import find_engines
from trtfarm.catalog.shown import engine_entries
from trtfarm.database.schema import EngineRow, GrantRow, StepRow, SubmissionRow
from trtfarm.database.session import Database
from trtfarm.digests import digest_of_json
from trtfarm.jobs.state import StepState, SubmissionState

ENGINES = ("eng_made", "eng_granted", "eng_both", "eng_of_others", "eng_of_nobody")


@pytest.fixture
def filled(database: Database) -> Database:
    """Project `mine` asked for two engines, one of them twice, and was given one; project `others` asked for two."""
    asked = {"sub_1": ("mine", ["eng_made"]), "sub_2": ("mine", ["eng_both", "eng_made"])}
    asked |= {"sub_3": ("others", ["eng_of_others", "eng_both"])}
    with database.write() as session:
        session.add_all([model_row(), dataset_row()])
        session.flush()
        session.add(table_row())
        session.flush()
        for day, engine in enumerate(ENGINES, start=1):
            key, created = digest_of_json(engine), datetime(2026, 1, day, tzinfo=UTC)
            session.add(engine_row(id=engine, key=key, table_id="tab_1", created=created))
        for submission, (project, engines) in asked.items():
            session.add(SubmissionRow(id=submission, request={}, state=SubmissionState.DONE, project=project))
            session.flush()
            for position, engine in enumerate(engines):
                step = {"name": engine, "kind": "build", "position": position, "needs": [], "state": StepState.DONE}
                session.add(StepRow(submission_id=submission, key=digest_of_json(engine), **step))
        session.add(GrantRow(project="mine", item="eng_granted"))
    return database


@pytest.mark.parametrize("few", [0, 100])
def test_a_project_finds_its_own(filled: Database, few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visibility, "_FEW", few)
    with filled.read() as session:
        found = {
            project: [engine.id for engine in find_engines(session, Filter(precision="int8"), project=project)]
            for project in ("mine", "others", "new", None)
        }
    assert found == {
        "mine": ["eng_both", "eng_granted", "eng_made"],
        "others": ["eng_of_others", "eng_both"],
        "new": [],
        None: [*reversed(ENGINES)],
    }


def test_a_page_is_full_though_an_engine_is_removed_meanwhile(
    filled: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on PostgreSQL it can be between two statements; a page that is not full would pass for the last one."""
    newest, *others = reversed(ENGINES)

    def removed_first(session: Session, ids: Sequence[str], project: str | None) -> list[EngineEntry]:
        session.execute(delete(EngineRow).where(EngineRow.id == newest))
        return engine_entries(session, ids, project)

    monkeypatch.setattr(search, "engine_entries", removed_first)
    with filled.write() as session:
        assert [engine.id for engine in find_engines(session, Filter(), limit=3)] == others[:3]
