"""A bare Celery worker, set up as the farm's is, whose task does nothing but count itself.

Arguments: the broker's URL, the descriptor of a pipe that gets a byte when the worker is ready and one for each task
that is done, and how many threads do them.
"""

from __future__ import annotations

import os
import sys
import warnings
from typing import Any

from celery import Celery
from celery.platforms import SecurityWarning
from celery.signals import worker_ready

TASK = "bare.nothing"


def make_app(broker_url: str) -> Celery:
    app = Celery("bare", broker=broker_url)
    app.conf.update(
        broker_connection_retry_on_startup=True,
        task_ignore_result=True,
        task_serializer="json",
        accept_content=["json"],
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
    )
    return app


def main(broker_url: str, *, descriptor: int, concurrency: int) -> None:
    app = make_app(broker_url)

    @app.task(name=TASK, ignore_result=True)  # type: ignore[untyped-decorator]
    def nothing(_number: Any) -> None:
        os.write(descriptor, b".")

    @worker_ready.connect(weak=False)  # type: ignore[untyped-decorator]
    def ready(**_: Any) -> None:
        os.write(descriptor, b".")

    warnings.filterwarnings("ignore", category=SecurityWarning)  # of root, for the sake of pickled messages
    options = ["--without-gossip", "--without-mingle", "--without-heartbeat", f"--hostname={os.getpid()}@%h"]
    app.worker_main(
        ["--quiet", "worker", "--pool=threads", f"--concurrency={concurrency}", "--loglevel=ERROR", *options]
    )


if __name__ == "__main__":
    main(sys.argv[1], descriptor=int(sys.argv[2]), concurrency=int(sys.argv[3]))
