"""A farm behind HTTP."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from trtfarm.errors import NotFoundError, SignatureError
from trtfarm.jobs.job import Event, Job
from trtfarm.jobs.state import JobState
from trtfarm.scratch import temporary_folder
from trtfarm.settings import Settings
from trtfarm_cli import output
from trtfarm_cli.farms.administration_remote import RemoteAdministration
from trtfarm_cli.farms.any_farm import EVERYTHING, Facts, FarmKey, Pulled, Requeued, Within
from trtfarm_cli.farms.bundles_remote import RemoteBundles
from trtfarm_cli.farms.plain_jobs import model_id_of, plain
from trtfarm_cli.files import writable
from trtfarm_cli.progress import View, listener, view
from trtfarm_client import Ask, Client, Transferred
from trtfarm_client.values import value_of

if TYPE_CHECKING:
    from trtfarm.catalog.entries import EngineEntry, TableEntry
    from trtfarm.models.model import Model
    from trtfarm.planning import SubmissionRequest
    from trtfarm.tables.table import CalibrationTable
    from trtfarm_worker.order import Order

_NO_WORKER = "no worker of the farm does it now: trtfarm workers list tells who is up"


class RemoteFarm:
    """Fulfils `AnyFarm`; `settings` are those of this host, where models and data are read."""

    def __init__(self, client: Client, settings: Settings) -> None:
        self._client = client
        self._settings = settings
        self._model_name = cache(self._named_model)

    @property
    def kept_in(self) -> str:
        return self._client.link.url

    @property
    def administration(self) -> RemoteAdministration:
        return RemoteAdministration(self._client)

    @property
    def bundles(self) -> RemoteBundles:
        return RemoteBundles(self._client)

    def signing_keys(self) -> Sequence[FarmKey]:
        return [FarmKey(**vars(key)) for key in self._client.signing_keys()]

    def engines(
        self, filters: Mapping[str, str | None], *, limit: int, within: Within = EVERYTHING
    ) -> Sequence[EngineEntry]:
        words: dict[str, Any] = {**filters, **vars(within)}
        return self._client.engines(**words, limit=limit)

    def engine(self, text: str) -> Facts:
        return self._client.engine(text)

    def pull(self, text: str, destination: Path | None, *, verify: bool) -> Pulled:
        details = self._client.engine(text)
        engine = str(details["id"])
        path = writable(destination or Path(_file_name(details)))
        with TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as folder, view() as shown:

            def report(received: Transferred) -> None:
                shown.progress(path.name, "received", received.done, received.total, "bytes")

            copy = Path(folder) / path.name
            digest = self._client.download_engine(engine, copy, report=report)
            signature = self._signature(engine, copy)
            if verify:
                self._check(engine, copy, signature)
            size = copy.stat().st_size
            kept = path.with_name(signature.name) if signature else None
            if signature and kept:
                signature.replace(kept)
            copy.replace(path)
        return Pulled(engine=engine, digest=digest, size=size, path=path, signature=kept)

    def verify(self, text: str, data: Sequence[str], labels: str | None, *, fresh: bool, shown: View) -> Facts:
        from trtfarm_cli.farms.verification import verified_there

        return verified_there(self._client, self._settings, text, data, labels, fresh=fresh, shown=shown)

    def remove_engines(self, texts: Sequence[str]) -> Sequence[str]:
        return self._client.remove_engines(texts)

    def pin_engine(self, text: str, *, pinned: bool) -> None:
        self._client.pin_engine(text, pinned=pinned)

    def label_engine(self, text: str, label: str, *, given: bool) -> None:
        (self._client.label_engine if given else self._client.unlabel_engine)(text, label)

    def tables(
        self, filters: Mapping[str, str | None], *, limit: int, within: Within = EVERYTHING
    ) -> Sequence[TableEntry]:
        words: dict[str, Any] = {**filters, **vars(within)}
        return self._client.tables(**words, limit=limit)

    def table(self, text: str) -> Facts:
        return self._client.table(text)

    def table_text(self, text: str) -> tuple[str, bytes]:
        table = str(self._client.table(text)["id"])
        with temporary_folder() as folder:
            self._client.download_table(table, folder / "table")
            return table, (folder / "table").read_bytes()

    def import_table(self, table: CalibrationTable, model: Model) -> str:
        from trtfarm_cli.farms.remote_stock import RemoteStock

        with view() as shown:
            stock = RemoteStock(self._client, self._settings, shown)
            return stock.add_table(table, stock.add_model(model, ()))

    def jobs(self, *, state: str | None, kind: str | None, limit: int) -> list[Facts]:
        return [self._plain(job) for job in self._client.jobs(state=state, kind=kind, limit=limit)]

    def job(self, text: str) -> Facts:
        found = self._client.job(text)
        waits = {"waits": found.waiting or "for its turn"} if found.job.state is JobState.QUEUED else {}
        return self._plain(found.job) | waits

    def job_events(self, text: str, listener: Callable[[list[Event]], None], *, follow: bool) -> Job:
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

    def submissions(self, filters: Mapping[str, str | None], *, limit: int, within: Within = EVERYTHING) -> list[Facts]:
        words: dict[str, Any] = {**filters, **vars(within)}
        return [{**facts, **_times(facts)} for facts in self._client.submissions(**words, limit=limit)]

    def cancel_submission(self, text: str) -> Facts:
        gone = self._client.cancel_submission(text)
        jobs = {"withdrawn": gone.withdrawn, "stopping": gone.stopping, "left": gone.left}
        return {"submission": gone.submission.id, "state": gone.submission.state, **jobs}

    def projects(self) -> list[Facts]:
        return [asdict(project) for project in self._client.projects()]

    def retry(self, text: str) -> Requeued:
        now = self._client.retry_job(text)
        waiting = self._client.job(now.job.id).waiting
        return Requeued(job=self._plain(now.job), submissions=now.submissions, notice=_NO_WORKER if waiting else None)

    def explain_job(self, text: str) -> Facts:
        return self._client.explain_job(text)

    def dry_run(self, order: Order) -> list[Facts]:
        return self._client.dry_run(Ask.of_request(self._request(order)))

    def submit(self, order: Order, *, fresh: bool, detach: bool) -> Facts:
        ask = Ask.of_request(self._request(order), fresh=fresh)
        submission = self._client.submit(ask, idempotency_key=str(uuid.uuid4()))
        if submission.state == "active":
            if detach:
                output.say("left to the farm's workers: trtfarm jobs list, or the same command, tells how it goes")
            else:
                self._follow(submission.id)
        return self._client.submission_facts(submission.id)

    def workers(self) -> list[Facts]:
        return self._client.workers()

    def _request(self, order: Order) -> SubmissionRequest:
        from trtfarm_cli.farms.remote_stock import RemoteStock
        from trtfarm_worker.orders import take

        with view() as shown:
            stock = RemoteStock(self._client, self._settings, shown)
            # What this host could build is nothing to the farm.
            return take(stock, order, [], tell=output.say, listener=listener(shown, "reading"))

    def _follow(self, submission: str) -> None:
        from trtfarm_cli.farms.remote_following import follow

        with view() as shown:
            try:
                follow(self._client, submission, shown)
            except KeyboardInterrupt:
                output.say(f"{submission}: goes on at {self.kept_in}; the same command follows it again")
                raise

    def _plain(self, job: Job) -> Facts:
        return plain(job, self._model_name(model_id_of(job)))

    def _named_model(self, model: str) -> str | None:
        try:
            return self._client.model(model).name
        except NotFoundError:
            return None

    def _signature(self, engine: str, copy: Path) -> Path | None:
        from trtfarm.signing.signed_file import signature_path

        path = signature_path(copy)
        try:
            path.write_bytes(self._client.engine_signature(engine))
        except NotFoundError:
            return None
        return path

    def _check(self, engine: str, copy: Path, signature: Path | None) -> None:
        from trtfarm.signing.keyring import Keyring
        from trtfarm.signing.signed_file import check_file

        if signature is None:
            raise SignatureError(
                f"{engine} is not signed", remedy="on its farm's host: trtfarm engines sign; or build it again"
            )
        try:
            check_file(Keyring.of(self._settings), copy)
        except SignatureError as error:
            raise SignatureError(
                error.message.replace(str(copy), engine), cause=error.cause, remedy=error.remedy
            ) from error


def _file_name(details: Mapping[str, Any]) -> str:
    """A name of our own making: what a server says is never a path."""
    words = (details["model"], details["precision"], details["compute_capability"])
    return "-".join(str(word).replace("/", "_").replace("\0", "") for word in words) + ".engine"


def _times(facts: Mapping[str, Any]) -> dict[str, datetime | None]:
    """When something was made and when it ended, which JSON has as texts."""
    told = {name: facts[name] for name in ("created", "finished")}
    return {name: datetime.fromisoformat(text) if text else None for name, text in told.items()}
