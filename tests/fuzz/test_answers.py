"""What a client takes from a server: one that is hostile, or none of ours, ends in an error that says so."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.documents import altered
from tests.fuzz.mutation import mutated
from tests.fuzz.outcome import outcome
from trtfarm.catalog.entries import DataSetEntry, EngineEntry, ModelEntry, TableEntry
from trtfarm.errors import ServerError
from trtfarm.jobs.job import Event, Job
from trtfarm_client.pages import page_of
from trtfarm_client.records import Upload, Who
from trtfarm_client.sse import EventReader
from trtfarm_client.values import value_of

MOMENT = "2026-01-01T12:00:00.123457+00:00"
WORDS = {"id": "eng_1", "model": "lenet", "model_id": "mod_1", "name": "lenet", "digest": "sha256:" + "0" * 64}
ANSWERS: dict[type[Any], dict[str, Any]] = {
    Who: {"id": "tok_1", "name": "ann", "project": "vision", "scopes": ["read"], "expires": MOMENT},
    Upload: {"id": "upl_1", "digest": WORDS["digest"], "size": 10, "offset": 5, "expires": MOMENT},
    Event: {"id": 1, "job_id": "job_1", "attempt": 1, "at": MOMENT, "kind": "log", "data": {"text": "x"}},
}
STREAM = (
    b'event: job\nid: 12\ndata: {"kind": "log", "data": {"text": "x"}}\n\n',
    b"event: end\nid: job_1:12,job_2:3\ndata: {}\ndata: \n\n: a comment\n\n",
)


@given(kind=st.sampled_from(list(ANSWERS)), data=st.data())
def test_values(kind: type[Any], data: st.DataObject) -> None:
    answer = json.loads(json.dumps(data.draw(altered([ANSWERS[kind]]))))
    found = outcome(lambda: value_of(kind, answer), ServerError)
    assert found is None or isinstance(found, kind)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """As values with numbers are."""

    share: float
    samples: int
    left: tuple[str, ...]
    inside: Mapping[str, Any]
    better: float | None


@given(data=st.data())
def test_numbers(data: st.DataObject) -> None:
    whole = {"share": 0.5, "samples": 500, "left": ["conv1"], "inside": {"a": 1}, "better": None}
    answer = json.loads(json.dumps(data.draw(altered([whole]))))
    found = outcome(lambda: value_of(Measured, answer), ServerError)
    assert found is None or isinstance(found.share, float)


@given(kind=st.sampled_from([EngineEntry, TableEntry, ModelEntry, DataSetEntry, Job]), data=st.data())
def test_pages(kind: type[Any], data: st.DataObject) -> None:
    document = {"items": [{**WORDS, "created": MOMENT}], "next": None}
    answer = json.loads(json.dumps(data.draw(altered([document]))))
    outcome(lambda: page_of(partial(value_of, kind))(answer), ServerError)


@given(stream=mutated(STREAM, (b"data: ", b"id: ", b"event: end", b"\n\n", b"[" * 3000, b"1e999", b'"\\ud800"')))
def test_events(stream: bytes) -> None:
    def read() -> int:
        reader = EventReader()
        return sum(reader.feed(line) is not None for line in stream.decode(errors="replace").split("\n"))

    outcome(read, ServerError)
