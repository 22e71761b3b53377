"""`trtfarm up`: a farm's processes, kept running on this machine."""

from __future__ import annotations

import os
from collections.abc import Callable

from trtfarm.farm import Farm
from trtfarm.settings import Settings
from trtfarm_worker.app import make_app
from trtfarm_worker.processes import keep_running


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
