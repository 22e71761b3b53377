"""A builder that is hostile, because a model took it over: what it says, what it answers, what it prints."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.documents import altered
from tests.fuzz.mutation import mutated
from tests.fuzz.outcome import outcome
from trtfarm.digests import canonical_json
from trtfarm.errors import BuilderCrashError, TrtfarmError
from trtfarm_worker.builder.ending import Ending
from trtfarm_worker.builder.events import Answer, Event, EventDecoder, Failure, LogLine, MalformedEventError, Progress
from trtfarm_worker.builder.native_log import NativeLog
from trtfarm_worker.builder.request import result_file

EVENTS: tuple[dict[str, Any], ...] = (
    {"event": "progress", "stage": "calibrate", "done": 50, "total": 500, "unit": "samples"},
    {"event": "log", "level": "warning", "text": "a tensor has no scale"},
    {"event": "answer", "result": {"scales": {"data": "3c010204"}, "samples": 500, "engine": "engine.plan"}},
    {"event": "failure", "code": "bad_model", "message": "no", "cause": None, "remedy": "export it", "trace": None},
)
#: What moves a terminal's cursor or ends a text.
_CONTROL = {chr(code) for code in (*range(32), *range(127, 160))} - {"\t", "\n"}
LINES = tuple(json.dumps(event).encode() + b"\n" for event in EVENTS)
WORDS = (b"\n", b'"', b"{", b"}", b"1e999", b"NaN", b"\\u0000", b"\\ud800", b"[" * 3000, b'"event": "answer"')


@given(data=mutated([b"".join(LINES), *LINES], WORDS), cuts=st.lists(st.integers(0, 600), max_size=5))
def test_bytes_on_the_pipe(data: bytes, cuts: list[int]) -> None:
    edges = sorted({0, len(data), *(min(cut, len(data)) for cut in cuts)})
    _sound(outcome(lambda: _events([data[first:last] for first, last in pairwise(edges)])) or [])


@given(events=st.lists(altered(EVENTS), max_size=4))
def test_events(events: list[Any]) -> None:
    _sound(outcome(lambda: _events([json.dumps(event).encode() + b"\n" for event in events])) or [])


@given(
    outcome_=st.none() | altered(EVENTS[3:]),
    returncode=st.integers(-70, 260),
    tail=st.text(max_size=50),
    oom_killed=st.booleans(),
)
def test_ends(outcome_: Any, returncode: int, tail: str, *, oom_killed: bool) -> None:
    events = _events([json.dumps(outcome_).encode() + b"\n"]) if outcome_ is not None else []
    last = events[0] if events and isinstance(events[0], Failure | Answer) else None
    ending = Ending(returncode=returncode, outcome=last, tail=tail, oom_killed=oom_killed)
    try:
        ending.result()
    except TrtfarmError as error:
        canonical_json(error.as_dict())
    else:
        assert (returncode, type(last)) == (0, Answer)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A builder's folder beside something that is not its own, with ways that lead there."""
    base = tmp_path_factory.mktemp("builder")
    (base / "secret").write_bytes(b"not yours")
    folder = base / "scratch"
    (folder / "sub").mkdir(parents=True)
    for place in (folder / "engine.plan", folder / "sub" / "build.log"):
        place.write_bytes(b"mine")
    (folder / "link").symlink_to("../secret")
    (folder / "way").symlink_to("..")
    (folder / "hard").hardlink_to(base / "secret")
    return folder


PLACES = (b"engine.plan", b"sub/build.log", b"link", b"hard", b"way/secret", b"sub", b"../secret", b"/etc/passwd")


@given(name=st.one_of(mutated(PLACES, (b"/", b"..", b".", b"//")).map(lambda name: name.decode("latin-1")), st.none()))
def test_names_of_files(scratch: Path, name: Any) -> None:
    found = outcome(lambda: result_file(scratch, name), BuilderCrashError)
    assert found is None or found.read_bytes() == b"mine"


@given(data=st.lists(st.binary(max_size=300), max_size=20), head=st.integers(0, 200), tail=st.integers(1, 200))
def test_what_is_printed_stays_within_bounds(scratch: Path, data: list[bytes], head: int, tail: int) -> None:
    path = scratch / "native.log"
    with NativeLog(path, head_bytes=head, tail_bytes=tail) as log:
        for piece in data:
            log.write(piece)
        shown = log.tail(30)
    whole, kept = b"".join(data), path.read_bytes()
    assert kept == whole if len(whole) <= head else len(kept) <= head + tail + 60
    assert not _CONTROL & set(shown)
    path.unlink()


def _events(chunks: list[bytes]) -> list[Event]:
    """What comes before the first mistake."""
    decoder, events = EventDecoder(line_bytes=1 << 19, total_bytes=1 << 20), list[Event]()
    try:
        for chunk in chunks:
            events.extend(decoder.feed(chunk))
        decoder.end()
    except MalformedEventError:
        pass
    return events


def _sound(events: list[Event]) -> None:
    """What gets past the reader can be stored as JSON anywhere, and shown."""
    for event in events:
        canonical_json(vars(event) if not isinstance(event, Answer) else dict(event.result))
        if isinstance(event, Progress):
            assert event.done / (event.total or 1) < float("inf")
        texts = {Progress: ("stage", "unit"), LogLine: ("text",), Failure: ("code", "message")}.get(type(event), ())
        for name in texts:
            assert not _CONTROL & set(getattr(event, name))
