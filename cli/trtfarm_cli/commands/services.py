"""`trtfarm up`, `worker` and `reconciler`: the processes that stay."""

from __future__ import annotations

import typer

from trtfarm_cli import output


def register(app: typer.Typer) -> None:
    app.command()(up)
    app.command()(worker)
    app.command()(reconciler)


def up() -> None:
    """Keeps a worker and the reconciler running here.

    Until Ctrl-C or SIGTERM; what dies is started again.
    """
    from trtfarm.settings import Settings
    from trtfarm_worker import service

    service.settle()
    service.up(Settings.from_environment(), output.say)


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
