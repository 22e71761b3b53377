"""The server as a process: it is killed, connections to it break, and nothing that it said it had is lost."""

from __future__ import annotations

import os
import re
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path

import httpx2
import pytest

from tests.acceptance.cli.program import Program
from tests.acceptance.cli.serving import api, free_port
from trtfarm.digests import digest_of_bytes, digest_of_file
from trtfarm_client import Client, Link, Transferred

DATA = bytes(range(256)) * (8 << 10)
DIGEST = digest_of_bytes(DATA)


@contextmanager
def served(program: Program) -> Iterator[httpx2.Client]:
    """A client of a server that is up."""
    with program.started("api", "--port", "0") as running:
        assert running.process.stderr is not None
        listening = re.search(r"listening on (http://127\.0\.0\.1:\d+)", running.process.stderr.readline())
        assert listening is not None
        with httpx2.Client(base_url=listening[1], timeout=30) as client:
            yield client
        ended = running.end(signal.SIGTERM)
        assert ended.code == 0, ended.err


@contextmanager
def killed(program: Program) -> Iterator[httpx2.Client]:
    """The same, and it is killed."""
    with program.started("api", "--port", "0") as running:
        assert running.process.stderr is not None
        url = running.process.stderr.readline().split()[-1]
        with httpx2.Client(base_url=url, timeout=30) as client:
            yield client
        running.process.kill()
        running.process.wait()


@pytest.fixture
def program(tmp_path: Path, migrated: Path) -> Program:
    home = tmp_path / "home"
    home.mkdir()
    (home / "farm.db").write_bytes(migrated.read_bytes())
    return Program(home=home, folder=tmp_path)


def test_it_says_what_it_is_and_stops_when_it_is_told(program: Program) -> None:
    with served(program) as client:
        assert client.get("/v1/health").json()["status"] == "ok"
        assert client.get("/v1/ready").json()["ready"] is True
        assert "/v1/engines" in client.get("/v1/openapi.json").json()["paths"]


def test_an_upload_goes_on_after_a_broken_connection_and_after_a_killed_server(program: Program) -> None:
    with killed(program) as client:
        upload = client.post("/v1/uploads", json={"digest": DIGEST, "size": len(DATA)}).json()["id"]
        _break_off(client, upload, DATA[: 1 << 20])
        came = _offset_once_quiet(client, upload)
        assert 0 < came < len(DATA)
    with served(program) as client:
        assert client.get(f"/v1/uploads/{upload}").json()["offset"] == came
        headers = {"Content-Range": f"bytes {came}-{len(DATA) - 1}/{len(DATA)}"}
        assert client.patch(f"/v1/uploads/{upload}", content=DATA[came:], headers=headers).status_code == 202
        assert client.post(f"/v1/uploads/{upload}/finish").status_code == 201
        assert client.get(f"/v1/blobs/{DIGEST}").content == DATA
    assert program.damaged() == []


def test_a_client_goes_on_with_an_upload_whose_server_is_killed(program: Program, tmp_path: Path) -> None:
    """What the first server had is not sent again, and the progress tells so."""
    file, port, told = tmp_path / "weights.bin", free_port(), list[int]()
    file.write_bytes(os.urandom(48 << 20))
    with ExitStack() as stack:
        first = stack.enter_context(api(program, port))
        client = stack.enter_context(Client(Link(url=f"http://127.0.0.1:{port}", patience=60.0)))

        def kill_once(sent: Transferred) -> None:
            told.append(sent.done)
            if sent.done >= 16 << 20 and first.process.returncode is None:
                first.process.kill()
                first.process.wait()
                stack.enter_context(api(program, port))

        digest = client.upload([file], report=kill_once)[file]
        assert client.upload([file]) == {file: digest}
    assert digest == digest_of_file(file)
    back = [(before, now) for before, now in pairwise(told) if now < before]
    assert len(back) == 1
    assert 0 < back[0][1] <= 16 << 20
    assert told[-1] == 48 << 20
    assert [path.name for path in (program.home / "uploads").iterdir()] == []
    assert program.damaged() == []


def test_others_reach_it_only_with_tokens(program: Program) -> None:
    error = program.run("api", "--host", "0.0.0.0", "--port", "0")  # noqa: S104 - that is what is refused
    assert error.code == 2
    assert "nobody needs a token" in error.err


def test_an_address_that_is_taken_is_told(program: Program) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        error = program.run("api", "--port", str(taken.getsockname()[1]))
    assert error.code == 2
    assert "cannot be listened on" in error.err


def _break_off(client: httpx2.Client, upload: str, data: bytes) -> None:
    """Announces everything, sends part of it, and hangs up."""
    url = client.base_url
    head = (
        f"PATCH /v1/uploads/{upload} HTTP/1.1\r\nHost: {url.host}\r\nContent-Length: {len(DATA)}\r\n"
        f"Content-Range: bytes 0-{len(DATA) - 1}/{len(DATA)}\r\n\r\n"
    )
    with socket.create_connection((url.host, url.port or 80)) as connection:
        connection.sendall(head.encode() + data)
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)  # the server has read all of it and hung up, too


def _offset_once_quiet(client: httpx2.Client, upload: str) -> int:
    return int(client.head(f"/v1/uploads/{upload}").headers["Upload-Offset"])
