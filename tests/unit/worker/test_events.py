from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtfarm_worker.builder.events import (
    Answer,
    EventDecoder,
    Failure,
    HandedOver,
    LogLine,
    MalformedEventError,
    Progress,
    event_of_line,
)

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def _line(**event: object) -> bytes:
    return json.dumps(event).encode()


def test_characters_beyond_the_first_plane_pass() -> None:
    assert event_of_line(_line(event="answer", result={"\N{GRINNING FACE}": 1})) == Answer(
        result={"\N{GRINNING FACE}": 1}
    )


def test_each_kind_of_event() -> None:
    failure = Failure(code="bad_model", message="m", cause=None, remedy="r", trace="t")
    assert event_of_line(_line(event="progress", stage="s", done=1, total=None, unit="u")) == Progress(
        stage="s", done=1, total=None, unit="u"
    )
    assert event_of_line(_line(event="log", level="info", text="t")) == LogLine(level="info", text="t")
    assert event_of_line(_line(event="answer", result={"a": [1]})) == Answer(result={"a": [1]})
    assert event_of_line(_line(event="handed over", result={"a": 1})) == HandedOver(result={"a": 1})
    assert (
        event_of_line(_line(event="failure", code="bad_model", message="m", cause=None, remedy="r", trace="t"))
        == failure
    )


@given(st.binary() | _JSON.map(lambda value: json.dumps(value).encode()))
def test_no_bytes_get_past_the_reader_but_events(line: bytes) -> None:
    with pytest.raises(MalformedEventError):
        event_of_line(line)


@pytest.mark.parametrize(
    "line",
    [
        b"[" * 100_000,
        b"\xff\xfe",
        b"1" * 10_000,
        _line(event="progress", stage="s", done=True, total=None, unit="u"),
        _line(event="progress", stage="s", done="1", total=None, unit="u"),
        _line(event="log", level="fatal", text="t"),
        _line(event="handed over", result=[1]),
        _line(event=["log"], level="info", text="t"),
        b'{"event":"answer","result":{"amax":Infinity}}',
        b'{"event":"answer","result":{"amax":1e999}}',
        _line(event="progress", stage="s", done=10**400, total=None, unit="u"),
        b'{"event":"answer","result":{"\\ud800":1}}',
        b'{"event":"answer","result":{"\xed\xa0\x80":1}}',
    ],
)
def test_hostile_lines(line: bytes) -> None:
    with pytest.raises(MalformedEventError):
        event_of_line(line)


def test_text_loses_control_characters_and_length() -> None:
    event = event_of_line(_line(event="log", level="info", text="a\x1b]0;x\x07\tb\nc" + "d" * 10_000))
    assert isinstance(event, LogLine)
    assert event.text.startswith("a\N{REPLACEMENT CHARACTER}]0;x\N{REPLACEMENT CHARACTER}\tb\nc")
    assert len(event.text) < 8200


@given(st.lists(st.text(), max_size=5), st.integers(1, 40))
def test_cutting_the_stream_elsewhere_gives_the_same_events(texts: list[str], size: int) -> None:
    stream = b"".join(_line(event="log", level="info", text=text) + b"\n" for text in texts)
    decoder = EventDecoder()
    events = [event for at in range(0, len(stream), size) for event in decoder.feed(stream[at : at + size])]
    decoder.end()
    assert events == list(EventDecoder().feed(stream))
    assert len(events) == len(texts)


def test_a_line_and_a_stream_have_a_longest() -> None:
    event = _line(event="log", level="info", text="t")
    assert len(list(EventDecoder(line_bytes=len(event)).feed(event + b"\n"))) == 1
    with pytest.raises(MalformedEventError, match="longer than"):
        list(EventDecoder(line_bytes=len(event) - 1).feed(event))
    with pytest.raises(MalformedEventError, match="more events"):
        list(EventDecoder(total_bytes=2 * len(event)).feed(2 * (event + b"\n")))


def test_an_unfinished_line_is_malformed() -> None:
    decoder = EventDecoder()
    assert list(decoder.feed(b'{"event"')) == []
    with pytest.raises(MalformedEventError, match="breaks off"):
        decoder.end()
