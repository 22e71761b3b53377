"""The app: routes, error handlers and middleware over one farm."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread
from fastapi import FastAPI

import trtfarm
from trtfarm.errors import TrtfarmError
from trtfarm.farm import Farm
from trtfarm_api import heavy, problems
from trtfarm_api.auditing import Auditing
from trtfarm_api.changes import Changes
from trtfarm_api.limits import Limiting
from trtfarm_api.metrics import Measuring, Requests
from trtfarm_api.operations import Operations
from trtfarm_api.readiness import Readiness
from trtfarm_api.routes import (
    audit,
    blobs,
    bundles,
    datasets,
    engines,
    health,
    jobs,
    keys,
    models,
    projects,
    submissions,
    tables,
    tokens,
    upkeep,
    workers,
)
from trtfarm_api.service import Service
from trtfarm_api.tracing import Tracing

_log = logging.getLogger(__name__)

_SWEEP_SECONDS = 600.0
#: Requests that work at the same time; each may hold one of the database's 15 connections.
_THREADS = 12
_ROUTERS = (
    health.router,
    health.metrics_router,
    engines.router,
    tables.router,
    models.router,
    datasets.router,
    submissions.router,
    jobs.router,
    blobs.router,
    workers.router,
    projects.router,
    tokens.router,
    audit.router,
    keys.router,
    upkeep.router,
    bundles.router,
)


def make_app(service: Service) -> FastAPI:
    """The app of a service, whose farm stays the caller's to close."""
    app = FastAPI(
        title="trtfarm",
        version=trtfarm.__version__,
        openapi_url="/v1/openapi.json",
        # Their pages load scripts from elsewhere, which a site without internet cannot.
        docs_url=None,
        redoc_url=None,
        responses=problems.RESPONSES,
        lifespan=_life,
    )
    app.state.service, app.state.requests = service, (requests := Requests())
    app.state.readiness = Readiness()
    problems.install(app)
    for router in _ROUTERS:
        app.include_router(router)
    app.add_middleware(Auditing)
    app.add_middleware(Limiting)
    app.add_middleware(Measuring, requests=requests)
    app.add_middleware(Tracing)
    return app


@asynccontextmanager
async def _life(app: FastAPI) -> AsyncIterator[None]:
    anyio.to_thread.current_default_thread_limiter().total_tokens = _THREADS
    farm = app.state.service.farm
    app.state.changes, app.state.heavy = Changes(farm.database), heavy.limiter()
    app.state.operations, app.state.imports = Operations("a clean-up or a check"), Operations("an import")
    async with anyio.create_task_group() as group:
        group.start_soon(_forget_abandoned, farm)
        group.start_soon(app.state.changes.look)
        yield
        group.cancel_scope.cancel()


async def _forget_abandoned(farm: Farm) -> None:
    """Ends uploads that nobody goes on with, from time to time."""
    while True:
        try:
            await anyio.to_thread.run_sync(farm.uploads.sweep)
        except TrtfarmError as error:
            _log.warning("uploads not swept, tried again: %s", error)
        await anyio.sleep(_SWEEP_SECONDS)
