"""The long-running processes of a farm: the Celery worker, the reconciler, and `up`, which keeps both running."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from celery import Celery
from celery.bootsteps import StartStopStep
from celery.platforms import SecurityWarning
from celery.signals import worker_shutting_down

from trtfarm import routing
from trtfarm.errors import StorageError
from trtfarm.farm import Farm
from trtfarm.jobs.reconcile import publish, reconcile
from trtfarm.settings import Settings
from trtfarm.workers import forget_silent, ready_workers, slots_for
from trtfarm_worker.alive import WORKER
from trtfarm_worker.app import RUN_TASK, CeleryPublisher, make_app
from trtfarm_worker.attempt import Build
from trtfarm_worker.builder.supervisor import run_builder
from trtfarm_worker.gpus.keeper import GpuKeeper, keeper_of_host
from trtfarm_worker.hands import Hands
from trtfarm_worker.logs import log_to_stderr, logger
from trtfarm_worker.offers import current_offer
from trtfarm_worker.places import Places
from trtfarm_worker.presence import Presence, forget_dead
from trtfarm_worker.processes import end_with_manager, keep_running
from trtfarm_worker.runner import Runner
from trtfarm_worker.standing import Standing
from trtfarm_worker.toolchains.probe import probed
from trtfarm_worker.toolchains.registry import ToolchainRegistry
from trtfarm_worker.toolchains.toolchain import ToolchainKind
from trtfarm_worker.toolchains.trials import untried

_log = logger()
#: How long the job of a worker that was killed waits at most until it is free.
_RECONCILE_SECONDS = 2.0


def work(settings: Settings, *, build: Build = run_builder) -> bool:
    """Runs jobs until SIGTERM; those that run then go back to the queue. True if it left because it was drained."""
    registry, keeper, standing = ToolchainRegistry(settings.home), keeper_of_host(settings.gpu_memory_bytes), Standing()
    try_toolchains(registry, keeper)
    places, slots = Places(settings.slots, lambda: keeper), settings.slots + len(keeper.gpus)
    with (
        Farm.open(settings) as farm,
        Presence(
            farm,
            WORKER,
            offer=lambda: current_offer(registry.toolchains(), places, settings.worker_labels),
            slots=slots,
        ) as presence,
    ):
        app, publish_all = make_app(settings), _publisher(farm, settings)
        runner = Runner(
            farm,
            presence.owner,
            registry.toolchains,
            publish=publish_all,
            places=places,
            standing=standing,
            build=build,
        )
        hands = Hands(farm, presence.owner, runner, standing, keeper)
        capabilities = runner.offer().capabilities

        def ready() -> None:
            hands.begin()
            _log.info("worker is up", worker=presence.owner, offers=" ".join(capabilities))

        _serve(app, hands, runner, ready)
        # Celery warns of root for the sake of pickled messages; ours are JSON.
        warnings.filterwarnings("ignore", category=SecurityWarning)
        with hands:
            queues = routing.queues_of(capabilities, settings.worker_labels)
            app.worker_main(_celery_arguments(presence.owner, slots, queues))
        return hands.drained


def _celery_arguments(owner: str, slots: int, queues: Sequence[str]) -> list[str]:
    return [
        "--quiet",  # no banner on stdout
        "worker",
        "--pool=threads",
        f"--concurrency={slots}",
        f"--queues={','.join(queues)}",
        "--loglevel=WARNING",
        "--without-gossip",
        "--without-mingle",
        "--without-heartbeat",
        f"--hostname={owner}@%h",
    ]


def try_toolchains(registry: ToolchainRegistry, keeper: GpuKeeper) -> None:
    """Finds out what each TensorRT does on models of GPU, or under drivers, that it was not tried on yet."""
    for toolchain in registry.toolchains():
        models = untried(toolchain, keeper) if toolchain.kind is ToolchainKind.TENSORRT else []
        if models:
            _log.info("toolchain is tried", toolchain=toolchain.name, gpus=models)
            registry.put(probed(toolchain, keeper=lambda: keeper, again=False))


def _serve(app: Celery, hands: Hands, runner: Runner, ready: Callable[[], None]) -> None:
    @app.task(name=RUN_TASK, ignore_result=True)  # type: ignore[untyped-decorator]
    def run(_job_id: str) -> None:
        hands.work()

    # Weak, as Celery's signals are by default, the handler would be gone at once.
    @worker_shutting_down.connect(weak=False)  # type: ignore[untyped-decorator]
    def stop(**_: Any) -> None:
        runner.stop()

    class Begin(StartStopStep):  # type: ignore[misc]
        """Comes when the worker hears SIGTERM, and before it connects: jobs are done without a broker, too."""

        requires = ("celery.worker.components:Pool",)

        def start(self, _worker: Any) -> None:
            ready()

    app.steps["worker"].add(Begin)


def _publisher(farm: Farm, settings: Settings) -> Callable[[Sequence[str]], None]:
    tell = CeleryPublisher(settings)

    def publish_all(job_ids: Sequence[str]) -> None:
        if job_ids:
            publish(farm.jobs, tell, farm.jobs.queued(job_ids))

    return publish_all


def keep_reconciled(settings: Settings) -> None:
    """Puts right what crashes and lost messages left behind, every 2 s, until SIGTERM."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    tell = CeleryPublisher(settings)
    with Farm.open(settings) as farm:
        _log.info("reconciler is up")
        while True:
            try:
                _put_right(farm, tell)
            except StorageError as error:
                _log.warning("not reconciled, tried again", error=error.message, cause=error.cause)
            if ended.wait(_RECONCILE_SECONDS):
                return


def _put_right(farm: Farm, tell: CeleryPublisher) -> None:
    farm.sweep()
    forget_dead(farm)
    with farm.database.write() as session:
        forget_silent(session)
    ready = ready_workers(farm.database)

    repairs = reconcile(farm.jobs, tell, slots=lambda need: slots_for(need, ready), advance=farm.advance)
    if repairs.expired or repairs.hinted:
        _log.info("reconciled", **{name: len(value) for name, value in asdict(repairs).items()})


def up(settings: Settings, tell: Callable[[str], None], *, drained_code: int, api_port: int | None = None) -> None:
    """Keeps a worker and a reconciler, and perhaps the HTTP API, running on this machine until SIGTERM or Ctrl-C.

    A worker that ends with the exit code `drained_code` is not started again. Raises what neither could begin with: a
    database or a broker that cannot be used.
    """
    Farm.open(settings).close()  # the database is made once, here, not by both at the same time
    make_app(settings)
    program = ["-m", "trtfarm_cli"]
    programs = {"worker": [], "reconciler": [], **({} if api_port is None else {"api": ["--port", str(api_port)]})}
    keep_running(
        {name: [*program, name, *more] for name, more in programs.items()},
        environment={
            **os.environ,
            "TRTFARM_HOME": str(settings.home),
            "TRTFARM_WORKER_LABELS": ",".join(settings.worker_labels),
        },
        tell=tell,
        left_code=drained_code,
    )


def settle() -> None:
    """What a process that stays needs: garbage collection, which short commands do without, a log, and an end."""
    gc.freeze()  # what is loaded by now stays
    gc.enable()
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # Celery tells of its shutdown on stdout, which is for data
    end_with_manager()
    log_to_stderr()
