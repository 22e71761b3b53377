"""What a campaign must have left: looked up in the database and in the blobs, not asked of those who did the work."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any

from sqlalchemy import select

from tests.chaos.blob_files import BlobFiles
from tests.chaos.history import History
from trtfarm.blobs.naming import named
from trtfarm.database.schema import (
    EngineRow,
    EventRow,
    JobRow,
    QuantizationRow,
    StepRow,
    SubmissionRow,
    TableRow,
    VerificationRow,
)
from trtfarm.errors import SignatureError
from trtfarm.farm import Farm
from trtfarm.jobs.history import STATE_CHANGED
from trtfarm.jobs.state import JobState, SubmissionState
from trtfarm.signing.keyring import Keyring
from trtfarm.signing.seal import check_row

#: The word under which a step names its result's row.
_ROWS: dict[str, Any] = {
    "table_id": TableRow,
    "quantization_id": QuantizationRow,
    "verification_id": VerificationRow,
    "engine_id": EngineRow,
}
RESULTS = tuple(_ROWS.values())


@dataclass(kw_only=True)
class Verdict:
    """`jobs` are the different pieces of work, by their keys; the lists say what is wrong, each in words."""

    jobs: int = 0
    done: int = 0
    lost: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    corrupt: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return self.jobs == self.done and not (self.lost or self.duplicated or self.corrupt)


def judge(farm: Farm, history: History) -> Verdict:
    """Everything must have ended before this."""
    verdict = Verdict()
    with farm.database.read() as session:
        jobs = [tuple(row) for row in session.execute(select(JobRow.id, JobRow.key, JobRow.state))]
        submissions = {row.id: row.state for row in session.execute(select(SubmissionRow.id, SubmissionRow.state))}
        steps = session.scalars(select(StepRow)).all()
        changes = session.scalars(select(EventRow).where(EventRow.kind == STATE_CHANGED).order_by(EventRow.id)).all()
    verdict.jobs = len({key for _, key, _ in jobs})
    verdict.done = len({key for _, key, state in jobs if state is JobState.DONE})
    verdict.lost += _lost(history, submissions)
    verdict.lost += [f"step {step.name} of {step.submission_id} is {step.state}" for step in steps if not _met(step)]
    verdict.duplicated += twice_ended(changes)
    verdict.duplicated += at_once({job_id: key for job_id, key, _ in jobs}, changes)
    verdict.corrupt += [*_gone(farm, steps), *_damaged(farm)]
    return verdict


def _lost(history: History, submissions: dict[str, SubmissionState]) -> Iterable[str]:
    """What was accepted and is not done, whether or not its client has heard of it."""
    answers: dict[int, set[str]] = defaultdict(set)
    for line in history.of("accepted"):
        answers[line["order"]].add(line["submission"])
    heard = {submission for answered in answers.values() for submission in answered}
    yield from (f"submission {submission} is gone" for submission in heard - submissions.keys())
    wrong = {submission: state for submission, state in submissions.items() if state is not SubmissionState.DONE}
    yield from (f"submission {submission} is {state}" for submission, state in wrong.items())
    yield from (f"order {order} was accepted as {sorted(ids)}" for order, ids in answers.items() if len(ids) > 1)


def _met(step: StepRow) -> bool:
    return step.state in {"done", "hit"}


def twice_ended(changes: Iterable[EventRow]) -> Iterable[str]:
    """At most one attempt of a job is committed, and each attempt is one owner's."""
    done: dict[str, int] = defaultdict(int)
    claimed: dict[tuple[str, int], int] = defaultdict(int)
    for change in changes:
        done[change.job_id] += change.data["to"] == JobState.DONE
        claimed[change.job_id, change.attempt] += change.data["to"] == JobState.RUNNING and "owner" in change.data
    yield from (f"job {job} was done {times} times" for job, times in done.items() if times > 1)
    yield from (
        f"attempt {attempt} of job {job} began {times} times" for (job, attempt), times in claimed.items() if times > 1
    )


def at_once(keys: dict[str, str], changes: Iterable[EventRow]) -> Iterable[str]:
    """Jobs of one key that ran at the same time, by the database's clock."""
    runs: dict[str, list[tuple[datetime, datetime | None, str]]] = defaultdict(list)
    begun: dict[str, datetime] = {}
    for change in changes:
        if "from" not in change.data:
            continue
        if change.data["to"] == JobState.RUNNING:
            begun[change.job_id] = change.at
        elif change.job_id in begun:
            runs[keys[change.job_id]].append((begun.pop(change.job_id), change.at, change.job_id))
    for key, ran in runs.items():
        ran.sort(key=lambda run: run[0])
        for (_, end, one), (begin, _, other) in pairwise(ran):
            if end is not None and begin < end:
                yield f"{one} and {other} ran at once for {key}"


def _gone(farm: Farm, steps: Iterable[StepRow]) -> Iterable[str]:
    """Results that a step names and whose rows are not there; an engine also has to be signed."""
    keyring = Keyring.of(farm.settings)
    named_rows = {
        (result[word], _ROWS[word]) for step in steps if (result := step.result) for word in _ROWS.keys() & result
    }
    with farm.database.read() as session:
        for row_id, rows in named_rows:
            row = session.get(rows, row_id)
            if row is None:
                yield f"{row_id} is gone"
            elif isinstance(row, EngineRow):
                try:
                    check_row(keyring, row)
                except SignatureError as error:
                    yield error.message


def _damaged(farm: Farm) -> Iterable[str]:
    """Blobs that a row names and that are not there bit for bit."""
    files = BlobFiles(farm.settings)
    with farm.database.read() as session:
        owners = {naming.digest: naming.row_id for naming in named(session)}
    yield from (f"{digest} of {owner} is damaged" for digest, owner in owners.items() if not files.intact(digest))


def failures(farm: Farm) -> list[dict[str, Any]]:
    """The errors of jobs that failed, for who has to find out why."""
    with farm.database.read() as session:
        failed = select(JobRow.error).where(JobRow.state.in_([JobState.FAILED, JobState.QUARANTINED]))
        return [error for error in session.scalars(failed) if error]
