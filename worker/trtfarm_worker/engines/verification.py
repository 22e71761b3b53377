"""An engine held to FP32: the jobs that a submission has for it, for one engine and data of one's choice."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import partial

from trtfarm.actions import ActionKind
from trtfarm.database.schema import EngineRow, VerificationRow
from trtfarm.errors import ToolchainError, TrtfarmError, error_from_dict
from trtfarm.farm import Farm
from trtfarm.jobs.job import Job
from trtfarm.jobs.state import JobState
from trtfarm.signing.statement import EngineStatement
from trtfarm.submissions.engine_checks import KINDS, check_runs, next_of_check, usual_dataset
from trtfarm.waiting import why_waiting
from trtfarm.workers import Worker, list_workers
from trtfarm_worker.alive import CLIENT
from trtfarm_worker.engines.running import toolchain_for
from trtfarm_worker.garbage import collect_from_now_on
from trtfarm_worker.gpus.keeper import keeper_of_host
from trtfarm_worker.inline import Listener
from trtfarm_worker.offers import Offer
from trtfarm_worker.places import Places
from trtfarm_worker.presence import Presence
from trtfarm_worker.runner import Runner
from trtfarm_worker.toolchains.toolchain import Toolchain

#: How often the database is asked about a job that another process has: it cannot wake us.
_LOOK_SECONDS = 0.2


class EngineVerification:
    """Records what FP32 computes and measures an engine against it, unless that is known already."""

    def __init__(
        self,
        farm: Farm,
        engine: EngineRow,
        toolchains: Sequence[Toolchain],
        *,
        profile: int | None,
        fresh: bool,
        listener: Listener,
    ) -> None:
        """Raises SignatureError and ToolchainError before anything is done."""
        check_runs(farm, engine)
        toolchain_for(toolchains, EngineStatement.of_row(engine), engine.id)
        self._farm = farm
        self._engine = engine
        self._toolchains = toolchains
        self._profile = profile
        self._fresh = fresh
        self._listener = listener

    def usual_dataset(self) -> str:
        """The data that the engine's model was verified with last. Raises UsageError where it never was."""
        with self._farm.database.read() as session:
            return usual_dataset(session, self._engine)

    def on(self, dataset_id: str) -> VerificationRow:
        """What was measured on a data set. Raises the error of the job that failed."""
        fresh, profile = set(KINDS) if self._fresh else set(), self._profile
        while isinstance(
            found := next_of_check(self._farm, self._engine, dataset_id, profile=profile, fresh=fresh), Job
        ):
            ended = self._ended(found.id)
            if ended.state is not JobState.DONE:
                raise error_from_dict(ended.error) if ended.error else TrtfarmError(f"{ended.id} was {ended.state}")
            fresh.discard(ActionKind(ended.kind))
        return found

    def _ended(self, job_id: str) -> Job:
        """The job at its end. A builder that died is tried again, as often as the farm's rules have it."""
        collect_from_now_on()
        farm, pause = self._farm, threading.Event()
        places = Places(farm.settings.slots, partial(keeper_of_host, farm.settings.gpu_memory_bytes))
        with Presence(farm, CLIENT) as presence:
            runner = Runner(
                farm,
                presence.owner,
                lambda: self._toolchains,
                publish=lambda _ids: None,
                listener=self._listener,
                places=places,
            )
            while (job := farm.jobs.get(job_id)).state.live:
                if not runner.run(job_id):
                    _check_possible(job, runner.offer(), list_workers(farm.database, left=True))
                    pause.wait(_LOOK_SECONDS)
        return job


def _check_possible(job: Job, here: Offer, workers: Sequence[Worker]) -> None:
    """Raises ToolchainError where nobody would do a queued job, neither here nor elsewhere."""
    reason = why_waiting(job.need, workers)
    troubles = here.troubles(job.capability)
    if job.state is JobState.QUEUED and reason and (troubles or not here.does(job.need)):
        raise ToolchainError(
            f"nobody can do {job.id} now",
            cause="; ".join([reason, *troubles]),
            remedy="see trtfarm doctor, and trtfarm workers list; the job stays queued for a worker that can",
        )
