"""What a farm does: submissions, jobs, who does them and for whom."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from trtfarm.accuracy import ANY_ACCURACY, AccuracyFilter
from trtfarm.jobs.job import Event, Job
from trtfarm.projects import Project
from trtfarm_client import calls
from trtfarm_client.ask import Ask
from trtfarm_client.flows import Flow
from trtfarm_client.method import Flows, method
from trtfarm_client.records import (
    CancelledSubmission,
    Health,
    JobRecord,
    KeyRecord,
    Retried,
    SubmissionRecord,
    Who,
)

Facts = dict[str, Any]


class Work(Flows):
    """Methods of both clients."""

    @method
    def health(self) -> Flow[Health]:
        """That the server answers, which takes no token."""
        return self._send(calls.health())

    @method
    def whoami(self) -> Flow[Who]:
        """Who the farm takes one for, and what that opens. Raises AccessError."""
        return self._send(calls.whoami())

    @method
    def submit(self, ask: Ask, *, idempotency_key: str | None = None) -> Flow[SubmissionRecord]:
        """Hands in a submission, once, however often it has to be sent. A key of one's own does so across processes."""
        key = str(uuid.uuid4()) if idempotency_key is None else idempotency_key
        return self._send(calls.submit(ask, key=key))

    @method
    def dry_run(self, ask: Ask) -> Flow[list[Facts]]:
        """What each step of a submission would be, as `Explanation.as_dict` gives it."""
        return self._send(calls.dry_run(ask))

    @method
    def submissions(
        self,
        *,
        state: str | None = None,
        project: str | None = None,
        model: str | None = None,
        accuracy: AccuracyFilter = ANY_ACCURACY,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
    ) -> Flow[list[Facts]]:
        """Submissions, newest first; accuracy is that of something that they made."""
        words = {"state": state, "project": project, "model": model}
        return self._listed(calls.submissions, {**words, **vars(accuracy), "since": since, "until": until}, limit)

    @method
    def submission(self, submission: str) -> Flow[SubmissionRecord]:
        """A submission, and where each of its steps is. Raises NotFoundError."""
        return self._send(calls.submission(submission))

    @method
    def submission_facts(self, submission: str) -> Flow[Facts]:
        """What became of a submission: table, engines, accuracy, as `trtfarm submit --json` tells it."""
        return self._send(calls.submission_facts(submission))

    @method
    def submission_details(self, submission: str) -> Flow[Facts]:
        """What was asked for, what became of each target, and which job did each step when."""
        return self._send(calls.submission_details(submission))

    @method
    def cancel_submission(self, submission: str) -> Flow[CancelledSubmission]:
        """Ends a submission, and its jobs as far as no other one waits for them."""
        return self._send(calls.cancel_submission(submission))

    @method
    def jobs(
        self,
        *,
        state: str | None = None,
        kind: str | None = None,
        worker: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
    ) -> Flow[list[Job]]:
        """Jobs, newest first; `worker` is the id of who runs or ran them."""
        words = {"state": state, "kind": kind, "worker": worker}
        return self._listed(calls.jobs, {**words, "since": since, "until": until}, limit)

    @method
    def job(self, job: str) -> Flow[JobRecord]:
        """A job, and why it waits. Raises NotFoundError."""
        return self._send(calls.job(job))

    @method
    def job_events(self, job: str, *, after: int = 0) -> Flow[list[Event]]:
        """The history of a job from the event after `after` on, one page of it; an empty one is the end for now."""
        return self._send(calls.job_events(job, after=after))

    @method
    def cancel_job(self, job: str) -> Flow[JobRecord]:
        """Ends a queued job, asks the worker of a running one to stop. ForbiddenError: another project needs it."""
        return self._send(calls.cancel_job(job))

    @method
    def retry_job(self, job: str) -> Flow[Retried]:
        """Queues a job again that failed, was cancelled or quarantined. Raises UsageError for any other."""
        return self._send(calls.retry_job(job))

    @method
    def explain_job(self, job: str) -> Flow[Facts]:
        """Which fields of the job's key differ from the nearest stored result."""
        return self._send(calls.explain_job(job))

    @method
    def projects(self) -> Flow[list[Project]]:
        """The projects that are seen, with their shares in the workers and the jobs that they have."""
        return self._send(calls.projects())

    @method
    def workers(self, *, left: bool = False) -> Flow[list[Facts]]:
        """Workers that are alive, by host; with `left` also those that fell silent or ended within a day."""
        return self._send(calls.workers(left=left))

    @method
    def worker(self, worker: str) -> Flow[Facts]:
        """A worker, also one that has gone; `jobs` with its id tells what it runs. Raises NotFoundError."""
        return self._send(calls.worker(worker))

    @method
    def toolchains(self) -> Flow[list[Facts]]:
        """What living workers can build with."""
        return self._send(calls.toolchains())

    @method
    def signing_keys(self) -> Flow[list[KeyRecord]]:
        """The public keys that the farm's engines are signed with, that of the server's own host first."""
        return self._send(calls.signing_keys())
