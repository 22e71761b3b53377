"""`trtfarm up`, `worker`, `reconciler` and `api`: the processes that stay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from trtfarm.errors import UsageError
from trtfarm_cli import output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trtfarm.farm import Farm


def register(app: typer.Typer) -> None:
    app.command()(up)
    app.command()(worker)
    app.command()(reconciler)
    app.command()(api)


def up(
    *, with_api: Annotated[bool, typer.Option("--api", help="Keep the HTTP API running, too, on 127.0.0.1.")] = False
) -> None:
    """Keeps a worker and the reconciler running here.

    Until Ctrl-C or SIGTERM; what dies is started again.
    """
    from trtfarm.settings import Settings
    from trtfarm_worker import service

    service.settle()
    service.up(Settings.from_environment(), output.say, api=with_api)


def worker() -> None:
    """Runs jobs as the broker names them.

    Until Ctrl-C or SIGTERM; unfinished jobs go back to the queue.
    """
    from trtfarm.settings import Settings
    from trtfarm_worker import service

    service.settle()
    service.work(Settings.from_environment())


def reconciler() -> None:
    """Puts right what crashes and lost messages leave behind.

    Until Ctrl-C or SIGTERM.
    """
    from trtfarm.settings import Settings
    from trtfarm_worker import service

    service.settle()
    service.keep_reconciled(Settings.from_environment())


def api(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes any.")] = 8470,
) -> None:
    """Answers HTTP requests.

    Until Ctrl-C or SIGTERM. An address that others reach needs tokens: `trtfarm tokens create`.
    """
    from trtfarm.settings import Settings
    from trtfarm_worker import service

    try:
        from trtfarm_api.server import serve
    except ModuleNotFoundError as error:
        raise UsageError(
            "the HTTP API is not installed", cause=str(error), remedy="pip install 'trtfarm[api]'"
        ) from error
    service.settle()
    serve(Settings.from_environment(), host=host, port=port, announce=_announce, tell=output.say)


def _announce(farm: Farm, job_ids: Sequence[str]) -> None:
    from trtfarm_worker.inline import announce

    announce(farm, job_ids, wanted=True)
