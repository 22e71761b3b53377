"""The client that waits for each answer."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Self, TypeVar

from trtfarm.accuracy import ANY_ACCURACY, AccuracyFilter
from trtfarm.catalog.entries import DataSetEntry, EngineEntry, ModelEntry, TableEntry
from trtfarm.jobs.job import Event, Job
from trtfarm.projects import Project
from trtfarm_client import calls, flows
from trtfarm_client.administration import Administration
from trtfarm_client.ask import Ask
from trtfarm_client.bundles import Bundles
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
from trtfarm_client.transport import Transport

Result = TypeVar("Result")
Facts = dict[str, Any]


class Client:
    """One farm over HTTP; threads may share it. Every method raises the error that the farm raised.

    A server that is gone or busy is waited for, for `link.patience` seconds, and then it is an UnreachableError or a
    BusyError. Rows are named by an id, a digest, or the start of one.
    """

    def __init__(self, link: Link) -> None:
        self.link = link
        self._transport = Transport(link)
        self.administration = Administration(self._transport)
        self.bundles = Bundles(self._transport)

    def close(self) -> None:
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def health(self) -> Health:
        return self._send(calls.health())

    def whoami(self) -> Who:
        return self._send(calls.whoami())

    def engines(
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
        """Engines, newest first, all pages up to `limit`. Versions and precisions may be short, as in the CLI."""
        words = {"tensorrt": tensorrt, "target": target, "precision": precision, "calibrator": calibrator}
        words |= {"model": model, "digest": digest, "label": label}
        return self._listed(calls.engines, {**words, **vars(accuracy)}, since, until, limit)

    def engine(self, engine: str) -> Facts:
        return self._send(calls.engine(engine))

    def download_engine(self, engine: str, destination: Path, *, report: Report = unreported) -> str:
        """Writes the plan, verified, and returns its digest; `destination` appears whole or not at all."""
        return self._download(calls.engine(engine).path + "/plan", destination, None, report)

    def engine_signature(self, engine: str) -> bytes:
        """What stands in the engine's `.sig` file. Raises NotFoundError for an engine that nobody signed."""
        return self._send(calls.engine_signature(engine))

    def remove_engine(self, engine: str) -> None:
        self._send(calls.remove_engine(engine))

    def verify_engine(
        self, engine: str, *, dataset: str | None = None, fresh: bool = False, hear: Hear = unheard
    ) -> Facts:
        """`verification`, `dataset` and `metrics` of an engine that a worker measured against FP32.

        Without data, those that its model was verified with last. `hear` gets `job` events, and `waiting` ones.
        """
        call = calls.verify_engine(engine, dataset, fresh=fresh)
        return self._transport.run(joining(call, self._transport.patience(), hear))

    def remove_engines(self, engines: Sequence[str]) -> list[str]:
        """Their ids; all that are named go, or none."""
        return self._send(calls.remove_engines(engines))

    def pin_engine(self, engine: str, *, pinned: bool = True) -> None:
        """A pinned engine is kept by every clean-up."""
        self._send(calls.pin_engine(engine, pinned=pinned))

    def label_engine(self, engine: str, label: str) -> None:
        """Gives an engine a label, such as `prod`, which also keeps it."""
        self._send(calls.label_engine(engine, label, given=True))

    def unlabel_engine(self, engine: str, label: str) -> None:
        """Raises NotFoundError where the engine has no such label."""
        self._send(calls.label_engine(engine, label, given=False))

    def tables(
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
        """Tables, newest first; `target` leaves out those that are tied to another device."""
        words = {"tensorrt": tensorrt, "target": target, "calibrator": calibrator, "model": model, "digest": digest}
        return self._listed(calls.tables, {**words, **vars(accuracy)}, since, until, limit)

    def table(self, table: str) -> Facts:
        return self._send(calls.table(table))

    def download_table(self, table: str, destination: Path) -> str:
        """Writes the text that TensorRT reads, verified, and returns its digest."""
        return self._download(calls.table(table).path + "/text", destination, None, unreported)

    def add_table(self, model: str, blob: str) -> Facts:
        """Takes a table whose text was uploaded. Raises TableError."""
        return self._send(calls.add_table(model, blob))

    def models(
        self, *, name: str | None = None, digest: str | None = None, limit: int | None = None
    ) -> list[ModelEntry]:
        return self._listed(calls.models, {"name": name, "digest": digest}, None, None, limit)

    def model(self, model: str) -> ModelRecord:
        return self._send(calls.model(model))

    def add_model(self, name: str, blob: str, weights: Mapping[str, str] | None = None) -> ModelEntry:
        """Takes a model whose file was uploaded, and its weights by where it says they are. Raises ModelError."""
        return self._send(calls.add_model(name, blob, weights or {}))

    def datasets(
        self, *, name: str | None = None, digest: str | None = None, limit: int | None = None
    ) -> list[DataSetEntry]:
        return self._listed(calls.datasets, {"name": name, "digest": digest}, None, None, limit)

    def dataset(self, dataset: str) -> DataSetRecord:
        return self._send(calls.dataset(dataset))

    def add_dataset(
        self,
        source: str,
        inputs: Mapping[str, str],
        *,
        labels: str | None = None,
        preprocessing: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> DataSetEntry:
        """Takes data whose arrays were uploaded: digests of prepared `.npy` files by input. Raises DataError."""
        return self._send(calls.add_dataset(source, inputs, labels, preprocessing or {}))

    def upload(self, paths: Sequence[Path], *, report: Report = unreported) -> dict[Path, str]:
        """Uploads those files that the farm does not hold, from where an earlier try broke off; their digests."""
        return self._transport.run(flows.uploading(paths, self._transport.patience(), report))

    def download_blob(self, digest: str, destination: Path, *, report: Report = unreported) -> None:
        """Writes the bytes of a digest, verified; `destination` appears whole or not at all."""
        self._download(calls.blob_path(digest), destination, digest, report)

    def submit(self, ask: Ask, *, idempotency_key: str | None = None) -> SubmissionRecord:
        """Hands in a submission, once, however often it has to be sent. A key of one's own does so across processes."""
        return self._send(calls.submit(ask, key=idempotency_key or str(uuid.uuid4())))

    def dry_run(self, ask: Ask) -> list[Facts]:
        """What each step of a submission would be, as `Explanation.as_dict` gives it."""
        return self._send(calls.dry_run(ask))

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
    ) -> list[Facts]:
        words = {"state": state, "project": project, "model": model}
        return self._listed(calls.submissions, {**words, **vars(accuracy)}, since, until, limit)

    def submission(self, submission: str) -> SubmissionRecord:
        return self._send(calls.submission(submission))

    def submission_facts(self, submission: str) -> Facts:
        """What became of a submission: table, engines, accuracy, as `trtfarm submit --json` tells it."""
        return self._send(calls.submission_facts(submission))

    def cancel_submission(self, submission: str) -> CancelledSubmission:
        """Ends a submission, and its jobs as far as no other one waits for them."""
        return self._send(calls.cancel_submission(submission))

    def submission_events(self, submission: str) -> Iterator[ServerEvent]:
        """What happens to a submission: `submission` (as it is now), `job` (an event of a job), and last `end`."""
        return self._transport.events(calls.submission_events(submission), {})

    def jobs(
        self,
        *,
        state: str | None = None,
        kind: str | None = None,
        worker: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
    ) -> list[Job]:
        return self._listed(calls.jobs, {"state": state, "kind": kind, "worker": worker}, since, until, limit)

    def job(self, job: str) -> JobRecord:
        return self._send(calls.job(job))

    def job_events(self, job: str, *, after: int = 0) -> list[Event]:
        """The history of a job from the event after `after` on, one page of it; an empty one is the end for now."""
        return self._send(calls.job_events(job, after=after))

    def job_stream(self, job: str, *, after: int = 0) -> Iterator[ServerEvent]:
        """The history of a job as it happens; the last event is `end`, with the job."""
        return self._transport.events(calls.job_stream(job), {"after": after})

    def cancel_job(self, job: str) -> JobRecord:
        return self._send(calls.cancel_job(job))

    def retry_job(self, job: str) -> Retried:
        return self._send(calls.retry_job(job))

    def explain_job(self, job: str) -> Facts:
        """Which fields of the job's key differ from the nearest stored result."""
        return self._send(calls.explain_job(job))

    def projects(self) -> list[Project]:
        """The projects that are seen, with their shares in the workers and the jobs that they have."""
        return self._send(calls.projects())

    def workers(self, *, left: bool = False) -> list[Facts]:
        """Workers, by host; with `left` also those that ended within a day."""
        return self._send(calls.workers(left=left))

    def toolchains(self) -> list[Facts]:
        """What living workers can build with."""
        return self._send(calls.toolchains())

    def signing_keys(self) -> list[KeyRecord]:
        """The public keys that the farm's engines are signed with, that of the server's own host first."""
        return self._send(calls.signing_keys())

    def _send(self, call: Call[Result]) -> Result:
        return self._transport.run(flows.sending(call, self._transport.patience()))

    def _listed(
        self,
        make: Any,
        words: Mapping[str, Any],
        since: datetime | None,
        until: datetime | None,
        limit: int | None,
    ) -> list[Any]:
        page = flows.page_call(make, {**words, "since": since, "until": until})
        return self._transport.run(flows.listing(page, limit, self._transport.patience()))

    def _download(self, path: str, destination: Path, digest: str | None, report: Report) -> str:
        def told(done: int, total: int) -> None:
            report(Transferred(path=destination, done=done, total=total))

        with receiving(destination, digest, told) as part:
            self._transport.run(flows.downloading(path, part, self._transport.patience()))
        return str(part.digest)
