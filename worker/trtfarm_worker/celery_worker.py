"""The Celery worker: a process that does the jobs that come, told of them by messages or by looking."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

from celery import Celery
from celery.bootsteps import StartStopStep
from celery.platforms import SecurityWarning
from celery.signals import worker_shutting_down

from trtfarm import routing
from trtfarm.farm import Farm
from trtfarm.jobs.reconcile import publish
from trtfarm.settings import Settings
from trtfarm_worker.alive import WORKER
from trtfarm_worker.app import RUN_TASK, CeleryPublisher, make_app
from trtfarm_worker.attempt import Build
from trtfarm_worker.builder.supervisor import run_builder
from trtfarm_worker.gpus.keeper import GpuKeeper, keeper_of_host
from trtfarm_worker.hands import Hands
from trtfarm_worker.logs import logger
from trtfarm_worker.offers import current_offer
from trtfarm_worker.places import Places
from trtfarm_worker.presence import Presence
from trtfarm_worker.processes import LAST_SECONDS
from trtfarm_worker.runner import Runner
from trtfarm_worker.standing import Standing
from trtfarm_worker.toolchains.probe import probed
from trtfarm_worker.toolchains.registry import ToolchainRegistry
from trtfarm_worker.toolchains.toolchain import ToolchainKind
from trtfarm_worker.toolchains.trials import untried

_log = logger()


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

        def stop() -> None:
            runner.stop()
            farm.database.give_up_in(LAST_SECONDS)

        _serve(app, hands, ready, stop)
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


def _serve(app: Celery, hands: Hands, ready: Callable[[], None], stop: Callable[[], None]) -> None:
    @app.task(name=RUN_TASK, ignore_result=True)  # type: ignore[untyped-decorator]
    def run(_job_id: str) -> None:
        hands.work()

    # Weak, as Celery's signals are by default, the handler would be gone at once.
    @worker_shutting_down.connect(weak=False)  # type: ignore[untyped-decorator]
    def shut_down(**_: Any) -> None:
        stop()

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
            publish(farm.jobs, tell, farm.jobs.hints.queued(job_ids))

    return publish_all
