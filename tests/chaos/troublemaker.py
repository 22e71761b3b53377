"""Who does to a farm what a campaign has planned."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import psutil
import psycopg
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.chaos.blob_files import BlobFiles
from tests.chaos.history import History
from tests.chaos.operators import Operator
from tests.chaos.processes import Kept
from tests.chaos.stack import LEASE_SECONDS, Stack
from tests.chaos.troubles import Act, Trouble
from trtfarm.actions import ActionKind
from trtfarm.database.schema import EngineRow, JobRow, QuantizationRow
from trtfarm.errors import TrtfarmError
from trtfarm.farm import Farm
from trtfarm.jobs.state import JobState

#: Asked so often that opening the farm would take too long.
_OF_HANDS = """
SELECT workers.pid FROM workers JOIN jobs ON jobs.owner = workers.id
WHERE jobs.state = 'running' GROUP BY workers.pid HAVING count(*) > 1
"""
_FULL_SECONDS = 3.0
_OF_BROKER = {Trouble.KILL_BROKER, Trouble.STOP_BROKER, Trouble.EMPTY_BROKER}


class Troublemaker:
    """Does one thing after the other; `look` ends those that are to end."""

    def __init__(self, stack: Stack, clients: Sequence[Kept], history: History) -> None:
        #: Digests of blobs that were damaged.
        self.corrupted: set[str] = set()
        self.operator = Operator(stack.settings, history)
        self._stack = stack
        self._clients = clients
        self._history = history
        self._blobs = BlobFiles(stack.settings)
        self._stopped: list[tuple[float, psutil.Process]] = []
        self._special: Mapping[Trouble, Callable[[Act], str | None]] = {
            Trouble.KILL_BUILDER: self._do_to_builder,
            Trouble.STOP_BUILDER: self._do_to_builder,
            Trouble.OUTLAST_LEASE: self._outlast_lease,
            Trouble.KILL_HAND: lambda _act: self._do_to_hand(Kept.kill),
            Trouble.OUTLAST_HAND: lambda _act: self._do_to_hand(lambda worker: worker.stop(2 * LEASE_SECONDS)),
            Trouble.EMPTY_BROKER: self._empty_broker,
            Trouble.FILL_DISK: self._fill_disk,
            Trouble.CORRUPT_BLOB: lambda _act: self._corrupt(_oldest_plan),
            Trouble.CORRUPT_NEED: lambda _act: self._corrupt(_model_about_to_be_built),
            Trouble.PAUSE_WORKER: lambda act: self.operator.pause(act.draw, act.seconds),
            Trouble.DRAIN_WORKER: lambda act: self.operator.drain(act.draw),
            Trouble.CANCEL_JOB: lambda act: self.operator.cancel(act.draw, act.seconds),
            Trouble.PIN_ENGINE: lambda act: self.operator.pin(act.draw),
        }

    def possible(self, trouble: Trouble) -> bool:
        """Whether this machine has what it takes."""
        if trouble in _OF_BROKER:
            return self._stack.broker is not None
        return trouble is not Trouble.FILL_DISK or self._stack.disk.mounted

    def look(self) -> None:
        """Ends what is to end: lets builders go on, frees the disk, and so on."""
        self._stack.disk.look()
        self.operator.look()
        due = [(until, builder) for until, builder in self._stopped if time.monotonic() >= until]
        for stopped in due:
            self._stopped.remove(stopped)
            _send(stopped[1], signal.SIGCONT)

    def do(self, act: Act) -> str | None:
        """Does it; what it was done to, or None where there is nothing to do it to now, or nobody can say."""
        special = self._special.get(act.trouble)
        if special is not None:
            with suppress(TrtfarmError):
                return special(act)
            return None
        kept = self._target(act)
        if kept is None:
            return None
        done = kept.kill() if act.trouble.startswith("kill") else kept.stop(act.seconds)
        return kept.name if done else None

    def _target(self, act: Act) -> Kept | None:
        """The program that is killed or stopped."""
        stack = self._stack
        return {
            "worker": stack.workers[int(act.draw * len(stack.workers))],
            "api": stack.api,
            "client": self._sending(),
            "cleaner": stack.cleaner,
            "reconciler": stack.reconciler,
            "broker": stack.broker.kept if stack.broker else None,
            "postgresql": stack.database.kept,
        }[act.trouble.partition(" ")[2]]

    def _empty_broker(self, _act: Act) -> str | None:
        broker = self._stack.broker
        return broker.kept.name if broker and broker.empty() else None

    def _fill_disk(self, _act: Act) -> str | None:
        return "disk" if self._stack.disk.fill(_FULL_SECONDS) else None

    def _sending(self) -> Kept | None:
        """A client in the midst of an upload or of a submission."""
        accepted = {line["key"] for line in self._history.of("accepted")}
        sending = {line["client"] for line in self._history.of("sent") if line["key"] not in accepted}
        return next((self._clients[number] for number in sending if self._clients[number].process), None)

    def _do_to_builder(self, act: Act) -> str | None:
        builders = self._stack.builders()
        if not builders:
            return None
        builder = builders[int(act.draw * len(builders))]
        if act.trouble is Trouble.KILL_BUILDER:
            done = _send(builder, signal.SIGKILL)
        elif done := _send(builder, signal.SIGSTOP):
            self._stopped.append((time.monotonic() + act.seconds, builder))
        return f"builder {builder.pid}" if done else None

    def _outlast_lease(self, _act: Act) -> str | None:
        busy = (worker for worker in self._stack.workers if worker.children())
        return next((worker.name for worker in busy if worker.stop(2 * LEASE_SECONDS)), None)

    def _do_to_hand(self, do: Callable[[Kept], bool]) -> str | None:
        """To a worker that has more jobs than slots."""
        with suppress(psycopg.OperationalError), psycopg.connect(self._stack.database.url) as connection:
            pids = {pid for (pid,) in connection.execute(_OF_HANDS)}
            hands = (kept for kept in self._stack.workers if kept.process and kept.process.pid in pids)
            return next((worker.name for worker in hands if do(worker)), None)
        return None

    def _corrupt(self, choose: Callable[[Session], str | None]) -> str | None:
        """Damages the blob that is chosen; None while there is none."""
        with Farm.open(self._stack.settings) as farm, farm.database.read() as session:
            digest = choose(session)
        if digest is None or not self._blobs.damage(digest):
            return None
        self.corrupted.add(digest)
        return digest


def _oldest_plan(session: Session) -> str | None:
    return session.scalars(select(EngineRow.blob).order_by(EngineRow.created)).first()


def _model_about_to_be_built(session: Session) -> str | None:
    """The quantised model of a build that waits for a worker."""
    waiting = select(JobRow.request).where(JobRow.state == JobState.QUEUED, JobRow.kind == ActionKind.BUILD)
    for request in session.scalars(waiting):
        if request["quantization_id"]:
            return session.scalar(select(QuantizationRow.blob).where(QuantizationRow.id == request["quantization_id"]))
    return None


def _send(process: psutil.Process, number: signal.Signals) -> bool:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)
        return True
    return False
