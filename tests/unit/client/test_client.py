"""What a client says and hears: lists in pages, errors as the farm raised them, servers that are gone or foreign."""

from __future__ import annotations

import inspect
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, assert_type

import anyio
import pytest

from tests.contracts.rows import engine_row, job_row, model_row, table_row
from tests.unit.client.conftest import link_to
from trtfarm.catalog.entries import EngineEntry
from trtfarm.errors import (
    AccessError,
    BusyError,
    ForbiddenError,
    NotFoundError,
    ServerError,
    TrtfarmError,
    UnreachableError,
    UsageError,
)
from trtfarm.farm import Farm
from trtfarm.jobs.job import Job
from trtfarm_client import AsyncClient, Client, Link, calls
from trtfarm_client.administration import Administration, AsyncAdministration
from trtfarm_client.bundles import AsyncBundles, Bundles
from trtfarm_client.flows import sending
from trtfarm_client.patience import Patience
from trtfarm_client.sse import EventReader, ServerEvent

FACTS = {"int8_layers": 3, "layers": [], "io": [], "seconds": 1.0}


@pytest.fixture
def filled(farm: Farm) -> Farm:
    with farm.database.write() as session:
        session.add(model_row())
        session.flush()
        session.add_all([table_row(), job_row()])
        session.add_all([engine_row(id=f"eng_{number}", facts=FACTS) for number in range(7)])
    return farm


@pytest.mark.parametrize("label", ["a/b", "..", "", "x y"])
def test_a_label_that_cannot_be_does_not_lead_to_another_route(client: Client, label: str) -> None:
    for call in (client.label_engine, client.unlabel_engine):
        with pytest.raises(UsageError, match="cannot be a label"):
            call("eng_1", label)


def test_lists_are_read_through_all_their_pages(client: Client, filled: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "PAGE", 2)
    engines = client.engines(precision="int8")
    assert [engine.id for engine in engines] == [f"eng_{number}" for number in reversed(range(7))]
    assert [engine.id for engine in client.engines(limit=3)] == ["eng_6", "eng_5", "eng_4"]
    assert client.engines(target="sm_75") == client.engines(gpu="H200") == []
    assert client.engines(since=engines[0].created, until=engines[0].created) == []
    [table] = client.tables(calibrator="entropy2")
    assert (table.id, table.origin.value, table.created.tzinfo is not None) == ("tab_1", "reference", True)
    [job] = client.jobs()
    assert client.job(job.id).job == job
    [model] = client.models(name="lenet")
    assert (client.model("mod_1").digest, client.model("mod_1").whole) == (model.digest, False)
    assert client.engine("eng_3")["int8_layers"] == 3


def test_a_method_is_the_same_awaited(client: Client, filled: Farm) -> None:
    async def listed() -> tuple[list[EngineEntry], list[Job]]:
        async with AsyncClient(client.link) as other:
            with pytest.raises(NotFoundError, match="there is no engine 'eng_9'"):
                await other.engine("eng_9")
            return assert_type(await other.engines(limit=2), list[EngineEntry]), await other.jobs()

    assert anyio.run(listed) == (assert_type(client.engines(limit=2), list[EngineEntry]), client.jobs())


@pytest.mark.parametrize("kind", [Client, Administration, Bundles])
def test_methods_tell_what_they_take_and_give(kind: type[Any]) -> None:
    """To `help` and to whoever inspects them: what they are made of does not show."""
    other = {Client: AsyncClient, Administration: AsyncAdministration, Bundles: AsyncBundles}[kind]
    methods = {name: found for name, found in inspect.getmembers(kind, inspect.isfunction) if name[0] != "_"}
    for name, method in methods.items():
        awaited, told = getattr(other, name), inspect.signature(method)
        assert told.parameters == inspect.signature(awaited).parameters
        assert "Flow" not in told.return_annotation
        assert method.__doc__ == awaited.__doc__
        assert inspect.iscoroutinefunction(awaited) != ("Iterator" in told.return_annotation)
    assert inspect.signature(Client.engines).return_annotation == "list[EngineEntry]"
    assert {"export_to", "clean", "submit"} & set(methods)


@pytest.mark.parametrize("name", ["", "../health", "a b", "x" * 101, ".."])
def test_what_no_row_is_called_is_not_even_asked_for(client: Client, name: str) -> None:
    with pytest.raises(NotFoundError, match="there is no engine"):
        client.engine(name)


def test_errors_are_those_that_the_farm_raised(client: Client, submitter: Client, filled: Farm, port: int) -> None:
    with pytest.raises(UsageError, match="several engines start with"):
        client.engine("eng_")
    with Client(link_to(port, "wrong")) as other, pytest.raises(AccessError, match="this token opens nothing"):
        other.engines()
    with pytest.raises(ForbiddenError):
        submitter.remove_engine("eng_1")


def test_a_server_that_is_not_there_is_waited_for(token: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    link = Link(url=f"http://127.0.0.1:{port}", token=token, patience=0.4)
    with Client(link) as client, pytest.raises(UnreachableError) as caught:
        client.engines()
    assert str(port) in caught.value.message
    assert token not in str(caught.value) + repr(link)


class _Foreign(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status, body = (200, b"<html>hello</html>") if "engines" in self.path else (404, b'{"detail": "no"}')
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its base class calls it so
        return


def test_what_is_no_farm_is_told_as_such() -> None:
    with HTTPServer(("127.0.0.1", 0), _Foreign) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        with Client(link_to(server.server_port, None)) as client:
            for ask in (client.engines, client.whoami):
                call: Callable[[], Any] = ask
                with pytest.raises(ServerError, match="not as a farm does"):
                    call()
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("url", ["farm.example", "ftp://farm.example", "http://", "http://me:secret@farm.example", ""])
def test_addresses_that_cannot_be(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        Link(url=url)
    assert "secret" not in str(caught.value)


def test_a_token_cannot_hide_a_header() -> None:
    with pytest.raises(UsageError):
        Link(url="http://127.0.0.1", token="a\r\nHost: b")  # noqa: S106 - it is none


def test_patience_is_for_what_passes_and_runs_out() -> None:
    now = [0.0]
    patience = Patience(1.0, clock=lambda: now[0])
    gone = UnreachableError("gone")
    pauses = [patience.pause_after(gone) for _ in range(3)]
    assert pauses == [0.1, 0.2, 0.4]
    long = Patience(20.0, clock=lambda: now[0])
    assert [long.pause_after(gone) for _ in range(7)] == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0]
    with pytest.raises(UsageError):
        patience.pause_after(UsageError("never"))
    now[0] = 0.5
    with pytest.raises(UnreachableError):
        patience.pause_after(gone)
    patience.renew()
    assert patience.pause_after(gone) == 0.1


def test_a_server_that_never_answered_is_waited_for_less_and_one_that_did_is_not() -> None:
    now = [0.0]
    patience = Patience(20.0, at_first=3.0, clock=lambda: now[0])
    now[0] = 2.95
    with pytest.raises(UnreachableError):
        patience.pause_after(UnreachableError("gone"))
    patience.renew()
    now[0] = 20.0
    assert patience.pause_after(UnreachableError("gone")) == 0.1


def test_a_server_that_says_how_long_to_wait_is_believed() -> None:
    now = [0.0]
    patience = Patience(20.0, clock=lambda: now[0])
    busy = BusyError("too many requests")
    busy.retry_after = 7.0
    assert patience.pause_after(busy) == 7.0
    busy.retry_after = 0.01
    assert patience.pause_after(busy) == 0.2
    now[0], busy.retry_after = 15.0, 7.0
    with pytest.raises(BusyError):
        patience.pause_after(busy)


_ANSWERED: list[str] = []


class _Busy(_Foreign):
    """Has too much to do once, and then does what it is asked for."""

    def do_POST(self) -> None:
        _ANSWERED.append(self.path)
        status, body = (204, b"") if len(_ANSWERED) > 1 else (429, b'{"code": "busy", "message": "later"}')
        self.send_response(status)
        self.send_header("Retry-After", "1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def test_what_was_refused_for_being_too_much_is_asked_again_even_if_it_may_happen_once_only() -> None:
    with HTTPServer(("127.0.0.1", 0), _Busy) as server:
        _ANSWERED.clear()
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        begun = time.monotonic()
        with Client(link_to(server.server_port, None)) as client:
            once = replace(calls.remove_engine("eng_1"), method="POST")
            client._transport.run(sending(once, client._patience()))
        assert time.monotonic() - begun >= 1.0
        server.shutdown()
        thread.join()
    assert _ANSWERED == ["/v1/engines/eng_1"] * 2


def test_events_are_read_line_by_line() -> None:
    reader = EventReader()
    lines = ["", ": ping", "id: 7", "event: job", "data: {", 'data: "a": 1}', "", "data: 2", ""]
    found = [event for line in lines if (event := reader.feed(line))]
    assert found == [
        ServerEvent(kind="job", data={"a": 1}, id="7"),
        ServerEvent(kind="message", data=2, id="7"),
    ]
    assert reader.headers()["Last-Event-ID"] == "7"
    with pytest.raises(TrtfarmError, match="not JSON"):
        [reader.feed(line) for line in ["data: {", ""]]
