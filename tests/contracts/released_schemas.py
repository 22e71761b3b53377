"""What an upgrade owes those who have a database of any release: their data, and a farm that goes on with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.releases.dump import Dump, stored
from trtfarm.actions import ActionKind
from trtfarm.catalog.details import engine_details, table_details
from trtfarm.catalog.filters import Filter
from trtfarm.catalog.holdings import find_datasets, find_models
from trtfarm.catalog.search import find_engines, find_tables
from trtfarm.database import migrate
from trtfarm.database.schema import Base, StepRow
from trtfarm.database.session import Database, open_database
from trtfarm.jobs.history import append, events_since
from trtfarm.jobs.manager import JobManager
from trtfarm.jobs.queries import list_jobs
from trtfarm.jobs.state import JobState, StepState, SubmissionState
from trtfarm.submissions.facts import facts_of
from trtfarm.submissions.listing import find_submissions
from trtfarm.submissions.manager import SubmissionManager
from trtfarm.submissions.results import whole
from trtfarm.tokens import list_tokens


def revisions() -> list[str]:
    """Those of which there is a dump: every released one, the newest perhaps left out."""
    return sorted(path.stem for path in (Path(__file__).parents[1] / "releases").glob("*.json"))


def all_there(session: Session, digests: Sequence[str]) -> bool:
    """The files of the dumps' results are elsewhere, and an upgrade does not touch them."""
    return True


class ReleasedSchemaContract:
    """Run with a fixture `empty_url`, of the class's scope: the URL of a database without tables."""

    @pytest.fixture(scope="class", params=revisions())
    @classmethod
    def dump(cls, request: pytest.FixtureRequest) -> Dump:
        return Dump.read(request.param)

    @pytest.fixture(scope="class")
    @classmethod
    def upgraded(cls, dump: Dump, empty_url: str) -> Iterator[Database]:
        database = open_database(empty_url)
        dump.restore(database)
        migrate.prepare(database)
        yield database
        database.close()

    def test_the_schema_is_that_of_this_release(self, upgraded: Database) -> None:
        with upgraded.engine.connect() as connection:
            assert migrate.revision(connection) == migrate.HEAD
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, Base.metadata) == []

    def test_every_row_is_still_there(self, dump: Dump, upgraded: Database) -> None:
        """With all that it said; columns may have been added, and none has been taken away so far."""
        with upgraded.engine.connect() as connection:
            tables = stored(connection)
        for table, rows in dump.tables.items():
            assert rows, f"the dump of {dump.revision} has no rows of {table}"
            found = [{name: row[name] for name in rows[0]} for row in tables[table]]
            assert [row for row in rows if row not in found] == []

    def test_it_is_listed_and_shown(self, upgraded: Database) -> None:
        with upgraded.read() as session:
            engines = find_engines(session, Filter(precision="int8", model="lenet"))
            assert engines
            assert engine_details(session, engines[0].id)["int8_layers"] > 0
            tables = find_tables(session, Filter(calibrator="entropy2"))
            assert table_details(session, tables[0].id)["scales"]["data"]
            assert find_models(session, name="lenet", limit=1)
            assert find_datasets(session, limit=1)
            ended = find_submissions(session, state=SubmissionState.DONE, limit=10)
            submissions = SubmissionManager(upgraded, JobManager(upgraded), all_there)
            assert facts_of(session, submissions.get(ended[-1].id))["engines"]
        assert {job.state for job in list_jobs(upgraded)} == {JobState.DONE, JobState.QUEUED}
        assert events_since(upgraded, list_jobs(upgraded)[-1].id)
        list_tokens(upgraded)

    def test_what_was_done_is_found_under_its_old_key(self, upgraded: Database) -> None:
        with upgraded.read() as session:
            steps = session.scalars(select(StepRow).where(StepRow.state == StepState.DONE)).all()
            assert {step.kind for step in steps} >= {"calibrate", "quantize", "verify", "build"}
            for step in steps:
                assert whole(session, ActionKind(step.kind), step.key, all_there)

    def test_what_waits_is_done_and_its_submission_goes_on(self, upgraded: Database) -> None:
        """By the workers of this release, who write to the upgraded tables."""
        jobs = JobManager(upgraded)
        submissions = SubmissionManager(upgraded, jobs, all_there)
        with upgraded.read() as session:
            table = find_tables(session, Filter(model="lenet"))[0].id
        claim = jobs.claim_next("worker", "cpu")
        assert claim is not None
        assert claim.job.kind == "calibrate"
        with upgraded.write() as session:
            append(session, claim.job.id, claim.attempt, [("log", {"level": "info", "text": "after the upgrade"})])
            jobs.finish(session, claim, {"table_id": table})
        assert jobs.get(claim.job.id).state is JobState.DONE
        (waiting,) = submissions.waiting_for(claim.job.id)
        with upgraded.write() as session:
            queued = submissions.advance(session, waiting)
        found = {step.name: step.state for step in submissions.get(waiting).steps}
        # With that table the model was quantised before: what the old release did is found by the key of this one.
        assert found["quantize"] is StepState.HIT
        assert [jobs.get(job).kind for job in queued] == ["build"]
        assert jobs.claim(queued[0], "worker") is not None


def lacking() -> list[str]:
    """Released revisions without a dump: all that another one follows."""
    scripts = ScriptDirectory.from_config(migrate.config()).walk_revisions()
    released = [script.revision for script in scripts if script.revision != migrate.HEAD]
    return sorted(set(released) - set(revisions()))
