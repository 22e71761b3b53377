"""Jobs of a farm behind HTTP."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from trtfarm.errors import NotFoundError
from trtfarm.jobs.job import Event, Job
from trtfarm.jobs.state import JobState
from trtfarm_cli.farms.any_farm import Facts
from trtfarm_cli.farms.jobs import Requeued
from trtfarm_cli.farms.plain_jobs import model_id_of, plain
from trtfarm_client import Client
from trtfarm_client.values import value_of

_NO_WORKER = "no worker of the farm does it now: trtfarm workers list tells who is up"


class RemoteJobs:
    """Fulfils `Jobs`."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._model_name = cache(self._named_model)

    def find(self, *, state: str | None, kind: str | None, limit: int, worker: str | None = None) -> list[Facts]:
        return [self._plain(job) for job in self._client.jobs(state=state, kind=kind, worker=worker, limit=limit)]

    def details(self, text: str) -> Facts:
        found = self._client.job(text)
        waits = {"waits": found.waiting or "for its turn"} if found.job.state is JobState.QUEUED else {}
        return self._plain(found.job) | waits

    def history(self, text: str, listener: Callable[[list[Event]], None], *, follow: bool) -> Job:
        job = self._client.job(text).job
        if not follow:
            after = 0
            while page := self._client.job_events(job.id, after=after):
                after = page[-1].id
                listener(page)
            return job
        for told in self._client.job_stream(job.id):
            if told.kind == "job":
                listener([value_of(Event, told.data)])
            elif told.kind == "end":
                job = value_of(Job, told.data)
        return job

    def cancel(self, text: str) -> Facts:
        return self._plain(self._client.cancel_job(text).job)

    def retry(self, text: str) -> Requeued:
        now = self._client.retry_job(text)
        waiting = self._client.job(now.job.id).waiting
        return Requeued(job=self._plain(now.job), submissions=now.submissions, notice=_NO_WORKER if waiting else None)

    def explain(self, text: str) -> Facts:
        return self._client.explain_job(text)

    def _plain(self, job: Job) -> Facts:
        return plain(job, self._model_name(model_id_of(job)))

    def _named_model(self, model: str) -> str | None:
        try:
            return self._client.model(model).name
        except NotFoundError:
            return None
