"""The app: routes, error handlers and middleware over one farm."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread
from fastapi import FastAPI

import trtfarm
from trtfarm.errors import TrtfarmError
from trtfarm.farm import Farm
from trtfarm_api import problems
from trtfarm_api.asking import Choose, nothing_chosen
from trtfarm_api.auditing import Auditing
from trtfarm_api.routes import blobs, datasets, engines, health, jobs, models, submissions, tables, workers
from trtfarm_api.tracing import Tracing

_log = logging.getLogger(__name__)

_SWEEP_SECONDS = 600.0
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
    blobs.router,
    workers.router,
)

#: Tells the broker of jobs that are committed; a hint, so that it may do nothing.
Announce = Callable[[Farm, Sequence[str]], None]
#: Gives who chooses toolchains for a farm.
ChooseOf = Callable[[Farm], Choose]


def make_app(
    farm: Farm,
    *,
    public: bool = False,
    announce: Announce = lambda _farm, _job_ids: None,
    choose: ChooseOf = lambda _farm: nothing_chosen,
) -> FastAPI:
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
    app.state.choose = choose(farm)
    problems.install(app)
    for router in _ROUTERS:
        app.include_router(router)
    app.add_middleware(Auditing, farm=farm)
    app.add_middleware(Tracing)
    return app


@asynccontextmanager
async def _life(app: FastAPI) -> AsyncIterator[None]:
    anyio.to_thread.current_default_thread_limiter().total_tokens = _THREADS
    async with anyio.create_task_group() as group:
        group.start_soon(_forget_abandoned, app.state.farm)
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
