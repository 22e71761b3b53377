"""Uploads as a flow, without any server: what is asked for next, whatever the answers are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from trtfarm.digests import digest_of_bytes
from trtfarm.errors import ConflictError, DataError, NotFoundError, TrtfarmError, UnreachableError
from trtfarm_client import flows
from trtfarm_client.call import Call, Pause, Step, Work
from trtfarm_client.flows import Flow, unreported
from trtfarm_client.patience import Patience
from trtfarm_client.records import Upload

DATA = b"0123456789"
UPLOAD = Upload(
    id="upl_1", digest=digest_of_bytes(DATA), size=len(DATA), offset=0, expires=datetime(2026, 1, 1, tzinfo=UTC)
)

Answer = Callable[[Call[Any]], Any]


class Server:
    """Answers calls, and lets time pass in pauses."""

    def __init__(self, **answers: Answer) -> None:
        self.now = 0.0
        self.asked: list[str] = []
        self._answers: dict[str, Answer] = {
            "missing": lambda _call: [UPLOAD.digest],
            "uploads": lambda _call: [],
            "begin": lambda _call: UPLOAD,
            "where": lambda _call: UPLOAD,
            "send": lambda call: replace(UPLOAD, offset=call.span.stop),
            "finish": lambda _call: {},
        } | answers

    def run(self, flow: Flow[Any]) -> Any:
        try:
            step = next(flow)
            while True:
                try:
                    answer = self._do(step)
                except TrtfarmError as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(answer)
        except StopIteration as end:
            return end.value

    def upload(self, folder: Path) -> Any:
        (folder / "data").write_bytes(DATA)
        patience = Patience(5.0, clock=lambda: self.now)
        return self.run(flows.uploading([folder / "data"], patience, unreported))

    def _do(self, step: Step) -> Any:
        if isinstance(step, Pause):
            self.now += step.seconds
            return None
        if isinstance(step, Work):
            return step.function()
        assert isinstance(step, Call)
        name = _name(step)
        self.asked.append(name)
        return self._answers[name](step)


def _name(call: Call[Any]) -> str:
    last = call.path.rpartition("/")[2]
    if last == UPLOAD.id:
        return {"PATCH": "send", "GET": "where"}[call.method]
    return "begin" if (call.method, last) == ("POST", "uploads") else last


def always(error: TrtfarmError) -> Answer:
    def answer(_call: Call[Any]) -> Any:
        raise error

    return answer


def test_a_file_that_is_there_is_not_sent(tmp_path: Path) -> None:
    server = Server(missing=lambda _call: [])
    assert server.upload(tmp_path) == {tmp_path / "data": UPLOAD.digest}
    assert server.asked == ["missing"]


def test_what_one_began_another_goes_on_with(tmp_path: Path) -> None:
    sent: list[int] = []

    def send(call: Call[Any]) -> Upload:
        assert call.span is not None
        sent.append(call.span.start)
        return replace(UPLOAD, offset=call.span.stop)

    server = Server(uploads=lambda _call: [replace(UPLOAD, offset=4), UPLOAD], send=send)
    server.upload(tmp_path)
    assert (server.asked, sent) == (["missing", "uploads", "send", "finish"], [4])


def test_an_upload_that_the_server_lost_is_begun_again(tmp_path: Path) -> None:
    lost = [NotFoundError("no such upload")]

    def send(_call: Call[Any]) -> Upload:
        if lost:
            raise lost.pop()
        return replace(UPLOAD, offset=UPLOAD.size)

    server = Server(send=send)
    server.upload(tmp_path)
    assert server.asked == ["missing", "uploads", "begin", "send", "uploads", "begin", "send", "finish"]


def test_somebody_else_who_writes_is_not_waited_for_forever(tmp_path: Path) -> None:
    """Though the server answers every question in between."""
    server = Server(send=always(ConflictError("it is being written to")))
    with pytest.raises(ConflictError):
        server.upload(tmp_path)
    assert 3 < server.now <= 5
    assert server.asked.count("send") < 12


def test_a_lost_answer_to_the_last_request_is_looked_for(tmp_path: Path) -> None:
    first = [[UPLOAD.digest], []]
    server = Server(finish=always(UnreachableError("gone")), missing=lambda _call: first.pop(0))
    server.upload(tmp_path)
    assert server.asked[-2:] == ["finish", "missing"]


def test_somebody_else_who_finishes_the_same_upload_is_waited_for(tmp_path: Path) -> None:
    missing = [[UPLOAD.digest], [UPLOAD.digest], []]
    server = Server(finish=always(ConflictError("it is being written to")), missing=lambda _call: missing.pop(0))
    server.upload(tmp_path)
    assert server.asked[-4:] == ["finish", "missing", "finish", "missing"]
    assert server.now > 0
    server = Server(finish=always(ConflictError("it is being written to")))
    with pytest.raises(ConflictError):
        server.upload(tmp_path)
    assert 3 < server.now <= 5


def test_bytes_that_changed_on_the_way_are_told(tmp_path: Path) -> None:
    server = Server(finish=always(DataError("other bytes than were announced")))
    with pytest.raises(DataError):
        server.upload(tmp_path)
    assert server.asked.count("finish") == 1


def test_a_server_that_stays_away_is_told_after_a_while(tmp_path: Path) -> None:
    server = Server(missing=always(UnreachableError("gone")))
    with pytest.raises(UnreachableError):
        server.upload(tmp_path)
    assert 3 < server.now <= 5
