"""The campaign's checks see what they are for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from tests.chaos.blob_files import BlobFiles
from tests.chaos.checks import Verdict, at_once, judge, twice_ended
from tests.chaos.history import History
from tests.chaos.orders import orders
from tests.chaos.test_rules import seen_job
from tests.chaos.troubles import ONCE, Trouble, plan
from tests.chaos.witness import Seen
from tests.contracts.submission_bench import Bench
from trtfarm.database.schema import DatasetRow, EngineRow, EventRow, JobRow, ModelRow, StepRow, SubmissionRow
from trtfarm.database.session import Database
from trtfarm.errors import MissingBlobError
from trtfarm.farm import Farm
from trtfarm.jobs.history import STATE_CHANGED
from trtfarm.jobs.state import JobState, StepState, SubmissionState
from trtfarm.signing.keyring import Keyring
from trtfarm.signing.seal import sealed
from trtfarm.signing.statement import EngineStatement

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def change(job: str, attempt: int, second: float, to: JobState) -> EventRow:
    owner = {"owner": "wrk"} if to is JobState.RUNNING else {}
    data = {"from": "queued" if owner else "running", "to": to.value, **owner}
    return EventRow(job_id=job, attempt=attempt, at=BEGIN + timedelta(seconds=second), kind="state", data=data)


ONE_LIFE = [
    change("a", 1, 0, JobState.RUNNING),
    change("a", 1, 1, JobState.QUEUED),
    change("a", 2, 2, JobState.RUNNING),
    change("a", 2, 3, JobState.DONE),
]


def test_a_job_that_is_taken_away_and_done_elsewhere_is_in_order() -> None:
    later = [change("b", 1, 3, JobState.RUNNING), change("b", 1, 4, JobState.DONE)]
    assert list(twice_ended([*ONE_LIFE, *later])) == []
    assert list(at_once({"a": "key", "b": "key"}, [*ONE_LIFE, *later])) == []


def test_a_second_commit_and_a_second_owner_of_an_attempt_are_seen() -> None:
    assert list(twice_ended([*ONE_LIFE, change("a", 1, 4, JobState.DONE)])) == ["job a was done 2 times"]
    assert list(twice_ended([*ONE_LIFE, change("a", 2, 4, JobState.RUNNING)])) == ["attempt 2 of job a began 2 times"]


def test_two_jobs_of_a_key_that_run_at_once_are_seen() -> None:
    beside = [change("b", 1, 2.5, JobState.RUNNING), change("b", 1, 4, JobState.DONE)]
    assert list(at_once({"a": "key", "b": "key"}, [*ONE_LIFE, *beside])) == ["a and b ran at once for key"]
    assert list(at_once({"a": "key", "b": "other"}, [*ONE_LIFE, *beside])) == []


@dataclass(frozen=True, kw_only=True)
class Left:
    """What a campaign has left that went well: one submission, two engines."""

    farm: Farm
    history: History
    submission: str
    seen: Sequence[Seen]

    def judged(self) -> Verdict:
        return judge(self.farm, self.history, self.seen, {})

    def blob(self, column: Any) -> str:
        """The digest that the first row with this column names."""
        with self.farm.database.read() as session:
            return str(session.scalars(select(column)).first())


@pytest.fixture
def left(database: Database, tmp_path: Path) -> Left:
    bench = Bench(database, tmp_path)
    submission = bench.submit(bench.request()).id
    bench.do_all()
    model, data = (bench.farm.blobs.put_bytes(name).digest for name in (b"model", b"data"))
    keyring = Keyring.of(bench.farm.settings)
    with database.write() as session:
        session.execute(update(ModelRow).values(blob=model))
        session.execute(update(DatasetRow).values(inputs={"data": {"blob": data}}))
        for row in session.scalars(select(EngineRow)):
            seal = sealed(keyring, EngineStatement.of_row(row))
            row.signature, row.signing_key = seal.signature, seal.key
    history = History(tmp_path / "history.jsonl")
    history.note("accepted", key="order-0", submission=submission)
    return Left(farm=bench.farm, history=history, submission=submission, seen=seen_of(bench.farm))


def seen_of(farm: Farm) -> list[Seen]:
    """What a witness would have seen of the jobs."""
    with farm.database.read() as session:
        changes = session.scalars(select(EventRow).where(EventRow.kind == STATE_CHANGED).order_by(EventRow.id)).all()
    return [
        seen_job(change.id, change.job_id, change.data.get("from"), change.data["to"], owner="worker")
        for change in changes
    ]


def first_job(session: Session) -> JobRow:
    return session.scalars(select(JobRow).order_by(JobRow.id)).first() or pytest.fail("there is no job")


def end_again(session: Session) -> None:
    job = first_job(session)
    session.add(EventRow(job_id=job.id, attempt=1, kind="state", data={"from": "running", "to": "done"}))


def claim_again(session: Session) -> None:
    job = first_job(session)
    session.add(
        EventRow(job_id=job.id, attempt=1, kind="state", data={"from": "queued", "to": "running", "owner": "other"})
    )


def run_beside(session: Session) -> None:
    """Another job of a key whose own was running just then."""
    job = first_job(session)
    begun = session.scalars(select(EventRow.at).where(EventRow.job_id == job.id)).all()[1]
    session.execute(update(EventRow).where(EventRow.job_id == job.id, EventRow.at > begun).values(at=begun + HOUR))
    facts = {column.name: getattr(job, column.name) for column in JobRow.__table__.columns}
    session.add(JobRow(**{**facts, "id": "job_other"}))
    session.flush()
    for minutes, data in (
        (1, {"from": "queued", "to": "running", "owner": "other"}),
        (2, {"from": "running", "to": "done"}),
    ):
        at = begun + timedelta(minutes=minutes)
        session.add(EventRow(job_id="job_other", attempt=1, at=at, kind="state", data=data))


def forget_submission(session: Session) -> None:
    session.execute(delete(StepRow))
    session.execute(delete(SubmissionRow))


HOUR = timedelta(hours=1)
IN_DATABASE: dict[str, tuple[str, Callable[[Session], object]]] = {
    "is gone": ("lost", forget_submission),
    "is failed": ("lost", lambda session: session.execute(update(SubmissionRow).values(state=SubmissionState.FAILED))),
    "is active": ("lost", lambda session: session.execute(update(StepRow).values(state=StepState.ACTIVE))),
    "was done 2 times": ("duplicated", end_again),
    "began 2 times": ("duplicated", claim_again),
    "ran at once": ("duplicated", run_beside),
    "eng_": ("corrupt", lambda session: session.execute(delete(EngineRow))),
    "is not signed": ("corrupt", lambda session: session.execute(update(EngineRow).values(signature=None))),
    "does not fit": ("corrupt", lambda session: session.execute(update(EngineRow).values(compute_capability="sm_75"))),
}


@pytest.mark.parametrize("told", IN_DATABASE)
def test_what_is_wrong_in_the_database_is_told(left: Left, told: str) -> None:
    assert left.judged().good
    word, spoil = IN_DATABASE[told]
    with left.farm.database.write() as session:
        spoil(session)
    verdict = left.judged()
    assert any(told in line for line in getattr(verdict, word))
    assert not verdict.good


@pytest.mark.parametrize("column", [EngineRow.blob, EngineRow.log_blob, ModelRow.blob], ids=str)
@pytest.mark.parametrize("gone", [True, False])
def test_a_blob_that_is_gone_or_changed_is_told(left: Left, column: Any, *, gone: bool) -> None:
    digest = left.blob(column)
    if gone:
        left.farm.blobs.delete(digest)
    else:
        assert BlobFiles(left.farm.settings).damage(digest)
    verdict = left.judged()
    assert [line.partition(" ")[0] for line in verdict.corrupt] == [digest]
    assert not verdict.good


def test_an_order_that_was_accepted_twice_and_a_job_that_is_left_are_told(left: Left) -> None:
    left.history.note("accepted", key="order-0", submission="sub_other")
    assert any("was accepted as" in line for line in left.judged().lost)
    with left.farm.database.write() as session:
        first_job(session).state = JobState.QUARANTINED
    verdict = left.judged()
    assert verdict.done == verdict.jobs - 1


@pytest.mark.parametrize("word", ["lost", "duplicated", "corrupt", "broken"])
def test_anything_wrong_spoils_the_verdict(word: str) -> None:
    assert Verdict(jobs=1, done=1).good
    assert not Verdict(jobs=2, done=1).good
    assert not Verdict(jobs=1, done=1, **{word: ["something"]}).good


def test_what_its_client_has_taken_back_need_not_be_done(left: Left) -> None:
    with left.farm.database.write() as session:
        session.execute(update(SubmissionRow).values(state=SubmissionState.CANCELLED))
    assert any("is cancelled" in line for line in left.judged().lost)
    left.history.note("cancelling", submission=left.submission)
    assert left.judged().lost == []


@pytest.mark.parametrize("damaged", [True, False])
def test_a_job_that_a_file_was_gone_for_is_told_unless_it_was_damaged(left: Left, *, damaged: bool) -> None:
    digits = "ab" * 32
    if damaged:
        left.history.note("trouble", trouble=Trouble.CORRUPT_NEED, did=f"sha256:{digits}")
    error = MissingBlobError(f"there is no object sha256/ab/{digits[2:]} in blobs").as_dict()
    with left.farm.database.write() as session:
        data = {"from": "running", "to": "failed", "error": error}
        session.add(EventRow(job_id=first_job(session).id, attempt=1, kind=STATE_CHANGED, data=data))
    assert any("there is no object" in line for line in left.judged().lost) is not damaged


def test_a_row_that_clean_up_took_is_not_missed(left: Left) -> None:
    with left.farm.database.write() as session:
        engine = session.scalars(select(EngineRow.id)).first()
        session.execute(delete(EngineRow).where(EngineRow.id == engine))
    assert any("is gone" in line for line in left.judged().corrupt)
    facts = {"id": engine, "from": "engines", "pinned": False, "needed": False}
    taken = Seen(id=10**6, at=BEGIN, what="gone", facts=facts)
    assert replace(left, seen=[*left.seen, taken]).judged().good


def test_plans_and_orders_are_the_same_for_all_who_know_the_seed() -> None:
    assert plan(1, 60, 20) == plan(1, 60, 20) != plan(2, 60, 20)
    assert set(ONCE) <= {act.trouble for act in plan(1, 60, 0)}
    assert orders(1, 50) == orders(1, 50) != orders(2, 50)
    assert sum(order.jobs for order in {(o.capabilities, o.batch): o for o in orders(1, 50)}.values()) >= 50
