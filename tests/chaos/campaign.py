"""A campaign: a farm of real processes, clients that submit, troubles meanwhile, and a look at what is left."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
from sqlalchemy import select

from tests.chaos.checks import Verdict, failures, judge
from tests.chaos.history import History
from tests.chaos.orders import orders
from tests.chaos.processes import Kept
from tests.chaos.stack import Stack
from tests.chaos.troubles import ONCE, Act, Trouble, plan
from trtfarm.database.schema import EngineRow, StepRow, SubmissionRow
from trtfarm.errors import TrtfarmError
from trtfarm.farm import Farm
from trtfarm.planning import SubmissionRequest
from trtfarm.retention.checkup import check_up
from trtfarm.workers import WorkerState, list_workers, set_state

_LOOK_SECONDS = 0.1
#: How soon what died is started again.
_AGAIN_SECONDS = 1.0
#: What a submission may take on the small disk.
_BYTES_OF_A_JOB = 4 << 20
_FULL_SECONDS = 3.0


@dataclass(frozen=True, kw_only=True)
class Size:
    """How large a campaign is; `seconds` is how long the troubles last, `patience` how long it may take to end then."""

    jobs: int
    seconds: float
    kills: int
    workers: int
    clients: int
    seed: int
    patience: float = 600.0


class Campaign:
    """One campaign in a folder of its own; `run` once."""

    def __init__(self, folder: Path, size: Size, tell: Callable[[str], None]) -> None:
        self.history = History(folder / "history.jsonl")
        self.stack = Stack(folder, workers=size.workers, disk_bytes=(64 << 20) + size.jobs * _BYTES_OF_A_JOB)
        self.kills = 0
        self._size = size
        self._tell = tell
        self._clients: list[Kept] = []
        self._corrupted: set[str] = set()
        #: What was not to be had on this machine.
        self.left_out: set[Trouble] = set()

    def run(self) -> Verdict:
        """The verdict, when all has ended or patience has run out."""
        size, stack = self._size, self.stack
        try:
            stack.start()
            self._start_clients()
            self._trouble(plan(size.seed, size.seconds, size.kills))
            with self._opened() as farm:
                self._until_ended(farm)
                unnoticed = self._mend(farm)
                verdict = judge(farm, self.history)
                verdict.corrupt += unnoticed
                verdict.lost += self._unsent()
                for error in failures(farm):
                    self._tell(f"a job failed: {error['message']} ({error['cause']})")
                return verdict
        finally:
            for client in self._clients:
                client.kill()
            for name in stack.end():
                self._tell(f"{name} did not end when it was told to, and was killed")
            stack.disk.unmount()

    def troubles(self) -> Counter[str]:
        """How often each has been done."""
        return Counter(line["trouble"] for line in self.history.of("trouble") if line["did"] is not None)

    def _start_clients(self) -> None:
        size = self._size
        for share in range(size.clients):
            url = self.stack.url if share % 2 else ""
            words = (size.seed, size.jobs, share, size.clients, size.seconds)
            client = self.stack.client(share, str(self.history.path), *map(str, words), url)
            client.start()
            self._clients.append(client)

    def _trouble(self, acts: list[Act]) -> None:
        """Does what is planned; what there is nothing to do to yet is tried again."""
        begun, ahead = time.monotonic(), deque(act for act in acts if self._possible(act.trouble))
        while ahead or time.monotonic() < begun + self._size.seconds:
            self._look()
            now = time.monotonic() - begun
            if not ahead or now < ahead[0].at:
                continue
            act = ahead.popleft()
            did = self._do(act)
            self.history.note("trouble", trouble=act.trouble, did=did)
            if did is not None:
                self.kills += act.trouble not in ONCE
            elif act.trouble in ONCE or now < self._size.seconds:
                later = replace(act, at=now + _AGAIN_SECONDS)
                ahead = deque(sorted([*ahead, later], key=lambda act: act.at))

    def _possible(self, trouble: Trouble) -> bool:
        of_broker = {Trouble.KILL_BROKER, Trouble.STOP_BROKER, Trouble.EMPTY_BROKER}
        missing = trouble in of_broker and not self.stack.broker
        missing |= trouble is Trouble.FILL_DISK and not self.stack.disk.mounted
        if missing:
            self.left_out.add(trouble)
        return not missing

    def _look(self) -> None:
        """What is due now: to be started again, to go on, to be freed."""
        for kept in self.stack.kept():
            kept.look(_AGAIN_SECONDS)
        self.stack.disk.look()
        time.sleep(_LOOK_SECONDS)

    def _do(self, act: Act) -> str | None:
        """Does it; what it was done to, or None where there was nothing to do it to."""
        word = act.trouble.partition(" ")[0]
        match act.trouble:
            case Trouble.EMPTY_BROKER:
                return "redis" if self.stack.broker and self.stack.broker.empty() else None
            case Trouble.FILL_DISK:
                return "disk" if self.stack.disk.fill(_FULL_SECONDS) else None
            case Trouble.CORRUPT_BLOB:
                return self._corrupt()
            case Trouble.KILL_BUILDER:
                return self._do_to_builder(act)
        kept = self._target(act)
        if kept is None:
            return None
        done = kept.kill() if word == "kill" else kept.stop(act.seconds)
        return kept.name if done else None

    def _target(self, act: Act) -> Kept | None:
        stack = self.stack
        match act.trouble:
            case Trouble.KILL_WORKER | Trouble.STOP_WORKER:
                return stack.workers[int(act.draw * len(stack.workers))]
            case Trouble.KILL_API:
                return stack.api
            case Trouble.KILL_CLEANER:
                return stack.cleaner
            case Trouble.KILL_RECONCILER | Trouble.STOP_RECONCILER:
                return stack.reconciler
            case Trouble.KILL_BROKER | Trouble.STOP_BROKER:
                return stack.broker.kept if stack.broker else None
        return stack.database.kept

    def _do_to_builder(self, act: Act) -> str | None:
        builders = self.stack.builders()
        if not builders:
            return None
        builder = builders[int(act.draw * len(builders))]
        with suppress(psutil.NoSuchProcess):
            builder.kill()
            return f"builder {builder.pid}"
        return None

    def _corrupt(self) -> str | None:
        """Changes a byte of an engine's plan; None while there is no engine, or nobody can say."""
        try:
            with Farm.open(self.stack.settings) as farm, farm.database.read() as session:
                digest = session.scalars(select(EngineRow.blob).order_by(EngineRow.created)).first()
        except TrtfarmError:
            return None
        if digest is None:
            return None
        digits = digest.removeprefix("sha256:")
        path = self.stack.disk.folder / "blobs" / "sha256" / digits[:2] / digits[2:]
        path.chmod(0o644)
        with path.open("r+b") as file:
            byte = file.read(1)[0]
            file.seek(0)
            file.write(bytes([byte ^ 1]))
        self._corrupted.add(digest)
        return digest

    def _opened(self) -> Farm:
        """The farm, as soon as its database answers: it may have been killed or stopped just now."""
        until = time.monotonic() + self._size.patience
        while True:
            self._look()
            try:
                return Farm.open(self.stack.settings)
            except TrtfarmError:
                if time.monotonic() > until:
                    raise

    def _until_ended(self, farm: Farm) -> None:
        """Returns when every client has handed in all it had, and every submission has ended, or when patience ends."""
        until = time.monotonic() + self._size.patience
        while time.monotonic() < until:
            self._look()
            with suppress(TrtfarmError):
                self._resume_workers(farm)
                if not any(client.process for client in self._clients) and not farm.submissions.active():
                    return

    def _resume_workers(self, farm: Farm) -> None:
        """As an operator would, when the trouble that had a worker quarantined is over."""
        for worker in list_workers(farm.database):
            if worker.alive and worker.state is WorkerState.QUARANTINED:
                set_state(farm.database, worker.id, WorkerState.READY)

    def _mend(self, farm: Farm) -> list[str]:
        """Removes damaged blobs and has the submissions that need them done again; tells what was not found."""
        with farm.database.read() as session:
            keys = {row.id: row.key for row in session.execute(select(EngineRow.id, EngineRow.key))}
        damaged = check_up(farm, repair=True).findings
        broken = {keys.get(name.partition(" ")[2]) for finding in damaged for name in finding.named_by}
        self.history.note("damaged", findings=[finding.as_dict() for finding in damaged])
        with farm.database.read() as session:
            needing = select(StepRow.submission_id).where(StepRow.key.in_(broken))
            requests = session.scalars(select(SubmissionRow.request).where(SubmissionRow.id.in_(needing))).all()
        for request in requests:
            farm.submit(SubmissionRequest.from_dict({k: v for k, v in request.items() if k != "fresh"}))
        self._until_ended(farm)
        unnoticed = self._corrupted - {finding.digest for finding in damaged}
        return [f"{digest} was corrupted, and nobody noticed" for digest in unnoticed]

    def _unsent(self) -> list[str]:
        sent = {line["order"] for line in self.history.of("accepted")}
        wanted = orders(self._size.seed, self._size.jobs)
        return [f"order {order.number} was never accepted" for order in wanted if order.number not in sent]
