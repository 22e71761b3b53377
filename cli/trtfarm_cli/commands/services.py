"""`trtfarm up`, `worker`, `reconciler` and `api`: the processes that stay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from trtfarm.errors import ToolchainError, UsageError
from trtfarm_cli import exits, output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trtfarm.farm import Farm
    from trtfarm.settings import Settings
    from trtfarm_api.choosing import Choose, Chosen, Wanted


_API_PORT = 8470
_LARGEST_PORT = 65535
WorkerLabels = Annotated[
    list[str] | None,
    typer.Option("--label", metavar="KEY=VALUE", help="What jobs can require of this worker; repeatable."),
]
ApiPort = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=_LARGEST_PORT,
        help=f"Port of the API, which runs then; 0 takes any. {_API_PORT} unless told otherwise.",
    ),
]


def register(app: typer.Typer) -> None:
    app.command()(up)
    app.command()(worker)
    app.command()(reconciler)
    app.command()(api)


def up(
    *,
    with_api: Annotated[bool, typer.Option("--api", help="Keep the HTTP API running, too, on 127.0.0.1.")] = False,
    api_port: ApiPort = None,
    label: WorkerLabels = None,
) -> None:
    """Keeps a worker and the reconciler running here.

    Until Ctrl-C or SIGTERM; what dies is started again.
    """
    from trtfarm_worker.local_farm import up as keep_up
    from trtfarm_worker.staying import settle

    settings = _settings(label)
    settle()
    port = _API_PORT if with_api and api_port is None else api_port
    keep_up(settings, output.say, drained_code=exits.DRAINED, api_port=port)


def worker(*, label: WorkerLabels = None) -> None:
    """Runs the jobs that this host can do.

    Until Ctrl-C or SIGTERM, when unfinished jobs go back to the queue, or until it is drained (exit code 20).
    """
    from trtfarm_worker.celery_worker import work
    from trtfarm_worker.staying import settle

    settings = _settings(label)
    settle()
    if work(settings):
        raise typer.Exit(exits.DRAINED)


def reconciler() -> None:
    """Puts right what crashes and lost messages leave behind.

    Until Ctrl-C or SIGTERM.
    """
    from trtfarm.settings import Settings
    from trtfarm_worker.reconciler import keep_reconciled
    from trtfarm_worker.staying import settle

    settle()
    keep_reconciled(Settings.from_environment())


def api(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=_LARGEST_PORT, help="Port to listen on; 0 takes any.")] = _API_PORT,
) -> None:
    """Answers HTTP requests.

    Until Ctrl-C or SIGTERM. An address that others reach needs tokens: `trtfarm tokens create`.
    """
    from trtfarm.settings import Settings
    from trtfarm_worker.staying import settle

    try:
        from trtfarm_api.server import serve
    except ModuleNotFoundError as error:
        raise UsageError(
            "the HTTP API is not installed", cause=str(error), remedy="pip install 'trtfarm[api]'"
        ) from error
    settle()
    serve(Settings.from_environment(), host=host, port=port, announce=_announce, choose=_choose, tell=output.say)


def _settings(labels: Sequence[str] | None) -> Settings:
    """Those of the environment, with the labels of the command line where there are any."""
    from dataclasses import replace

    from trtfarm.requirements import MOST_LABELS, labels_of
    from trtfarm.settings import Settings

    settings = Settings.from_environment()
    return replace(settings, worker_labels=labels_of(labels, most=MOST_LABELS)) if labels else settings


def _announce(farm: Farm, job_ids: Sequence[str]) -> None:
    from trtfarm_worker.inline import announce

    announce(farm, job_ids, wanted=True)


def _choose(farm: Farm) -> Choose:
    """Chooses for the API's clients, who do not know what the workers have."""
    from trtfarm.targets import BuildTarget
    from trtfarm.workers import list_workers
    from trtfarm_api.choosing import Chosen
    from trtfarm_worker.elsewhere import toolchains_of
    from trtfarm_worker.toolchains.choice import choose, stands_in

    def chosen(wanted: Wanted) -> Chosen:
        target, precision = wanted.compute_capability, wanted.precision
        workers = list_workers(farm.database, left=True)
        asked: dict[str, Any] = {"target": target, "precision": precision, "version": wanted.tensorrt}
        try:
            best = choose(toolchains_of(worker for worker in workers if worker.ready), **asked)
        except ToolchainError:  # those who are away may come back
            best = choose(toolchains_of(workers), **asked)
        return Chosen(
            target=BuildTarget(compute_capability=str(target), toolchain=best.kind.value, tensorrt=best.version),
            rest_in_float16=stands_in(best, target, precision) is not None,
        )

    return chosen
