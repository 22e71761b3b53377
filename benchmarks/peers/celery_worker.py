"""A bare Celery worker, set up as the farm's is, whose task does nothing.

Arguments: the broker's URL, the descriptor of a pipe that gets a byte when the worker is ready and one for each task
that is done, how many threads do them, and perhaps the URL of a database for their results.
"""

from __future__ import annotations

import os
import sys
import warnings
from typing import Any

from celery import Celery
from celery.platforms import SecurityWarning
from celery.signals import task_postrun, worker_ready

TASK = "bare.nothing"


def make_app(broker_url: str, results_url: str | None) -> Celery:
    """The app; it keeps the results of its tasks in a database, or nowhere."""
    app = Celery("bare", broker=broker_url, backend=results_url)
    app.conf.update(
        broker_connection_retry_on_startup=True,
        task_ignore_result=results_url is None,
        task_serializer="json",
        accept_content=["json"],
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
    )
    return app


def main(broker_url: str, results_url: str | None, *, descriptor: int, concurrency: int) -> None:
    app = make_app(broker_url, results_url)

    @app.task(name=TASK)  # type: ignore[untyped-decorator]
    def nothing(_number: int) -> None:
        pass

    # The second comes when the task's result is kept.
    @worker_ready.connect(weak=False)  # type: ignore[untyped-decorator]
    @task_postrun.connect(weak=False)  # type: ignore[untyped-decorator]
    def tell(**_: Any) -> None:
        os.write(descriptor, b".")

    warnings.filterwarnings("ignore", category=SecurityWarning)  # of root, for the sake of pickled messages
    options = ["--without-gossip", "--without-mingle", "--without-heartbeat", f"--hostname={os.getpid()}@%h"]
    app.worker_main(
        ["--quiet", "worker", "--pool=threads", f"--concurrency={concurrency}", "--loglevel=ERROR", *options]
    )


if __name__ == "__main__":
    broker, pipe, threads, *results = sys.argv[1:]
    main(broker, next(iter(results), None), descriptor=int(pipe), concurrency=int(threads))
