"""An engine held to FP32: the jobs that a submission has for it, for one engine and data of one's choice."""

from __future__ import annotations

import gc
import threading
from collections.abc import Sequence
from functools import partial
from typing import Any

from sqlalchemy import select

from trtfarm.database.schema import DatasetRow, EngineRow, ModelRow, RecordingRow, VerificationRow
from trtfarm.errors import ToolchainError, TrtfarmError, UsageError, error_from_dict
from trtfarm.farm import Farm
from trtfarm.jobs.job import Job
from trtfarm.jobs.state import JobState
from trtfarm.signing.keyring import Keyring
from trtfarm.signing.seal import check_row
from trtfarm.signing.statement import EngineStatement
from trtfarm.submissions.resolve import Work, measure_work, record_work, row
from trtfarm.submissions.results import find
from trtfarm.targets import BuildTarget
from trtfarm.workers import Worker, list_workers, why_waiting
from trtfarm_worker.engines.running import toolchain_for
from trtfarm_worker.gpus.keeper import keeper_of_host
from trtfarm_worker.inline import Listener
from trtfarm_worker.offers import Offer
from trtfarm_worker.places import Places
from trtfarm_worker.presence import CLIENT, Presence
from trtfarm_worker.runner import Runner
from trtfarm_worker.toolchains.toolchain import Toolchain

#: How often the database is asked about a job that another process has: it cannot wake us.
_LOOK_SECONDS = 0.2


class EngineVerification:
    """Records what FP32 computes and measures an engine against it, unless that is known already."""

    def __init__(
        self, farm: Farm, engine: EngineRow, toolchains: Sequence[Toolchain], *, fresh: bool, listener: Listener
    ) -> None:
        """Raises SignatureError and ToolchainError before anything is done."""
        statement = EngineStatement.of_row(engine)
        check_row(Keyring.of(farm.settings), engine)
        toolchain_for(toolchains, statement, engine.id)
        self._farm = farm
        self._engine = engine
        self._toolchains = toolchains
        self._fresh = fresh
        self._listener = listener
        self._target = BuildTarget(
            compute_capability=statement.compute_capability,
            toolchain=statement.toolchain,
            tensorrt=statement.tensorrt,
        )

    def usual_dataset(self) -> str:
        """The data that the engine's model was verified with last. Raises UsageError where it never was."""
        newest = VerificationRow.created.desc(), VerificationRow.id.desc()
        with self._farm.database.read() as session:
            found = session.scalar(
                select(VerificationRow.dataset_id)
                .where(VerificationRow.model_id == self._engine.model_id)
                .order_by(*newest)
                .limit(1)
            )
        if found is None:
            raise UsageError(
                "no data is known to verify with",
                cause="nothing of this engine's model was verified before",
                remedy="name data with --data, and the classes of its samples with --labels",
            )
        return found

    def on(self, dataset_id: str) -> VerificationRow:
        """What was measured on a data set. Raises the error of the job that failed."""
        with self._farm.database.read() as session:
            model = row(session, ModelRow, self._engine.model_id)
            dataset = row(session, DatasetRow, dataset_id)
        recorded = self._done(record_work(model, dataset))
        with self._farm.database.read() as session:
            recording = row(session, RecordingRow, recorded["recording_id"])
        measured = self._done(measure_work(model, dataset, self._engine, recording, self._target))
        with self._farm.database.read() as session:
            return row(session, VerificationRow, measured["verification_id"])

    def _done(self, work: Work) -> dict[str, Any]:
        """The result of the work: found, or of a job that this process runs unless another one does."""
        farm = self._farm
        with farm.database.write() as session:
            found = None if self._fresh else find(session, work.action, farm.complete)
            if found is not None:
                return found
            request = {**work.request, "fields": dict(work.action.fields)}
            job, _ = farm.jobs.submit(session, kind=work.action.kind.value, key=work.action.key, request=request)
        ended = self._ended(job.id)
        if ended.state is JobState.DONE and ended.result is not None:
            return ended.result
        raise error_from_dict(ended.error) if ended.error else TrtfarmError(f"{job.id} was {ended.state}")

    def _ended(self, job_id: str) -> Job:
        """The job at its end. A builder that died is tried again, as often as the farm's rules have it."""
        gc.enable()  # short commands do without, and this may take minutes
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
    reason = why_waiting(job.capability, workers)
    troubles = here.troubles(job.capability)
    if job.state is JobState.QUEUED and reason and (troubles or job.capability not in here.capabilities):
        raise ToolchainError(
            f"nobody can do {job.id} now",
            cause="; ".join([reason, *troubles]),
            remedy="see trtfarm doctor, and trtfarm workers list; the job stays queued for a worker that can",
        )
