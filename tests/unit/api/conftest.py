"""A farm of the test's own, and clients of its API that need no server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import cast

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from trtfarm.farm import Farm
from trtfarm.tokens import Scope, create_token
from trtfarm_api.app import make_app
from trtfarm_api.service import Service

#: What a client gives as its token; None gives none.
ClientOf = Callable[[str | None], TestClient]


@pytest.fixture
def announced() -> list[str]:
    """The ids of the jobs that the broker was told of."""
    return []


@cache
def the_app() -> FastAPI:
    """One for all tests, each of which gives it its own service: an app is slow to answer for the first time."""
    return make_app(cast(Service, None))


def served(service: Service) -> FastAPI:
    app = the_app()
    app.state.service = service
    return app


@pytest.fixture
def client_of(farm: Farm, announced: list[str]) -> ClientOf:
    app = served(Service(farm=farm, announce=lambda _farm, job_ids: announced.extend(job_ids)))

    def client_with(token: str | None) -> TestClient:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return TestClient(app, "http://127.0.0.1", headers=headers, raise_server_exceptions=False)

    return client_with


@pytest.fixture
def client(client_of: ClientOf) -> Iterator[TestClient]:
    """A user of this machine, who needs no token."""
    with client_of(None) as opened:
        yield opened


@pytest.fixture
def token_for(farm: Farm) -> Callable[..., str]:
    """Makes a token with some scopes."""

    def made(*scopes: Scope, project: str = "default") -> str:
        return create_token(farm.database, name="test", scopes=scopes, project=project)[0]

    return made
