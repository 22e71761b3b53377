"""Forgetting engines, looking at one, and listing jobs, on any database."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from tests.contracts.submission_bench import LAYERS, LEFT, Bench, OnBench, gpu_target
from trtfarm.catalog.details import engine_details, table_details
from trtfarm.catalog.labels import labels_of
from trtfarm.catalog.pinning import pin_engine
from trtfarm.catalog.removal import remove_engines
from trtfarm.database.schema import BlobRow, EngineRow
from trtfarm.errors import NotFoundError, UsageError
from trtfarm.jobs.queries import list_jobs
from trtfarm.jobs.state import JobState
from trtfarm.submissions.submission import Submission

#: For pinning to be through, where nothing keeps it waiting.
_LONG_ENOUGH_SECONDS = 0.5


class RemovalContract(OnBench):
    """Run with a fixture `database`."""

    def test_a_removed_engine_takes_its_files_along_and_nothing_else(self, bench: Bench, built: Submission) -> None:
        gone, kept = built.result_ids("engine_id")
        with bench.farm.database.read() as session:
            files = {name: session.get_one(EngineRow, name) for name in (gone, kept)}
        before = {stored.blob.digest for stored in bench.farm.blobs.blobs()}
        assert remove_engines(bench.farm.database, bench.farm.blobs, [gone[:-2], gone]) == [gone]
        left = {stored.blob.digest for stored in bench.farm.blobs.blobs()}
        assert before - left == {files[gone].blob, files[gone].log_blob}
        with bench.farm.database.read() as session:
            assert session.get(EngineRow, gone) is None
            assert session.get(EngineRow, kept) is not None
            assert session.get(BlobRow, files[gone].blob) is None

    def test_an_engine_that_was_measured_takes_its_measurements_along(self, bench: Bench) -> None:
        place = gpu_target("sm_90")
        submission = bench.submit(bench.request(targets=(place,), calibrate_on=place))
        bench.do_all()
        (engine,) = bench.get(submission).result_ids("engine_id")
        assert remove_engines(bench.farm.database, bench.farm.blobs, [engine]) == [engine]
        again = bench.submit(submission.request)
        assert {name: state for name, state in bench.states(again).items() if state != "hit"} == {
            f"build {place}": "active",
            f"verify {place}": "pending",
        }

    def test_who_pins_an_engine_that_is_removed_just_then_is_told(
        self, bench: Bench, built: Submission, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        engine, _ = built.result_ids("engine_id")
        with ThreadPoolExecutor(1) as pool:
            pinning: list[Future[str]] = []

            def look(session: Session, ids: list[str]) -> dict[str, list[str]]:
                pinning.append(pool.submit(pin_engine, bench.farm.database, engine, pinned=True))
                wait(pinning, timeout=_LONG_ENOUGH_SECONDS)
                return labels_of(session, ids)

            monkeypatch.setattr("trtfarm.catalog.removal.labels_of", look)
            with suppress(UsageError):  # of an engine that is pinned by now
                remove_engines(bench.farm.database, bench.farm.blobs, [engine])
        [pinned] = pinning
        with bench.farm.database.read() as session:
            assert (session.get(EngineRow, engine) is None) is (pinned.exception() is not None)

    def test_an_engine_that_was_removed_is_built_again(self, bench: Bench, built: Submission) -> None:
        remove_engines(bench.farm.database, bench.farm.blobs, built.result_ids("engine_id")[:1])
        again = bench.submit(built.request)
        assert bench.states(again) == {
            "calibrate": "hit",
            "quantize": "hit",
            "build sm_86": "active",
            "build sm_89": "hit",
        }

    def test_bytes_that_another_engine_shares_stay(self, bench: Bench, built: Submission) -> None:
        one, other = built.result_ids("engine_id")
        with bench.farm.database.write() as session:
            shared = session.get_one(EngineRow, other).blob
            session.execute(update(EngineRow).where(EngineRow.id == one).values(blob=shared))
        remove_engines(bench.farm.database, bench.farm.blobs, [one])
        assert bench.farm.blobs.size(shared) is not None

    def test_all_are_removed_or_none(self, bench: Bench, built: Submission) -> None:
        pinned, plain = built.result_ids("engine_id")
        with bench.farm.database.write() as session:
            session.execute(update(EngineRow).where(EngineRow.id == pinned).values(pinned=True))
        before = len(list(bench.farm.blobs.blobs()))
        with pytest.raises(UsageError, match=pinned):
            remove_engines(bench.farm.database, bench.farm.blobs, [plain, pinned])
        with pytest.raises(NotFoundError):
            remove_engines(bench.farm.database, bench.farm.blobs, [plain, "eng_unknown"])
        assert len(list(bench.farm.blobs.blobs())) == before
        with bench.farm.database.read() as session:
            assert session.get(EngineRow, plain) is not None

    def test_an_engine_in_detail(self, bench: Bench, built: Submission) -> None:
        (engine_id, _), (table_id,) = built.result_ids("engine_id"), built.result_ids("table_id")
        with bench.farm.database.read() as session:
            facts = engine_details(session, engine_id)
        assert (facts["id"], facts["table"], facts["compute_capability"]) == (engine_id, table_id, "sm_86")
        assert (facts["int8_layers"], facts["layer_count"], facts["layers"]) == (1, 2, LAYERS)
        assert facts["left_in_float"] == LEFT["left"]

    def test_a_table_in_detail(self, bench: Bench, built: Submission) -> None:
        (table_id,) = built.result_ids("table_id")
        with bench.farm.database.read() as session:
            facts = table_details(session, table_id)
        assert (facts["id"], facts["calibrator"], facts["scales"]) == (table_id, "minmax", {"data": "3c010204"})
        assert facts["dataset"] == {"digest": facts["dataset"]["digest"], "source": None, "samples": 500}

    def test_jobs_are_listed_newest_first(self, bench: Bench, built: Submission) -> None:
        kinds = [job.kind for job in list_jobs(bench.farm.database)]
        assert kinds == ["build", "build", "quantize", "calibrate"]
        waiting = bench.submit(bench.request())
        database = bench.farm.database
        assert [job.id for job in list_jobs(database, limit=1)] == [bench.job_of(waiting, "calibrate").id]
        assert [job.kind for job in list_jobs(database, state=JobState.QUEUED)] == ["calibrate"]
        assert len(list_jobs(database, state=JobState.DONE)) == 4
        assert len(list_jobs(database, kind="calibrate")) == 2
        assert list_jobs(database, kind="calibrate", state=JobState.FAILED) == []
