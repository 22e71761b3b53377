from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from tests.chaos.witness import call, heard
from tests.contracts.submission_bench import Bench
from trtfarm.catalog.pinning import pin_engine
from trtfarm.database.clock import from_now
from trtfarm.database.schema import EngineRow, WorkerRow
from trtfarm.database.session import Database
from trtfarm.retention.cleaning import clean
from trtfarm.retention.policy import Policy
from trtfarm.workers import WorkerState, set_state

_URGENT = Policy(tables_unused_for=timedelta(0), data_unused_for=timedelta(0))


@pytest.fixture
def url(database_url: str) -> Iterator[str]:
    """Of a database with a witness, which is gone when the test ends: the others use it, too."""
    call(database_url)
    yield database_url
    with psycopg.connect(database_url) as connection:
        connection.execute("DROP FUNCTION see_job, see_step, see_worker, see_gone CASCADE; DROP TABLE witness")


def test_the_campaigns_witness_notes_what_happens(database: Database, url: str, tmp_path: Path) -> None:
    bench = Bench(database, tmp_path)
    with database.write() as session:
        facts = {"id": "wrk_1", "host": "h", "pid": 1, "toolchains": [], "slots": 1, "labels": ["a=1"]}
        session.add(WorkerRow(**facts, state=WorkerState.READY.value, lease_until=from_now(60)))
    set_state(database, "wrk_1", WorkerState.PAUSED)
    submission = bench.submit(bench.request(None, "sm_86", test_dataset_id=None))
    done = bench.do_all()
    clean(bench.farm, _URGENT)
    found = heard(url)
    workers = [(one.facts["state"], one.facts["labels"]) for one in found if one.what == "worker"]
    assert workers == [("ready", ["a=1"]), ("paused", ["a=1"])]
    lives = [
        (one.facts["was"], one.facts["state"]) for one in found if one.what == "job" and one.facts["id"] == done[0].id
    ]
    assert lives == [(None, "queued"), ("queued", "running"), ("running", "done")]
    wishes = {(one.facts["job"], one.facts["submission"]) for one in found if one.what == "wish"}
    assert wishes == {(job.id, submission.id) for job in done}
    assert [(one.facts["from"], one.facts["needed"]) for one in found if one.what == "gone"] == [("datasets", False)]


def test_the_campaigns_witness_tells_what_was_needed(database: Database, url: str, tmp_path: Path) -> None:
    bench = Bench(database, tmp_path)
    first = bench.submit(bench.request(None, "sm_86", test_dataset_id=None))
    bench.do_all()
    bench.submit(bench.request(first.request.model_id, "sm_86", "sm_120", test_dataset_id=None))
    [engine] = bench.get(first).result_ids("engine_id")
    pin_engine(database, engine, pinned=True)
    with database.write() as session:  # as no clean-up would
        session.delete(session.get_one(EngineRow, engine))
    [gone] = [one.facts for one in heard(url) if one.what == "gone"]
    assert gone == {"id": engine, "from": "engines", "pinned": True, "needed": True}
