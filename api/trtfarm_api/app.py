"""The app: routes, error handlers and middleware over one farm."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import anyio.to_thread
from fastapi import FastAPI

import trtfarm
from trtfarm.farm import Farm
from trtfarm_api import problems
from trtfarm_api.routes import datasets, engines, health, jobs, models, submissions, tables, workers
from trtfarm_api.tracing import Tracing

#: Requests that work at the same time; each may hold one of the database's 15 connections.
_THREADS = 12
_ROUTERS = (
    health.router,
    engines.router,
    tables.router,
    models.router,
    datasets.router,
    submissions.router,
    jobs.router,
    workers.router,
)

#: Tells the broker of jobs that are committed; a hint, so that it may do nothing.
Announce = Callable[[Farm, Sequence[str]], None]


def make_app(farm: Farm, *, public: bool = False, announce: Announce = lambda _farm, _job_ids: None) -> FastAPI:
    """The app of a farm, which stays the caller's to close. `public` demands a token of everybody."""
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
    app.state.farm, app.state.public, app.state.announce = farm, public, announce
    problems.install(app)
    for router in _ROUTERS:
        app.include_router(router)
    app.add_middleware(Tracing)
    return app


@asynccontextmanager
async def _life(_app: FastAPI) -> AsyncIterator[None]:
    anyio.to_thread.current_default_thread_limiter().total_tokens = _THREADS
    yield
