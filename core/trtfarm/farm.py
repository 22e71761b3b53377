"""The farm as its clients see it: one object over database, blobs, jobs and submissions."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, suppress
from functools import partial
from pathlib import Path
from typing import Self, TypeVar

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from trtfarm.blobs.location import store_at
from trtfarm.blobs.store import Blob, BlobStore
from trtfarm.blobs.uploads import Uploads
from trtfarm.catalog.lookup import find_one
from trtfarm.database import migrate
from trtfarm.database.schema import BlobRow, JobRow
from trtfarm.database.session import Database, open_database
from trtfarm.errors import InputError, StorageError
from trtfarm.jobs.job import Job
from trtfarm.jobs.manager import JobManager
from trtfarm.scratch import scratch_folder, sweep_scratch
from trtfarm.settings import Settings
from trtfarm.submission_request import SubmissionRequest
from trtfarm.submissions.asking import OvertakenError
from trtfarm.submissions.cancelling import Cancelled, cancel_submission
from trtfarm.submissions.manager import SubmissionManager
from trtfarm.submissions.submission import LOCAL, Draft, Made, Sender
from trtfarm.together import Together

_T = TypeVar("_T")
_log = logging.getLogger(__name__)

#: A blob that nobody has written to for so long is not being written.
_HALF_WRITTEN_SECONDS = 24 * 3600.0


class Farm:
    """Opened from settings; threads may share it. Closing it closes the database."""

    def __init__(self, settings: Settings, database: Database, blobs: BlobStore) -> None:
        self.settings = settings
        self.database = database
        self.blobs = blobs
        self.jobs = JobManager(database, lease_seconds=settings.lease_seconds, max_attempts=settings.max_attempts)
        self.submissions = SubmissionManager(database, self.jobs, self.complete)
        self.uploads = Uploads(database, blobs, settings.home / "uploads")
        self._submit = Together(several=self._make, one=self._make_one, of_all=StorageError)

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """Opens the farm, making or upgrading its database if that is needed."""
        database = open_database(settings.database_url)
        try:
            migrate.prepare(database)
            return cls(settings, database, store_at(settings.blob_url))
        except BaseException:
            database.close()
            raise

    def close(self) -> None:
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def submit(self, request: SubmissionRequest, *, fresh: bool = False, sender: Sender = LOCAL) -> Made:
        """Stores a submission; returns its id and the jobs to tell the broker of, which is done after this commit.

        Those of threads that come at the same time are one transaction.

        Raises ConflictError where something else was asked for under the sender's idempotency key.
        """

        return self._submit(Draft(request=request, fresh=fresh, sender=sender))

    def sent_before(self, sender: Sender) -> str | None:
        """The submission that was made under the same idempotency key. Raises ConflictError as `submit` does."""
        with self.database.read() as session:
            return self.submissions.sent_before(session, sender)

    def advance(self) -> list[str]:
        """Moves on every submission that can be; returns the jobs that were queued."""
        return self._advance(self.submissions.movable())

    def after_job(self, *job_ids: str) -> list[str]:
        """Moves on the submissions that wait for jobs whose end is committed; returns the jobs that were queued.

        Should the process die before this, the next `advance` does it.
        """
        return self._advance(self.submissions.waiting_for(*job_ids))

    def job(self, text: str, project: str | None = None) -> Job:
        """The job whose id is or starts with `text`. Raises NotFoundError, UsageError when several start so."""
        with self.database.read() as session:
            job_id = find_one(session, JobRow, text, project).id
        return self.jobs.get(job_id)

    def cancel(self, job_id: str) -> Job:
        """Cancels a job and moves on the submissions that wait for it."""
        job = self.jobs.cancel(job_id)
        self.after_job(job_id)
        return job

    def cancel_submission(self, submission_id: str) -> Cancelled:
        """Ends a submission, and its jobs as far as nobody else wants them. Raises NotFoundError."""
        with self.database.write() as session:
            return cancel_submission(session, self.jobs, submission_id)

    def retry(self, job_id: str) -> tuple[Job, list[str]]:
        """Queues an ended job again; returns it and the submissions that go on with it.

        Raises UsageError for a job that is done or live, or whose key another live job has.
        """
        with self.database.write() as session:
            submissions = self.submissions.retry(session, job_id)
        self._advance(submissions)
        return self.jobs.get(job_id), submissions

    def complete(self, session: Session, digests: Sequence[str]) -> bool:
        """Whether all these blobs are stored whole; their bytes are verified when they are read."""
        known = session.execute(select(BlobRow.digest, BlobRow.size).where(BlobRow.digest.in_(digests)))
        blobs = [Blob(digest=digest, size=size) for digest, size in known]
        return len(blobs) == len(set(digests)) and not self.blobs.missing(blobs)

    def scratch(self, prefix: str) -> AbstractContextManager[Path]:
        """A folder of its own for work in progress; it goes when the block ends."""
        return scratch_folder(self.settings.scratch, prefix)

    def sweep(self) -> None:
        """Removes what processes of this host that died left behind: scratch folders, and blobs half written."""
        sweep_scratch(self.settings.scratch)
        self.blobs.sweep(_HALF_WRITTEN_SECONDS)

    def _make(self, drafts: Sequence[Draft]) -> list[Made]:
        """Makes submissions in one transaction; of one that was sent before, the id."""

        def create(session: Session) -> list[Made]:
            known = [self.submissions.sent_before(session, draft.sender) for draft in drafts]
            new = [draft for draft, submission in zip(drafts, known, strict=True) if submission is None]
            made = iter(self.submissions.create(session, new) if new else [])
            return [next(made) if submission is None else (submission, []) for submission in known]

        return self._moving(create)

    def _make_one(self, draft: Draft) -> Made:
        try:
            return self._make([draft])[0]
        except IntegrityError:
            # Somebody sent the same at the same time, and was faster.
            known = self.sent_before(draft.sender)
            if known is None:
                raise
            return known, []

    def _advance(self, submission_ids: Iterable[str]) -> list[str]:
        """Each in a transaction of its own, so that one that cannot be read does not hold up the others."""
        queued: list[str] = []
        for submission_id in submission_ids:
            try:
                queued += self._moving(partial(self.submissions.advance, submission_id=submission_id))
            except InputError as error:
                _log.warning("%s", error)
        return queued

    def _moving(self, move: Callable[[Session], _T]) -> _T:
        """What a transaction gives that moves a submission on.

        It is made again where somebody has just finished what it was about to ask for, and which it then finds.
        """
        while True:
            with suppress(OvertakenError), self.database.steady_write() as session:
                return move(session)
