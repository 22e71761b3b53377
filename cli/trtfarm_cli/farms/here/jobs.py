"""Jobs of the farm that is open in this process."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import asdict
from typing import TYPE_CHECKING

from sqlalchemy import select

from trtfarm.database.schema import ModelRow
from trtfarm.farm import Farm
from trtfarm.jobs.state import JobState
from trtfarm_cli.farms.any_farm import Facts
from trtfarm_cli.farms.here.workers import nobody_up
from trtfarm_cli.farms.jobs import Requeued
from trtfarm_cli.farms.plain_jobs import model_id_of, plain

if TYPE_CHECKING:
    from trtfarm.jobs.job import Event, Job


class JobsHere:
    """Fulfils `Jobs`."""

    def __init__(self, farm: Farm) -> None:
        self._farm = farm

    def find(self, *, state: str | None, kind: str | None, limit: int, worker: str | None = None) -> list[Facts]:
        from trtfarm.jobs.queries import list_jobs

        wanted = JobState(state) if state else None
        return self._plain(list_jobs(self._farm.database, state=wanted, kind=kind, owner=worker, limit=limit))

    def details(self, text: str) -> Facts:
        wanted = self._farm.job(text)
        [found] = self._plain([wanted])
        if wanted.state is JobState.QUEUED:
            found["waits"] = self._waits(wanted) or "for its turn"
        return found

    def history(self, text: str, listener: Callable[[list[Event]], None], *, follow: bool) -> Job:
        from trtfarm.jobs.history import events_since
        from trtfarm.jobs.watching import until_ended

        found = self._farm.job(text)
        if follow:
            return until_ended(self._farm.database, self._farm.jobs, found.id, listener)
        after = 0
        while page := events_since(self._farm.database, found.id, after):
            after = page[-1].id
            listener(page)
        return found

    def cancel(self, text: str) -> Facts:
        [found] = self._plain([self._farm.cancel(self._farm.job(text).id)])
        return found

    def retry(self, text: str) -> Requeued:
        from trtfarm_worker.inline import announce

        now, submissions = self._farm.retry(self._farm.job(text).id)
        announce(self._farm, [now.id])
        [found] = self._plain([now])
        return Requeued(job=found, submissions=submissions, notice=nobody_up(self._farm))

    def explain(self, text: str) -> Facts:
        from trtfarm.actions import Action, ActionKind
        from trtfarm.submissions.explain import nearest

        job = self._farm.job(text)
        action = Action(ActionKind(job.kind), job.request["fields"])
        with self._farm.database.read() as session:
            found = nearest(session, action, before=job)
        told = {"job": job.id, "kind": job.kind, "state": job.state, "key": job.key, "fields": action.fields}
        return {**told, "nearest": asdict(found) if found else None, "waits": self._waits(job)}

    def _waits(self, job: Job) -> str | None:
        from trtfarm.waiting import why_job_waits
        from trtfarm_worker.presence import forget_dead

        if job.state is JobState.QUEUED:
            forget_dead(self._farm)
        return why_job_waits(self._farm.database, job)

    def _plain(self, jobs: Collection[Job]) -> list[Facts]:
        ids = {model_id_of(job) for job in jobs}
        wanted = select(ModelRow.id, ModelRow.name).where(ModelRow.id.in_(ids))
        with self._farm.database.read() as session:
            names = dict(session.execute(wanted).all())
        return [plain(job, names.get(model_id_of(job))) for job in jobs]
