"""A farm's API on a real port, and a way to it that breaks when it is told to."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

import pytest
import uvicorn

from tests.unit.client.breaking import BreakingWay
from trtfarm.farm import Farm
from trtfarm.tokens import Scope, create_token
from trtfarm_api.app import make_app
from trtfarm_api.service import Service
from trtfarm_client import Client, Link


@pytest.fixture
def port(farm: Farm) -> Iterator[int]:
    """Of a server that runs in a thread of this process."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(
            uvicorn.Config(make_app(Service(farm=farm)), log_config=None, timeout_graceful_shutdown=1)
        )
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture
def way(port: int) -> Iterator[BreakingWay]:
    with BreakingWay(port) as made:
        yield made


@pytest.fixture
def token(farm: Farm) -> str:
    """Of one who sees everything: the rows of these tests are nobody's."""
    return create_token(farm.database, name="laptop", scopes=[Scope.ADMIN], project="vision")[0]


@pytest.fixture
def client_at(token: str) -> Iterator[Callable[[int], Client]]:
    """Clients of the server at a port."""
    opened: list[Client] = []

    def at(port: int) -> Client:
        opened.append(Client(link_to(port, token)))
        return opened[-1]

    yield at
    for client in opened:
        client.close()


@pytest.fixture
def submitter(farm: Farm, port: int) -> Iterator[Client]:
    """Who may hand in, and no more."""
    secret = create_token(farm.database, name="ci", scopes=[Scope.SUBMIT], project="vision")[0]
    with Client(link_to(port, secret)) as opened:
        yield opened


@pytest.fixture
def client(client_at: Callable[[int], Client], port: int) -> Client:
    return client_at(port)


def link_to(port: int, token: str | None) -> Link:
    return Link(url=f"http://127.0.0.1:{port}", token=token, patience=5.0)
