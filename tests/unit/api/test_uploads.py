"""Uploads: in pieces, checked, one's own, and gone when they are abandoned."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from tests.unit.api.conftest import ClientOf
from tests.unit.api.problems import problem
from trtfarm.blobs.garbage import find_garbage, remove_garbage
from trtfarm.blobs.uploads import Uploads
from trtfarm.database.clock import from_now
from trtfarm.database.schema import HolderRow, UploadRow
from trtfarm.digests import digest_of_bytes
from trtfarm.errors import BusyError, DataError, TooLargeError, UsageError
from trtfarm.farm import Farm
from trtfarm.tokens import Scope
from trtfarm_api.routes.blobs import span_of

DATA = b"0123456789" * 1000
DIGEST = digest_of_bytes(DATA)


def begin(client: TestClient, data: bytes = DATA) -> str:
    begun = client.post("/v1/uploads", json={"digest": digest_of_bytes(data), "size": len(data)})
    assert begun.status_code == 201, begun.text
    assert begun.headers["Location"] == f"/v1/uploads/{begun.json()['id']}"
    assert begun.json()["offset"] == 0
    return str(begun.json()["id"])


def send(client: TestClient, upload: str, data: bytes, first: int, size: int | str = len(DATA)) -> Any:
    headers = {"Content-Range": f"bytes {first}-{first + len(data) - 1}/{size}"}
    return client.patch(f"/v1/uploads/{upload}", content=data, headers=headers)


def test_pieces_become_a_blob(client: TestClient, farm: Farm) -> None:
    assert client.post("/v1/blobs/missing", json={"digests": [DIGEST, DIGEST]}).json() == {"missing": [DIGEST]}
    upload = begin(client)
    assert send(client, upload, DATA[:3000], 0).headers["Upload-Offset"] == "3000"
    problem(client.post(f"/v1/uploads/{upload}/finish"), 409, "conflict")
    assert send(client, upload, DATA[3000:], 3000, "*").status_code == 202
    finished = client.post(f"/v1/uploads/{upload}/finish")
    assert (finished.status_code, finished.json()) == (201, {"digest": DIGEST, "size": len(DATA)})
    assert client.get(f"/v1/blobs/{DIGEST}").content == farm.blobs.read(DIGEST) == DATA
    assert client.post("/v1/blobs/missing", json={"digests": [DIGEST]}).json() == {"missing": []}
    assert list((farm.settings.home / "uploads").iterdir()) == []
    problem(client.post(f"/v1/uploads/{upload}/finish"), 404, "not_found")


def test_an_empty_blob(client: TestClient, farm: Farm) -> None:
    assert client.post(f"/v1/uploads/{begin(client, b'')}/finish").status_code == 201
    assert farm.blobs.read(digest_of_bytes(b"")) == b""


def test_the_offset_is_told_after_a_break(client: TestClient) -> None:
    upload = begin(client)
    send(client, upload, DATA[:10], 0)
    headed = client.head(f"/v1/uploads/{upload}")
    assert (headed.headers["Upload-Offset"], headed.headers["Upload-Length"]) == ("10", str(len(DATA)))
    assert client.get(f"/v1/uploads/{upload}").json()["offset"] == 10
    (listed,) = client.get("/v1/uploads", params={"digest": DIGEST}).json()["items"]
    assert (listed["id"], listed["offset"]) == (upload, 10)


@pytest.mark.parametrize("first", [0, 9, 11, 100])
def test_only_the_next_byte_is_taken(client: TestClient, first: int) -> None:
    upload = begin(client)
    send(client, upload, DATA[:10], 0)
    assert "go on at 10" in problem(send(client, upload, b"x", first), 409, "conflict")["remedy"]
    assert client.get(f"/v1/uploads/{upload}").json()["offset"] == 10


@pytest.mark.parametrize(
    "content_range",
    ["", "0-9", "bytes 0-9", "bytes 9-0/10000", "bytes 0-10000/10001", "bytes -1-5/10000", "bytes 0-x/10000", "bytes"],
)
def test_a_content_range_that_cannot_be(client: TestClient, content_range: str) -> None:
    headers = {"Content-Range": content_range}
    answered = client.patch(f"/v1/uploads/{begin(client)}", content=DATA[:10], headers=headers)
    problem(answered, 400, "usage")


def test_what_came_of_a_piece_that_was_cut_short_stays(client: TestClient) -> None:
    upload = begin(client)
    headers = {"Content-Range": f"bytes 0-{len(DATA) - 1}/*"}
    answered = client.patch(f"/v1/uploads/{upload}", content=DATA[:700], headers=headers)
    assert "go on at 700" in problem(answered, 400, "usage")["remedy"]
    assert send(client, upload, DATA[700:], 700).status_code == 202
    assert client.post(f"/v1/uploads/{upload}/finish").status_code == 201


def test_more_than_was_announced_is_not_taken(client: TestClient) -> None:
    upload = begin(client)
    headers = {"Content-Range": "bytes 0-9/*"}
    problem(client.patch(f"/v1/uploads/{upload}", content=DATA, headers=headers), 400, "usage")
    assert client.get(f"/v1/uploads/{upload}").json()["offset"] == 0


def test_other_bytes_than_were_announced_are_thrown_away(client: TestClient, farm: Farm) -> None:
    upload = begin(client)
    send(client, upload, DATA[::-1], 0)
    problem(client.post(f"/v1/uploads/{upload}/finish"), 422, "bad_data")
    problem(client.get(f"/v1/uploads/{upload}"), 404, "not_found")
    assert list(farm.blobs.blobs()) == []
    assert list((farm.settings.home / "uploads").iterdir()) == []


def test_two_clients_upload_the_same(client: TestClient, farm: Farm) -> None:
    one, other = begin(client), begin(client)
    for upload in (one, other):
        assert send(client, upload, DATA, 0).status_code == 202
    for upload in (one, other):
        assert client.post(f"/v1/uploads/{upload}/finish").status_code == 201
    assert farm.blobs.read(DIGEST) == DATA


def test_one_request_at_a_time_writes(client: TestClient, farm: Farm) -> None:
    upload = begin(client)
    piece = farm.uploads.open_piece("local", upload, first=0, stop=5)
    assert "being written" in problem(send(client, upload, DATA, 0), 409, "conflict")["message"]
    problem(client.delete(f"/v1/uploads/{upload}"), 409, "conflict")
    piece.close()
    assert send(client, upload, DATA, 0).status_code == 202


def test_an_upload_is_its_makers_alone(client_of: ClientOf, token_for: Callable[..., str]) -> None:
    mine, other = client_of(token_for(Scope.SUBMIT)), client_of(token_for(Scope.ADMIN))
    upload = begin(mine)
    assert other.get("/v1/uploads").json() == {"items": []}
    problem(send(other, upload, DATA, 0), 404, "not_found")
    problem(other.delete(f"/v1/uploads/{upload}"), 404, "not_found")
    assert mine.delete(f"/v1/uploads/{upload}").status_code == 204
    problem(mine.get(f"/v1/uploads/{upload}"), 404, "not_found")


def test_readers_upload_nothing(client_of: ClientOf, token_for: Callable[..., str]) -> None:
    reader = client_of(token_for(Scope.READ))
    problem(reader.post("/v1/uploads", json={"digest": DIGEST, "size": 1}), 403, "forbidden")
    problem(reader.post("/v1/blobs/missing", json={"digests": []}), 403, "forbidden")


def test_clean_up_leaves_alone_what_was_uploaded_and_what_was_asked_for(client: TestClient, farm: Farm) -> None:
    there = farm.blobs.put_bytes(b"there already").digest
    upload = begin(client)
    send(client, upload, DATA, 0)
    client.post(f"/v1/uploads/{upload}/finish")
    client.post("/v1/blobs/missing", json={"digests": [there]})
    assert find_garbage(farm.database, farm.blobs, grace_seconds=-1) == []
    with farm.database.write() as session:
        session.execute(update(HolderRow).values(expires=from_now(-1)))
    garbage = find_garbage(farm.database, farm.blobs, grace_seconds=-1)
    assert {stored.blob.digest for stored in remove_garbage(farm.database, farm.blobs, garbage)} == {there, DIGEST}


def test_an_abandoned_upload_ends(client: TestClient, farm: Farm) -> None:
    ended, kept = begin(client), begin(client)
    with farm.database.write() as session:
        session.execute(update(UploadRow).where(UploadRow.id == ended).values(expires=from_now(-1)))
    problem(client.get(f"/v1/uploads/{ended}"), 404, "not_found")
    assert farm.uploads.sweep() == 1
    assert [path.name for path in (farm.settings.home / "uploads").iterdir()] == [kept]
    with farm.database.read() as session:
        assert session.scalars(select(UploadRow.id)).all() == [kept]


def test_one_that_is_begun_during_clean_up_stays(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    read, begun = farm.database.read, list[str]()

    @contextmanager
    def then_begin() -> Iterator[Session]:
        with read() as session:
            yield session
        monkeypatch.undo()
        begun.append(farm.uploads.begin("me", DIGEST, len(DATA)).id)

    farm.uploads.begin("other", DIGEST, len(DATA))
    monkeypatch.setattr(farm.database, "read", then_begin)
    assert farm.uploads.sweep() == 0
    assert [upload.id for upload in farm.uploads.of("me")] == begun


def test_one_whose_maker_died_before_the_first_byte_is_in_nobodys_way(farm: Farm) -> None:
    dead = farm.uploads.begin("me", DIGEST, len(DATA))
    (farm.settings.home / "uploads" / dead.id).unlink()
    alive = farm.uploads.begin("me", DIGEST, len(DATA))
    assert farm.uploads.of("me", DIGEST) == [alive]


def test_sizes_and_numbers_have_limits(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    uploads = Uploads(farm.database, farm.blobs, farm.settings.home / "uploads", largest=100)
    with pytest.raises(TooLargeError):
        uploads.begin("local", DIGEST, 101)
    monkeypatch.setattr("trtfarm.blobs.uploads._OPEN_AT_ONCE", 1)
    uploads.begin("local", DIGEST, 100)
    with pytest.raises(BusyError):
        uploads.begin("local", DIGEST, 100)
    uploads.begin("tok_other", DIGEST, 100)


@given(text=st.text(st.characters(codec="ascii", exclude_characters="\0\r\n"), max_size=80))
def test_no_content_range_breaks_the_server(text: str) -> None:
    """Whatever it is, it is a span or a UsageError."""
    try:
        first, stop, _ = span_of(text)
    except UsageError:
        return
    assert first >= 0
    assert stop > 0


def test_what_no_disk_has_room_for_is_refused_at_once(client: TestClient) -> None:
    problem(client.post("/v1/uploads", json={"digest": DIGEST, "size": 1 << 60}), 413, "too_large")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"digest": "sha256:x", "size": 1},
        {"digest": DIGEST, "size": -1},
        {"digest": DIGEST, "size": 1 << 70},
        [],
        "x",
    ],
)
def test_an_upload_that_cannot_be(client: TestClient, body: Any) -> None:
    problem(client.post("/v1/uploads", json=body), 422, "usage")


def test_json_that_is_none(client: TestClient) -> None:
    problem(client.post("/v1/uploads", content=b"{", headers={"Content-Type": "application/json"}), 422, "usage")


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(0, len(DATA)), max_size=6), noise=st.text(max_size=12))
def test_pieces_of_any_size_add_up(client: TestClient, farm: Farm, cuts: list[int], noise: str) -> None:
    data = noise.encode() + DATA
    upload = begin(client, data)
    edges = sorted({0, len(data), *cuts})
    for first, stop in pairwise(edges):
        assert send(client, upload, data[first:stop], first, len(data)).status_code == 202
    assert client.post(f"/v1/uploads/{upload}/finish").status_code == 201
    assert farm.blobs.read(digest_of_bytes(data)) == data


def test_a_name_never_leads_out_of_the_folder(client: TestClient, tmp_path: Path) -> None:
    for name in ("..", "%2e%2e%2ffarm.db", "upl_%2f..%2f..", "upl_" + "x" * 21):
        assert client.get(f"/v1/uploads/{name}").status_code in {404, 422}


def test_a_finished_upload_is_not_copied(client: TestClient, farm: Farm) -> None:
    upload = begin(client)
    send(client, upload, DATA[:3000], 0)
    send(client, upload, DATA[3000:], 3000)
    written = (farm.settings.home / "uploads" / upload).stat().st_ino
    assert client.post(f"/v1/uploads/{upload}/finish").status_code == 201
    stored = farm.settings.home / "blobs" / "sha256" / DIGEST[7:9] / DIGEST[9:]
    assert (stored.stat().st_ino, stored.stat().st_mode & 0o777) == (written, 0o444)


@pytest.mark.parametrize("data", [DATA, b"x" + DATA[1:]])
def test_what_several_processes_have_written_is_read_again(farm: Farm, data: bytes) -> None:
    one, other = farm.uploads, Uploads(farm.database, farm.blobs, farm.settings.home / "uploads")
    upload = one.begin("me", DIGEST, len(DATA)).id
    for uploads, first, stop in ((one, 0, 3000), (other, 3000, 6000), (one, 6000, len(data))):
        piece = uploads.open_piece("me", upload, first=first, stop=stop)
        piece.write(data[first:stop])
        piece.close()
    if data == DATA:
        assert one.finish("me", upload).digest == DIGEST
        assert farm.blobs.read(DIGEST) == DATA
    else:
        with pytest.raises(DataError, match="not those"):
            one.finish("me", upload)
        assert farm.blobs.size(DIGEST) is None
