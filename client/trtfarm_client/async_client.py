"""The client whose methods are awaited; it has those of `Client`, and the same flows behind them."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Self, TypeVar

from trtfarm.accuracy import ANY_ACCURACY, AccuracyFilter
from trtfarm.catalog.entries import DataSetEntry, EngineEntry, ModelEntry, TableEntry
from trtfarm.jobs.job import Event, Job
from trtfarm.projects import Project
from trtfarm_client import calls, flows
from trtfarm_client.ask import Ask
from trtfarm_client.async_administration import AsyncAdministration
from trtfarm_client.async_bundles import AsyncBundles
from trtfarm_client.async_transport import AsyncTransport
from trtfarm_client.call import Call
from trtfarm_client.downloads import receiving
from trtfarm_client.flows import Report, Transferred, unreported
from trtfarm_client.link import Link
from trtfarm_client.operations import Hear, joining, unheard
from trtfarm_client.records import (
    CancelledSubmission,
    DataSetRecord,
    Health,
    JobRecord,
    KeyRecord,
    ModelRecord,
    Retried,
    SubmissionRecord,
    Who,
)
from trtfarm_client.sse import ServerEvent

Result = TypeVar("Result")
Facts = dict[str, Any]


class AsyncClient:
    """One farm over HTTP, for one event loop. What its methods do and raise is said at those of `Client`."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self._transport = AsyncTransport(link)
        self.administration = AsyncAdministration(self._transport)
        self.bundles = AsyncBundles(self._transport)

    async def close(self) -> None:
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def health(self) -> Health:
        return await self._send(calls.health())

    async def whoami(self) -> Who:
        return await self._send(calls.whoami())

    async def engines(
        self,
        *,
        tensorrt: str | None = None,
        target: str | None = None,
        precision: str | None = None,
        calibrator: str | None = None,
        model: str | None = None,
        digest: str | None = None,
        label: str | None = None,
        accuracy: AccuracyFilter = ANY_ACCURACY,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
    ) -> list[EngineEntry]:
        words = {"tensorrt": tensorrt, "target": target, "precision": precision, "calibrator": calibrator}
        words |= {"model": model, "digest": digest, "label": label}
        return await self._listed(calls.engines, {**words, **vars(accuracy)}, since, until, limit)

    async def engine(self, engine: str) -> Facts:
        return await self._send(calls.engine(engine))

    async def download_engine(self, engine: str, destination: Path, *, report: Report = unreported) -> str:
        return await self._download(calls.engine(engine).path + "/plan", destination, None, report)

    async def engine_signature(self, engine: str) -> bytes:
        return await self._send(calls.engine_signature(engine))

    async def remove_engine(self, engine: str) -> None:
        await self._send(calls.remove_engine(engine))

    async def verify_engine(
        self, engine: str, *, dataset: str | None = None, fresh: bool = False, hear: Hear = unheard
    ) -> Facts:
        call = calls.verify_engine(engine, dataset, fresh=fresh)
        return await self._transport.run(joining(call, self._transport.patience(), hear))

    async def remove_engines(self, engines: Sequence[str]) -> list[str]:
        return await self._send(calls.remove_engines(engines))

    async def pin_engine(self, engine: str, *, pinned: bool = True) -> None:
        """A pinned engine is kept by every clean-up."""
        await self._send(calls.pin_engine(engine, pinned=pinned))

    async def label_engine(self, engine: str, label: str) -> None:
        """Gives an engine a label, such as `prod`, which also keeps it."""
        await self._send(calls.label_engine(engine, label, given=True))

    async def unlabel_engine(self, engine: str, label: str) -> None:
        """Raises NotFoundError where the engine has no such label."""
        await self._send(calls.label_engine(engine, label, given=False))

    async def tables(
        self,
        *,
        tensorrt: str | None = None,
        target: str | None = None,
        calibrator: str | None = None,
        model: str | None = None,
        digest: str | None = None,
        accuracy: AccuracyFilter = ANY_ACCURACY,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
    ) -> list[TableEntry]:
        words = {"tensorrt": tensorrt, "target": target, "calibrator": calibrator, "model": model, "digest": digest}
        return await self._listed(calls.tables, {**words, **vars(accuracy)}, since, until, limit)

    async def table(self, table: str) -> Facts:
        return await self._send(calls.table(table))

    async def download_table(self, table: str, destination: Path) -> str:
        return await self._download(calls.table(table).path + "/text", destination, None, unreported)

    async def add_table(self, model: str, blob: str) -> Facts:
        return await self._send(calls.add_table(model, blob))

    async def models(
        self, *, name: str | None = None, digest: str | None = None, limit: int | None = None
    ) -> list[ModelEntry]:
        return await self._listed(calls.models, {"name": name, "digest": digest}, None, None, limit)

    async def model(self, model: str) -> ModelRecord:
        return await self._send(calls.model(model))

    async def add_model(self, name: str, blob: str, weights: Mapping[str, str] | None = None) -> ModelEntry:
        return await self._send(calls.add_model(name, blob, weights or {}))

    async def datasets(
        self, *, name: str | None = None, digest: str | None = None, limit: int | None = None
    ) -> list[DataSetEntry]:
        return await self._listed(calls.datasets, {"name": name, "digest": digest}, None, None, limit)

    async def dataset(self, dataset: str) -> DataSetRecord:
        return await self._send(calls.dataset(dataset))

    async def add_dataset(
        self,
        source: str,
        inputs: Mapping[str, str],
        *,
        labels: str | None = None,
        preprocessing: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> DataSetEntry:
        return await self._send(calls.add_dataset(source, inputs, labels, preprocessing or {}))

    async def upload(self, paths: Sequence[Path], *, report: Report = unreported) -> dict[Path, str]:
        return await self._transport.run(flows.uploading(paths, self._transport.patience(), report))

    async def download_blob(self, digest: str, destination: Path, *, report: Report = unreported) -> None:
        """Writes the bytes of a digest, verified; `destination` appears whole or not at all."""
        await self._download(calls.blob_path(digest), destination, digest, report)

    async def submit(self, ask: Ask, *, idempotency_key: str | None = None) -> SubmissionRecord:
        return await self._send(calls.submit(ask, key=idempotency_key or str(uuid.uuid4())))

    async def dry_run(self, ask: Ask) -> list[Facts]:
        return await self._send(calls.dry_run(ask))

    async def submissions(
        self,
        *,
        state: str | None = None,
        project: str | None = None,
        model: str | None = None,
        accuracy: AccuracyFilter = ANY_ACCURACY,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
    ) -> list[Facts]:
        words = {"state": state, "project": project, "model": model}
        return await self._listed(calls.submissions, {**words, **vars(accuracy)}, since, until, limit)

    async def submission(self, submission: str) -> SubmissionRecord:
        return await self._send(calls.submission(submission))

    async def submission_facts(self, submission: str) -> Facts:
        return await self._send(calls.submission_facts(submission))

    async def cancel_submission(self, submission: str) -> CancelledSubmission:
        return await self._send(calls.cancel_submission(submission))

    def submission_events(self, submission: str) -> AsyncIterator[ServerEvent]:
        return self._transport.events(calls.submission_events(submission), {})

    async def jobs(
        self,
        *,
        state: str | None = None,
        kind: str | None = None,
        worker: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
    ) -> list[Job]:
        return await self._listed(calls.jobs, {"state": state, "kind": kind, "worker": worker}, since, until, limit)

    async def job(self, job: str) -> JobRecord:
        return await self._send(calls.job(job))

    async def job_events(self, job: str, *, after: int = 0) -> list[Event]:
        return await self._send(calls.job_events(job, after=after))

    def job_stream(self, job: str, *, after: int = 0) -> AsyncIterator[ServerEvent]:
        return self._transport.events(calls.job_stream(job), {"after": after})

    async def cancel_job(self, job: str) -> JobRecord:
        return await self._send(calls.cancel_job(job))

    async def retry_job(self, job: str) -> Retried:
        return await self._send(calls.retry_job(job))

    async def explain_job(self, job: str) -> Facts:
        return await self._send(calls.explain_job(job))

    async def projects(self) -> list[Project]:
        return await self._send(calls.projects())

    async def workers(self, *, left: bool = False) -> list[Facts]:
        return await self._send(calls.workers(left=left))

    async def toolchains(self) -> list[Facts]:
        return await self._send(calls.toolchains())

    async def signing_keys(self) -> list[KeyRecord]:
        return await self._send(calls.signing_keys())

    async def _send(self, call: Call[Result]) -> Result:
        return await self._transport.run(flows.sending(call, self._transport.patience()))

    async def _listed(
        self,
        make: Any,
        words: Mapping[str, Any],
        since: datetime | None,
        until: datetime | None,
        limit: int | None,
    ) -> list[Any]:
        page = flows.page_call(make, {**words, "since": since, "until": until})
        return await self._transport.run(flows.listing(page, limit, self._transport.patience()))

    async def _download(self, path: str, destination: Path, digest: str | None, report: Report) -> str:
        def told(done: int, total: int) -> None:
            report(Transferred(path=destination, done=done, total=total))

        with receiving(destination, digest, told) as part:
            await self._transport.run(flows.downloading(path, part, self._transport.patience()))
        return str(part.digest)
