"""Runs one job: claim, builder process, blobs, then one transaction with the rows and the job's end."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from trtfarm.actions import ActionKind
from trtfarm.errors import BuilderCancelledError, ClaimLostError, TrtfarmError
from trtfarm.farm import Farm
from trtfarm.jobs.job import Claim, Job
from trtfarm_worker.builder.cancellation import CancelToken
from trtfarm_worker.builder.events import LogLine, Progress
from trtfarm_worker.builder.request import BuilderRequest, Limits
from trtfarm_worker.builder.supervisor import run_builder
from trtfarm_worker.heartbeat import Heartbeat
from trtfarm_worker.steps.registry import STEP_KINDS
from trtfarm_worker.steps.step import Task
from trtfarm_worker.toolchains.toolchain import Toolchain

_log = structlog.get_logger()

#: Hears of every event of a job that runs here, in the job's thread.
Listener = Callable[[Job, Progress | LogLine], None]


class Runner:
    """Does jobs for one owner (a worker, or a client that works by itself); threads may share it."""

    def __init__(
        self,
        farm: Farm,
        owner: str,
        toolchains: Sequence[Toolchain],
        *,
        publish: Callable[[Sequence[str]], None],
        listener: Listener = lambda _job, _event: None,
    ) -> None:
        self._farm = farm
        self._owner = owner
        self._toolchains = tuple(toolchains)
        self._publish = publish
        self._listener = listener
        self._lock = threading.Lock()
        self._tokens: set[CancelToken] = set()
        self._stopping = False

    def run(self, job_id: str) -> bool:
        """Does the job if it can be claimed; False if it is not queued (any more)."""
        claim = self._farm.jobs.claim(job_id, self._owner)
        if claim is None:
            return False
        token = CancelToken()
        with self._lock:
            self._tokens.add(token)
            if self._stopping:
                token.cancel()
        try:
            self._attempt(claim, token)
        finally:
            with self._lock:
                self._tokens.discard(token)
        return True

    def stop(self) -> None:
        """Ends the builders that run now; their jobs go back to the queue without having lost an attempt."""
        with self._lock:
            self._stopping = True
            for token in self._tokens:
                token.cancel()

    def _attempt(self, claim: Claim, token: CancelToken) -> None:
        farm, log = self._farm, _log.bind(job=claim.job.id, kind=claim.job.kind, attempt=claim.attempt)
        try:
            queued = self._work(claim, token)
        except ClaimLostError:
            log.warning("claim lost, result discarded")
            return
        except TrtfarmError as error:
            queued = self._fail(claim, error)
        except Exception as error:
            # The outermost edge of a job: a mistake of ours must end this job, not the worker.
            log.exception("job failed unexpectedly")
            queued = self._fail(claim, TrtfarmError(f"{type(error).__name__}: {error}", cause="a defect of trtfarm"))
        except BaseException:
            farm.jobs.release(claim)
            raise
        self._publish(queued)

    def _work(self, claim: Claim, token: CancelToken) -> list[str]:
        farm, job = self._farm, claim.job
        kind = STEP_KINDS[ActionKind(job.kind)]
        with (
            tempfile.TemporaryDirectory(prefix=f"{job.id}-", dir=farm.scratch(), ignore_cleanup_errors=True) as folder,
            Heartbeat(farm.database, farm.jobs, claim, token, lease_seconds=farm.settings.lease_seconds) as heartbeat,
        ):
            inputs, scratch = Path(folder, "inputs"), Path(folder, "scratch")
            inputs.mkdir()
            scratch.mkdir()
            task = Task(farm=farm, job=job, toolchains=self._toolchains, inputs=inputs, scratch=scratch)

            def hear(event: Progress | LogLine) -> None:
                heartbeat.tell(event)
                self._listener(job, event)

            try:
                invocation = kind.prepare(task)
                answer = run_builder(
                    BuilderRequest(
                        toolchain=invocation.toolchain,
                        step=invocation.step,
                        args=invocation.args,
                        limits=Limits.of(farm.settings),
                        scratch=scratch,
                    ),
                    on_event=hear,
                    should_stop=token,
                )
                commit = kind.keep(task, answer)
            except BuilderCancelledError:
                if heartbeat.lost:
                    raise ClaimLostError(f"job {job.id} is no longer this worker's") from None
                raise
            with farm.database.write() as session:
                farm.jobs.finish(session, claim, commit(session))
                return farm.submissions.after_job(session, job.id)

    def _fail(self, claim: Claim, error: TrtfarmError) -> list[str]:
        farm = self._farm
        try:
            if self._stopping and isinstance(error, BuilderCancelledError):
                farm.jobs.release(claim)
                return []
            farm.jobs.fail(claim, error)
        except ClaimLostError:
            return []
        with farm.database.write() as session:
            return farm.submissions.after_job(session, claim.job.id)
