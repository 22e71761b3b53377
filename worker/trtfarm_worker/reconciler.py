"""The reconciler: a process that puts right what crashes and lost messages left behind."""

from __future__ import annotations

import signal
import threading
from dataclasses import asdict

from trtfarm.errors import StorageError
from trtfarm.farm import Farm
from trtfarm.jobs.lenience import Lenience
from trtfarm.jobs.reconcile import Publisher, reconcile
from trtfarm.settings import Settings
from trtfarm.workers import forget_silent, ready_workers, slots_for
from trtfarm_worker.app import CeleryPublisher
from trtfarm_worker.logs import logger
from trtfarm_worker.presence import forget_dead
from trtfarm_worker.processes import LAST_SECONDS

_log = logger()
#: How long the job of a worker that was killed waits at most until it is free.
_RECONCILE_SECONDS = 2.0


def keep_reconciled(settings: Settings) -> None:
    """Puts right what crashes and lost messages left behind, every 2 s, until SIGTERM."""
    ended = threading.Event()
    tell = CeleryPublisher(settings)
    with Farm.open(settings) as farm:

        def end(*_: object) -> None:
            ended.set()
            farm.database.give_up_in(LAST_SECONDS)

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, end)
        lenience = Lenience(settings.lease_seconds)
        _log.info("reconciler is up")
        while True:
            try:
                put_right(farm, tell, lenience)
            except StorageError as error:
                _log.warning("not reconciled, tried again", error=error.message, cause=error.cause)
            if ended.wait(_RECONCILE_SECONDS):
                return


def put_right(farm: Farm, tell: Publisher, lenience: Lenience) -> None:
    """One round. Raises StorageError."""
    farm.sweep()
    forget_dead(farm)
    with farm.database.write() as session:
        forget_silent(session)
    ready = ready_workers(farm.database)
    repairs = reconcile(
        farm.jobs,
        tell,
        slots=lambda need: slots_for(need, ready),
        advance=farm.advance,
        expire=lenience.over(),
    )
    lenience.reached()
    if repairs.expired or repairs.hinted:
        _log.info("reconciled", **{name: len(value) for name, value in asdict(repairs).items()})
