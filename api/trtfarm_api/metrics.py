"""Figures for Prometheus: what the farm has to do, and what this process answers."""

from __future__ import annotations

import time
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from trtfarm.database.schema import SubmissionRow
from trtfarm.database.session import Database
from trtfarm.jobs.demand import demand
from trtfarm.jobs.state import SubmissionState
from trtfarm.workers import WorkerState, list_workers, state_word

#: Seconds; from a hit in a list to the upload of a large piece.
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120)
#: Clients make up others, and each label is kept for ever.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_FAILED = 500
_OF_EVERY_ROUTE = ("method", "route")
#: Name of a figure -> the field of a capability's demand, and what it is.
_BY_CAPABILITY = {
    "trtfarm_jobs_queued": ("queued", "Jobs that wait for a worker with a capability."),
    "trtfarm_jobs_running": ("running", "Jobs that run on a worker with a capability."),
    "trtfarm_jobs_oldest_wait_seconds": ("oldest_wait", "Seconds that the job which has waited longest has."),
    "trtfarm_worker_slots": ("slots", "Jobs that the ready workers with a capability run at once."),
}


class Requests:
    """What this process has answered."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.answered = Counter(
            "trtfarm_http_requests", "Requests answered.", (*_OF_EVERY_ROUTE, "status"), registry=self.registry
        )
        self.seconds = Histogram(
            "trtfarm_http_request_seconds",
            "Seconds until the answer began.",
            _OF_EVERY_ROUTE,
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.active = Gauge("trtfarm_http_requests_active", "Requests being answered.", registry=self.registry)


class Measuring:
    """Middleware that counts requests by the route that answered them; what has no route is one."""

    def __init__(self, app: ASGIApp, requests: Requests) -> None:
        self._app = app
        self._requests = requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, answered = time.monotonic(), False

        def count(status: int) -> None:
            nonlocal answered
            answered = True
            method = scope["method"] if scope["method"] in _METHODS else "other"
            labels = method, getattr(scope.get("route"), "path", "none")
            self._requests.answered.labels(*labels, str(status)).inc()
            self._requests.seconds.labels(*labels).observe(time.monotonic() - begun)

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                count(message["status"])
            await send(message)

        with self._requests.active.track_inprogress():
            try:
                await self._app(scope, receive, counted)
            except Exception:
                if not answered:  # somebody further out does
                    count(_FAILED)
                raise


class _FarmCollector(Collector):
    """Asked for at each scrape, so that a farm costs nothing while nobody looks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def collect(self) -> Iterable[Metric]:
        found = demand(self._database)
        for name, (field, words) in _BY_CAPABILITY.items():
            metric = GaugeMetricFamily(name, words, labels=["capability", "labels", "gpu_memory_gib"])
            for one in found:
                kind = [one.capability, ",".join(one.labels), str(one.gpu_memory_gib)]
                metric.add_metric(kind, getattr(one, field))
            yield metric
        yield self._workers()
        yield self._submissions()

    def _workers(self) -> Metric:
        metric = GaugeMetricFamily("trtfarm_workers", "Workers, by state.", labels=["state"])
        states: dict[str, int] = {}
        for worker in list_workers(self._database, left=True):
            if worker.state is WorkerState.LEFT:
                continue
            state = state_word(worker.state.value, alive=worker.alive)
            states[state] = states.get(state, 0) + 1
        for state, count in states.items():
            metric.add_metric([state], count)
        return metric

    def _submissions(self) -> Metric:
        active = select(func.count()).select_from(SubmissionRow).where(SubmissionRow.state == SubmissionState.ACTIVE)
        with self._database.read() as session:
            count = session.scalar(active) or 0
        return GaugeMetricFamily("trtfarm_submissions_active", "Submissions that have something to do.", value=count)


def text_of(database: Database, requests: Requests) -> bytes:
    """Everything in Prometheus's text format."""
    registry = CollectorRegistry()
    registry.register(_FarmCollector(database))
    return generate_latest(registry) + generate_latest(requests.registry)
