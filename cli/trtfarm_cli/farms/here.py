"""The farm that is open in this process."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import select

from trtfarm.catalog.lookup import find_one
from trtfarm.database.schema import EngineRow, ModelRow, TableRow
from trtfarm.farm import Farm
from trtfarm.jobs.state import JobState
from trtfarm_cli import output
from trtfarm_cli.farms.administration_here import AdministrationHere
from trtfarm_cli.farms.any_farm import EVERYTHING, Facts, FarmKey, Pulled, Requeued, Within
from trtfarm_cli.farms.bundles_here import BundlesHere
from trtfarm_cli.farms.plain_jobs import model_id_of, plain
from trtfarm_cli.files import writable
from trtfarm_cli.progress import View, listener, view

if TYPE_CHECKING:
    from trtfarm.catalog.entries import EngineEntry, TableEntry
    from trtfarm.catalog.window import Window
    from trtfarm.jobs.job import Event, Job
    from trtfarm.models.model import Model
    from trtfarm.planning import SubmissionRequest
    from trtfarm.submissions.submission import Submission
    from trtfarm.tables.table import CalibrationTable
    from trtfarm.targets import BuildTarget
    from trtfarm_worker.anticipation import Anticipation
    from trtfarm_worker.order import Order
    from trtfarm_worker.toolchains.toolchain import Toolchain

#: For those who queue a job and do not see it through.
NO_WORKER = (
    "no worker is up: start one with trtfarm up, or run the same trtfarm submit again, which does its jobs itself"
)


class FarmHere:
    """Fulfils `AnyFarm`; what was submitted is worked on by this process where no worker does it."""

    def __init__(self, farm: Farm) -> None:
        self._farm = farm

    @property
    def kept_in(self) -> str:
        return str(self._farm.settings.home)

    @property
    def administration(self) -> AdministrationHere:
        return AdministrationHere(self._farm)

    @property
    def bundles(self) -> BundlesHere:
        return BundlesHere(self._farm)

    def signing_keys(self) -> Sequence[FarmKey]:
        from trtfarm.signing.keyring import Keyring

        keyring = Keyring.of(self._farm.settings)
        keyring.signer()
        return [FarmKey(key=key.id, own=key.own, public=key.public.pem().decode()) for key in keyring.trusted()]

    def engines(
        self, filters: Mapping[str, str | None], *, limit: int, within: Within = EVERYTHING
    ) -> Sequence[EngineEntry]:
        from trtfarm.catalog.search import find_engines

        with self._farm.database.read() as session:
            return find_engines(session, _filter(filters, within), limit=limit, within=_window(within))

    def engine(self, text: str) -> Facts:
        from trtfarm.catalog.details import engine_details

        with self._farm.database.read() as session:
            return engine_details(session, text)

    def pull(self, text: str, destination: Path | None, *, verify: bool) -> Pulled:
        from trtfarm.signing.keyring import Keyring
        from trtfarm.signing.seal import Seal, check_row
        from trtfarm.signing.signed_file import write_signature
        from trtfarm.signing.statement import EngineStatement
        from trtfarm.submissions.resolve import row

        with self._farm.database.read() as session:
            found = find_one(session, EngineRow, text)
            name = f"{row(session, ModelRow, found.model_id).name}-{found.precision}-{found.compute_capability}.engine"
        path = writable(destination or Path(name))
        if verify:
            check_row(Keyring.of(self._farm.settings), found)
        self._farm.blobs.materialize(found.blob, path, lasting=True)
        seal = Seal.of_row(found)
        signature = write_signature(path, EngineStatement.of_row(found), seal) if seal else None
        return Pulled(engine=found.id, digest=found.blob, size=found.size, path=path, signature=signature)

    def verify(self, text: str, data: Sequence[str], labels: str | None, *, fresh: bool, shown: View) -> Facts:
        from trtfarm_cli.farms.verification import verified_here

        return verified_here(self._farm, text, data, labels, fresh=fresh, shown=shown)

    def remove_engines(self, texts: Sequence[str]) -> Sequence[str]:
        from trtfarm.catalog.removal import remove_engines

        return remove_engines(self._farm.database, self._farm.blobs, texts)

    def pin_engine(self, text: str, *, pinned: bool) -> None:
        from trtfarm.catalog.pinning import pin_engine

        pin_engine(self._farm.database, text, pinned=pinned)

    def label_engine(self, text: str, label: str, *, given: bool) -> None:
        from trtfarm.catalog.labels import label_engine, unlabel_engine

        (label_engine if given else unlabel_engine)(self._farm.database, text, label)

    def tables(
        self, filters: Mapping[str, str | None], *, limit: int, within: Within = EVERYTHING
    ) -> Sequence[TableEntry]:
        from trtfarm.catalog.search import find_tables

        with self._farm.database.read() as session:
            return find_tables(session, _filter(filters, within), limit=limit, within=_window(within))

    def table(self, text: str) -> Facts:
        from trtfarm.catalog.details import table_details

        with self._farm.database.read() as session:
            return table_details(session, text)

    def table_text(self, text: str) -> tuple[str, bytes]:
        with self._farm.database.read() as session:
            row = find_one(session, TableRow, text)
        return row.id, self._farm.blobs.read(row.blob)

    def import_table(self, table: CalibrationTable, model: Model) -> str:
        from trtfarm.intake import add_model, add_table

        return add_table(self._farm, table, add_model(self._farm, model))

    def jobs(self, *, state: str | None, kind: str | None, limit: int) -> list[Facts]:
        from trtfarm.jobs.queries import list_jobs

        wanted = JobState(state) if state else None
        return self._plain(list_jobs(self._farm.database, state=wanted, kind=kind, limit=limit))

    def job(self, text: str) -> Facts:
        wanted = self._farm.job(text)
        [found] = self._plain([wanted])
        if wanted.state is JobState.QUEUED:
            found["waits"] = self._waits(wanted) or "for its turn"
        return found

    def _waits(self, job: Job) -> str | None:
        from trtfarm.workers import why_waits
        from trtfarm_worker.presence import forget_dead

        if job.state is not JobState.QUEUED:
            return None
        forget_dead(self._farm)
        return why_waits(self._farm.database, job.capability)

    def job_events(self, text: str, listener: Callable[[list[Event]], None], *, follow: bool) -> Job:
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

    def submissions(self, filters: Mapping[str, str | None], *, limit: int, within: Within = EVERYTHING) -> list[Facts]:
        from trtfarm.submissions.listing import find_submissions

        words: dict[str, Any] = {**filters, "accuracy": within.accuracy}
        with self._farm.database.read() as session:
            found = find_submissions(session, **words, limit=limit, within=_window(within))
        return [asdict(entry) for entry in found]

    def cancel_submission(self, text: str) -> Facts:
        from trtfarm.database.schema import SubmissionRow

        with self._farm.database.read() as session:
            submission_id = find_one(session, SubmissionRow, text).id
        return asdict(self._farm.cancel_submission(submission_id))

    def projects(self) -> list[Facts]:
        from trtfarm.projects import list_projects

        return [asdict(project) for project in list_projects(self._farm.database)]

    def retry(self, text: str) -> Requeued:
        from trtfarm_worker.inline import announce
        from trtfarm_worker.presence import workers_up

        now, submissions = self._farm.retry(self._farm.job(text).id)
        announce(self._farm, [now.id])
        [found] = self._plain([now])
        return Requeued(job=found, submissions=submissions, notice=None if workers_up(self._farm) else NO_WORKER)

    def explain_job(self, text: str) -> Facts:
        from trtfarm.actions import Action, ActionKind
        from trtfarm.submissions.explain import nearest

        job = self._farm.job(text)
        action = Action(ActionKind(job.kind), job.request["fields"])
        with self._farm.database.read() as session:
            found = nearest(session, action, before=job)
        told = {"job": job.id, "kind": job.kind, "state": job.state, "key": job.key, "fields": action.fields}
        return {**told, "nearest": asdict(found) if found else None, "waits": self._waits(job)}

    def dry_run(self, order: Order) -> list[Facts]:
        from trtfarm import routing
        from trtfarm.submissions.explain import explain
        from trtfarm.workers import why_waits

        toolchains = self._toolchains()
        request = self._request(order, toolchains, _ignore)
        # What needs none of the toolchains here is not done by this process.
        here = {routing.CPU, *(f"{toolchain.kind}-{toolchain.version}" for toolchain in toolchains)}

        def waits(capability: str) -> str | None:
            can = routing.toolchain_of(capability) in here
            return None if can else why_waits(self._farm.database, capability)

        with self._farm.database.read() as session:
            return [step.as_dict() for step in explain(session, request, self._farm.complete, waits=waits)]

    def submit(self, order: Order, *, fresh: bool, detach: bool) -> Facts:
        from trtfarm.submissions.facts import facts_of

        toolchains = self._toolchains()
        # A calibration on the CPU may take long, and a builder that waits for its end holds memory of the GPU.
        later = detach or order.calibrate_with == "reference"
        with _Ahead(self._farm, toolchains) as ahead:
            request = self._request(order, toolchains, _ignore if later else ahead.expect)
            submission_id, queued = self._farm.submit(request, fresh=fresh)
            submission = self._farm.submissions.get(submission_id)
            if submission.state == "active":
                from trtfarm_worker.inline import announce

                announce(self._farm, queued, wanted=detach)
                if detach:
                    self._say_detached()
                else:
                    submission = self._see_through(submission_id, toolchains, ahead.begun)
        with self._farm.database.read() as session:
            return facts_of(session, submission)

    def workers(self) -> list[Facts]:
        from trtfarm.workers import list_workers, running_jobs
        from trtfarm_worker.presence import forget_dead

        forget_dead(self._farm)
        workers, running = list_workers(self._farm.database), running_jobs(self._farm.database)
        return [asdict(worker) | {"jobs": running.get(worker.id, 0)} for worker in workers]

    def _plain(self, jobs: Collection[Job]) -> list[Facts]:
        ids = {model_id_of(job) for job in jobs}
        wanted = select(ModelRow.id, ModelRow.name).where(ModelRow.id.in_(ids))
        with self._farm.database.read() as session:
            names = dict(session.execute(wanted).all())
        return [plain(job, names.get(model_id_of(job))) for job in jobs]

    def _toolchains(self) -> list[Toolchain]:
        from trtfarm_worker.toolchains.registry import ToolchainRegistry

        return ToolchainRegistry(self._farm.settings.home).toolchains()

    def _request(
        self, order: Order, toolchains: Sequence[Toolchain], expect: Callable[[Sequence[BuildTarget]], None]
    ) -> SubmissionRequest:
        from trtfarm_worker.orders import take
        from trtfarm_worker.stock import FarmStock

        with view() as shown:
            hear = listener(shown, "reading")
            return take(FarmStock(self._farm), order, toolchains, tell=output.say, listener=hear, expect=expect)

    def _say_detached(self) -> None:
        from trtfarm_worker.presence import workers_up

        output.say("left to the workers: trtfarm jobs list, or the same command without --detach, tells how it goes")
        if not workers_up(self._farm):
            output.say(NO_WORKER)

    def _see_through(
        self, submission_id: str, toolchains: Sequence[Toolchain], ahead: Anticipation | None
    ) -> Submission:
        from trtfarm_cli.following import Following
        from trtfarm_worker.inline import see_through

        with view() as shown:
            following = Following(shown)

            def watch(submission: Submission) -> None:
                following.watch(submission.steps)

            try:
                return see_through(
                    self._farm,
                    submission_id,
                    toolchains,
                    watcher=watch,
                    listener=following.hear,
                    excuser=following.excuse,
                    ahead=ahead,
                )
            except KeyboardInterrupt:
                output.say(f"{submission_id}: unfinished work is back in the queue; the same command goes on with it")
                raise


def _ignore(_targets: Sequence[BuildTarget]) -> None:
    """For those who do not begin with a job on a GPU."""


class _Ahead:
    """What is begun before there is a job; nothing is imported before something is."""

    def __init__(self, farm: Farm, toolchains: Sequence[Toolchain]) -> None:
        self._farm = farm
        self._toolchains = toolchains
        self._stack = ExitStack()
        self.begun: Anticipation | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def expect(self, targets: Sequence[BuildTarget]) -> None:
        from trtfarm_worker.anticipation import Anticipation

        self.begun = self._stack.enter_context(Anticipation(self._farm, self._toolchains))
        self.begun.expect(targets)


def _filter(filters: Mapping[str, str | None], within: Within) -> Any:
    from trtfarm.catalog.filters import Filter

    words: Any = {"compute_capability" if name == "target" else name: value for name, value in filters.items()}
    return Filter(**words, accuracy=within.accuracy)


def _window(within: Within) -> Window:
    from trtfarm.catalog.window import Window

    return Window(since=within.since, until=within.until)
