"""A campaign: a farm of real processes, clients that submit, troubles meanwhile, and a look at what is left."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import select

from tests.chaos import witness
from tests.chaos.blob_files import BlobFiles
from tests.chaos.checks import RESULTS, Verdict, failures, judge
from tests.chaos.history import History
from tests.chaos.operators import submit_again
from tests.chaos.orders import orders
from tests.chaos.processes import Kept
from tests.chaos.stack import PROJECTS, Stack
from tests.chaos.tables import other_tables
from tests.chaos.troublemaker import Troublemaker
from tests.chaos.troubles import OF_WORK, ONCE, Act, Trouble, plan
from trtfarm.database.schema import StepRow, SubmissionRow
from trtfarm.errors import TrtfarmError
from trtfarm.farm import Farm
from trtfarm.retention.checkup import check_up
from trtfarm.workers import WorkerState, list_workers, ready_workers, set_state

_LOOK_SECONDS = 0.1
#: How soon what died is started again.
_AGAIN_SECONDS = 1.0
#: How soon a trouble is tried again that had nothing to be done to.
_RETRY_SECONDS = 0.2
#: What a submission may take on the small disk.
_BYTES_OF_A_JOB = 4 << 20
#: What engines may take, for each job: some of them go to clean-up.
_ENGINE_BYTES_OF_A_JOB = 384 << 10


@dataclass(frozen=True, kw_only=True)
class Size:
    """How large a campaign is; `seconds` is how long the troubles last, `patience` how long it may take to end then."""

    jobs: int
    seconds: float
    kills: int
    workers: int
    clients: int
    seed: int
    broker: str = "redis"
    patience: float = 600.0


class Campaign:
    """One campaign in a folder of its own; `run` once."""

    def __init__(self, folder: Path, size: Size, tell: Callable[[str], None]) -> None:
        self.history = History(folder / "history.jsonl")
        self.stack = Stack(
            folder,
            broker=size.broker,
            workers=size.workers,
            disk_bytes=(64 << 20) + size.jobs * _BYTES_OF_A_JOB,
            engine_bytes=size.jobs * _ENGINE_BYTES_OF_A_JOB,
        )
        self.kills = 0
        self._size = size
        self._tell = tell
        self._clients: list[Kept] = []
        self._troublemaker = Troublemaker(self.stack, self._clients, self.history)
        #: What was not to be had on this machine, or had nothing to be done to.
        self.left_out: set[Trouble] = set()
        #: What the database has noted, when all has ended.
        self.seen: Sequence[witness.Seen] = ()

    def run(self) -> Verdict:
        """The verdict, when all has ended or patience has run out."""
        size, stack = self._size, self.stack
        try:
            stack.start()
            self._until_workers_are_up()
            self._start_clients()
            self._trouble(plan(size.seed, size.seconds, size.kills))
            with self._opened() as farm:
                self._until_ended(farm)
                self.stack.cleaner.retire()  # nothing may change while it is looked at
                unnoticed = self._mend(farm)
                limits = {name: share.max_running for name, share in PROJECTS.items() if share.max_running}
                self.seen = witness.heard(stack.database.url)
                verdict = judge(farm, self.history, self.seen, limits)
                verdict.corrupt += other_tables(farm)
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
        return Counter(line["trouble"] for line in self.history.of("trouble"))

    def _start_clients(self) -> None:
        size, begun = self._size, time.time()
        for share in range(size.clients):
            words = (size.seed, size.jobs, share, size.clients, begun, size.seconds)
            client = self.stack.client(share, str(self.history.path), *map(str, words))
            client.start()
            self._clients.append(client)

    def _trouble(self, acts: list[Act]) -> None:
        """Does what is planned; what there is nothing to do to yet is tried again, and some of it until it is done."""
        size, troublemaker = self._size, self._troublemaker
        self.left_out |= {act.trouble for act in acts if not troublemaker.possible(act.trouble)}
        begun, ahead = time.monotonic(), deque(act for act in acts if act.trouble not in self.left_out)
        while (now := time.monotonic() - begun) < size.seconds + size.patience:
            ending = now >= size.seconds and {act.trouble for act in ahead} <= OF_WORK
            if ending and (not ahead or self._idle()):
                break
            self._look()
            if not ahead or now < ahead[0].at:
                continue
            act = ahead.popleft()
            did = troublemaker.do(act)
            if did is not None:
                self.history.note("trouble", trouble=act.trouble, did=did)
                self.kills += act.trouble.startswith(("kill", "stop", "outlast"))
            elif act.trouble in ONCE or now < size.seconds:
                ahead = deque(sorted([*ahead, replace(act, at=now + _RETRY_SECONDS)], key=lambda act: act.at))
        self.left_out |= {act.trouble for act in ahead}

    def _look(self) -> None:
        """What is due now: to be started again, to go on, to be freed."""
        for kept in self.stack.kept():
            kept.look(_AGAIN_SECONDS)
        for client in self._clients:
            if client.killed:
                client.look(_AGAIN_SECONDS)
        self._troublemaker.look()
        time.sleep(_LOOK_SECONDS)

    def _until_workers_are_up(self) -> None:
        """What requires a label is refused as long as no worker has been there that has it."""
        with Farm.open(self.stack.settings) as farm:
            while len(ready_workers(farm.database)) < self._size.workers:
                self._look()

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
                if self._ended(farm):
                    return

    def _ended(self, farm: Farm) -> bool:
        if any(client.process or client.killed for client in self._clients) or not self._troublemaker.operator.done:
            return False
        draining = any(one.alive and one.state is WorkerState.DRAINING for one in list_workers(farm.database))
        return not draining and not farm.submissions.active()

    def _idle(self) -> bool:
        """Whether there is nothing left that anything could be done to."""
        with suppress(TrtfarmError), Farm.open(self.stack.settings) as farm:
            return self._ended(farm)
        return False

    def _resume_workers(self, farm: Farm) -> None:
        """As an operator would, when the trouble that had a worker quarantined is over."""
        for worker in list_workers(farm.database):
            if worker.alive and worker.state is WorkerState.QUARANTINED:
                set_state(farm.database, worker.id, WorkerState.READY)

    def _mend(self, farm: Farm) -> list[str]:
        """Removes damaged blobs and has the submissions that need them done again; tells what was not found."""
        files = BlobFiles(farm.settings)
        wrong = {digest for digest in self._troublemaker.corrupted if files.damaged(digest)}
        damaged = check_up(farm, repair=True).findings
        self.history.note("damaged", findings=[finding.as_dict() for finding in damaged])
        broken = {name for finding in damaged for name in finding.named_by}
        with farm.database.read() as session:
            rows = {
                f"{kind.__tablename__} {row.id}": row.key for kind in RESULTS for row in session.scalars(select(kind))
            }
            keys = {rows[name] for name in broken & rows.keys()}
            needing = select(StepRow.submission_id).where(StepRow.key.in_(keys))
            wanting = session.scalars(select(SubmissionRow).where(SubmissionRow.id.in_(needing))).all()
        for row in wanting:
            submit_again(farm, row)
        self._until_ended(farm)
        unnoticed = wrong - {finding.digest for finding in damaged}
        return [f"{digest} was corrupted, and nobody noticed" for digest in unnoticed]

    def _unsent(self) -> list[str]:
        sent = {line["key"] for line in self.history.of("accepted")}
        wanted = orders(self._size.seed, self._size.jobs)
        return [f"{key} was never accepted" for order in wanted for key in order.keys if key not in sent]
