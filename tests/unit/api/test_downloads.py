"""Downloads: whole, in ranges, and never damaged."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from tests.contracts.rows import engine_row, model_row, table_row
from tests.unit.api.problems import problem
from trtfarm.errors import CorruptBlobError
from trtfarm.farm import Farm
from trtfarm_api.downloads import Span, verified

#: More than one piece of 4 MiB.
PLAN = bytes(range(256)) * (5 << 12)
TEXT = b"TRT-8503-MinMaxCalibration\ndata: 3c010204\n"


@pytest.fixture
def digest(farm: Farm) -> str:
    """The digest of the plan of `eng_1`."""
    plan, text = farm.blobs.put_bytes(PLAN), farm.blobs.put_bytes(TEXT)
    with farm.database.write() as session:
        session.add(model_row())
        session.flush()
        session.add(table_row(blob=text.digest))
        session.add(engine_row(blob=plan.digest))
    return plan.digest


def test_a_whole_engine(client: TestClient, digest: str) -> None:
    answered = client.get("/v1/engines/eng_1/plan")
    assert answered.status_code == 200
    assert answered.content == PLAN
    assert answered.headers["ETag"] == f'"{digest}"'
    assert answered.headers["Content-Disposition"] == 'attachment; filename="eng_1.plan"'
    headed = client.head("/v1/engines/eng_1/plan")
    assert (headed.status_code, headed.headers["Content-Length"], headed.content) == (200, str(len(PLAN)), b"")


def test_the_text_of_a_table(client: TestClient, digest: str) -> None:
    assert client.get("/v1/tables/tab_1/text").content == TEXT


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=5-99", 5, 100),
        (f"bytes={len(PLAN) - 3}-", len(PLAN) - 3, len(PLAN)),
        ("bytes=-10", len(PLAN) - 10, len(PLAN)),
        (f"bytes=4194300-{10**17}", 4194300, len(PLAN)),
    ],
)
def test_one_range(client: TestClient, digest: str, asked: str, start: int, stop: int) -> None:
    answered = client.get("/v1/engines/eng_1/plan", headers={"Range": asked, "If-Range": f'"{digest}"'})
    assert answered.status_code == 206
    assert answered.content == PLAN[start:stop]
    assert answered.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{len(PLAN)}"


@pytest.mark.parametrize("asked", ["bytes=5-2", "bytes=0-1,4-5", "lines=1-2", "bytes=-", "bytes=a-b", "bytes=1"])
def test_a_range_that_is_none_is_passed_over(client: TestClient, digest: str, asked: str) -> None:
    answered = client.get("/v1/engines/eng_1/plan", headers={"Range": asked})
    assert (answered.status_code, len(answered.content)) == (200, len(PLAN))


@pytest.mark.parametrize("asked", [f"bytes={len(PLAN)}-", "bytes=-0", "bytes=999999999-999999999999"])
def test_a_range_beyond_the_end_is_refused(client: TestClient, digest: str, asked: str) -> None:
    answered = client.get("/v1/engines/eng_1/plan", headers={"Range": asked})
    problem(answered, 416, "usage")
    assert answered.headers["Content-Range"] == f"bytes */{len(PLAN)}"


def test_part_of_something_else_is_not_gone_on_with(client: TestClient, digest: str) -> None:
    answered = client.get("/v1/engines/eng_1/plan", headers={"Range": "bytes=5-", "If-Range": '"sha256:other"'})
    assert answered.status_code == 200


def test_what_a_client_has_is_not_sent_again(client: TestClient, digest: str) -> None:
    answered = client.get("/v1/engines/eng_1/plan", headers={"If-None-Match": f'"other", "{digest}"'})
    assert (answered.status_code, answered.content) == (304, b"")


def test_bytes_that_are_gone_are_told(
    client: TestClient, farm: Farm, digest: str, caplog: pytest.LogCaptureFixture
) -> None:
    """To the client, and as an error of the farm to whoever keeps it."""
    farm.blobs.delete(digest)
    problem(client.get("/v1/engines/eng_1/plan"), 410, "missing_blob")
    assert [record.levelname for record in caplog.records if record.name.startswith("trtfarm_api")] == ["ERROR"]


def test_a_damaged_engine_never_comes_whole(client: TestClient, farm: Farm, digest: str) -> None:
    """The error can no longer be told in words, so the last piece is what does not come."""
    digits = digest.removeprefix("sha256:")
    path = Path(farm.settings.home, "blobs", "sha256", digits[:2], digits[2:])
    path.chmod(0o644)
    path.write_bytes(b"x" + PLAN[1:])
    answered = client.get("/v1/engines/eng_1/plan")
    assert len(answered.content) < len(PLAN)


@given(st.lists(st.binary(max_size=9), max_size=9), st.integers(0, 90), st.integers(0, 90))
def test_a_span_is_cut_out_of_any_pieces(pieces: list[bytes], start: int, size: int) -> None:
    whole = b"".join(pieces)
    span = Span(start=start, stop=start + size)
    assert b"".join(verified(iter(pieces), span)) == whole[start : start + size]


def test_the_last_piece_waits_for_the_end() -> None:
    def damaged() -> object:
        yield b"one"
        yield b"two"
        raise CorruptBlobError("damaged")

    stream = verified(damaged(), Span(start=0, stop=6))  # type: ignore[arg-type]
    assert next(stream) == b"one"
    with pytest.raises(CorruptBlobError):
        next(stream)
