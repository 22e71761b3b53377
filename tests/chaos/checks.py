"""What a campaign must have left: looked up in the database and in the blobs, not asked of those who did the work."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from sqlalchemy import select

from tests.chaos import rules
from tests.chaos.blob_files import BlobFiles
from tests.chaos.history import History
from tests.chaos.stack import LEASE_SECONDS
from tests.chaos.witness import Seen
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
from trtfarm.jobs.rules import LOST_FILE
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
_LOST = {error.code for error in LOST_FILE}
#: The longest that anything is stopped for.
_LONGEST_STOP = timedelta(seconds=2 * LEASE_SECONDS)


@dataclass(kw_only=True)
class Verdict:
    """`jobs` are the different pieces of work, by their keys; the lists say what is wrong, each in words."""

    jobs: int = 0
    done: int = 0
    lost: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    corrupt: list[str] = field(default_factory=list)
    #: Rules that were not kept meanwhile.
    broken: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return self.jobs == self.done and not (self.lost or self.duplicated or self.corrupt or self.broken)


def judge(farm: Farm, history: History, seen: Sequence[Seen], limits: Mapping[str, int]) -> Verdict:
    """Everything must have ended before this; `limits` are of projects."""
    verdict = Verdict()
    with farm.database.read() as session:
        jobs = [tuple(row) for row in session.execute(select(JobRow.id, JobRow.key, JobRow.state))]
        submissions = {row.id: row for row in session.scalars(select(SubmissionRow))}
        steps = session.scalars(select(StepRow)).all()
        changes = session.scalars(select(EventRow).where(EventRow.kind == STATE_CHANGED).order_by(EventRow.id)).all()
    # What was taken back may have been found elsewhere when it was asked for again.
    verdict.jobs = len({key for _, key, state in jobs if state is not JobState.CANCELLED})
    verdict.done = len({key for _, key, state in jobs if state is JobState.DONE})
    states = {name: row.state for name, row in submissions.items()}
    verdict.lost += _lost(history, states)
    wanted = [step for step in steps if states[step.submission_id] is not SubmissionState.CANCELLED]
    verdict.lost += [f"step {step.name} of {step.submission_id} is {step.state}" for step in wanted if not _met(step)]
    verdict.lost += [*rules.taken_away(seen), *_missed(history, changes)]
    verdict.duplicated += twice_ended(changes)
    verdict.duplicated += at_once({job_id: key for job_id, key, _ in jobs}, changes)
    verdict.corrupt += [*_gone(farm, wanted, rules.gone(seen)), *_damaged(farm)]
    verdict.broken += rules.misplaced(seen, {name: row.request["require_labels"] for name, row in submissions.items()})
    verdict.broken += rules.beyond_limits(seen, limits)
    verdict.broken += rules.taken_while_away(seen, _stops(history))
    verdict.broken += rules.untold(seen, _told(changes))
    return verdict


def _lost(history: History, submissions: dict[str, SubmissionState]) -> Iterable[str]:
    """What was accepted and is not done, whether or not its client has heard of it."""
    answers: dict[str, set[str]] = defaultdict(set)
    for line in history.of("accepted"):
        answers[line["key"]].add(line["submission"])
    heard = {submission for answered in answers.values() for submission in answered}
    yield from (f"submission {submission} is gone" for submission in heard - submissions.keys())
    fine = {SubmissionState.DONE}
    taken_back = {line["submission"] for line in history.of("cancelling")}
    allowed = {submission: fine | {SubmissionState.CANCELLED} for submission in taken_back}
    wrong = {name: state for name, state in submissions.items() if state not in allowed.get(name, fine)}
    yield from (f"submission {submission} is {state}" for submission, state in wrong.items())
    yield from (f"{key} was accepted as {sorted(ids)}" for key, ids in answers.items() if len(ids) > 1)


def _missed(history: History, changes: Iterable[EventRow]) -> Iterable[str]:
    """Jobs that a file was gone for which nobody had damaged."""
    damaged = {line["did"] for line in history.of("trouble") if line["trouble"].startswith("corrupt")}
    digits = {digest.removeprefix("sha256:") for digest in damaged}
    for change in changes:
        error = change.data.get("error") or {}
        # A store names an object by its digits, cut in two.
        missed = error.get("code") in _LOST and not any(part in error["message"].replace("/", "") for part in digits)
        if missed:
            yield f"job {change.job_id} failed: {error['message']}"


def _stops(history: History) -> list[tuple[datetime, datetime]]:
    """When something may have been stopped, from when to when."""
    stops = [line for line in history.of("trouble") if line["trouble"].startswith(("stop", "outlast"))]
    begun = [datetime.fromtimestamp(line["at"], UTC) for line in stops]
    return [(at, at + _LONGEST_STOP) for at in begun]


def _told(changes: Iterable[EventRow]) -> dict[str, list[tuple[str | None, str]]]:
    """What the histories of jobs say that happened to them."""
    told: dict[str, list[tuple[str | None, str]]] = defaultdict(list)
    for change in changes:
        if "note" not in change.data:
            told[change.job_id].append((change.data.get("from"), change.data["to"]))
    return told


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


def _gone(farm: Farm, steps: Iterable[StepRow], taken: set[str]) -> Iterable[str]:
    """Results that a step names, that nobody took and whose rows are not there; an engine also has to be signed."""
    keyring = Keyring.of(farm.settings)
    named_rows = {
        (result[word], _ROWS[word]) for step in steps if (result := step.result) for word in _ROWS.keys() & result
    }
    with farm.database.read() as session:
        for row_id, rows in named_rows:
            row = session.get(rows, row_id)
            if row is None and row_id in taken:
                continue
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
