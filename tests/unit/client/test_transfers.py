"""Files on their way to a farm and back, over connections that break."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path

import anyio
import anyio.from_thread
import pytest

from tests.contracts.rows import engine_row, model_row
from tests.unit.client.breaking import BreakingWay
from tests.unit.client.conftest import link_to
from trtfarm.blobs.store import Blob
from trtfarm.database.schema import UploadRow
from trtfarm.digests import digest_of_bytes, digest_of_file
from trtfarm.errors import MissingBlobError, ServerError, UnreachableError
from trtfarm.farm import Farm
from trtfarm_client import AsyncClient, Client
from trtfarm_client.downloads import receiving
from trtfarm_client.flows import Transferred

SIZE = 5_000_000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "weights.bin"
    path.write_bytes(os.urandom(SIZE))
    return path


@pytest.fixture
def stored(farm: Farm) -> Blob:
    """The plan of `eng_1`."""
    blob = farm.blobs.put_bytes(os.urandom(SIZE))
    with farm.database.write() as session:
        session.add(model_row())
        session.flush()
        session.add(engine_row(id="eng_1", blob=blob.digest, size=blob.size))
    return blob


def uploads(farm: Farm) -> int:
    with farm.database.read() as session:
        return session.query(UploadRow).count()


def test_only_what_is_missing_is_uploaded(client: Client, farm: Farm, file: Path, tmp_path: Path) -> None:
    known = tmp_path / "known.bin"
    known.write_bytes(b"known")
    farm.blobs.put_file(known)
    told: list[Transferred] = []
    digests = client.upload([known, file, file], report=told.append)
    assert digests == {known: digest_of_file(known), file: digest_of_file(file)}
    assert {each.path for each in told} == {file}
    assert [each.done for each in told] == sorted(each.done for each in told)
    assert (told[0].done, told[-1].done, told[-1].total) == (0, SIZE, SIZE)
    assert farm.blobs.verify(digests[file])
    assert uploads(farm) == 0


def test_a_broken_upload_goes_on_where_it_was(
    way: BreakingWay, client_at: Callable[[int], Client], farm: Farm, file: Path
) -> None:
    """The first connections break; no byte that the server has is sent again."""
    client = client_at(way.port)
    way.cuts = [SIZE // 3, SIZE // 3]
    told: list[int] = []
    digests = client.upload([file], report=lambda each: told.append(each.done))
    assert way.broken >= 2
    assert farm.blobs.verify(digests[file])
    begun_at = [now for before, now in pairwise(told) if now <= before]
    assert len(begun_at) >= 2
    assert begun_at[0] > 0
    assert uploads(farm) == 0


def test_another_process_goes_on_with_what_one_began(
    way: BreakingWay, client_at: Callable[[int], Client], client: Client, farm: Farm, file: Path
) -> None:
    way.cuts = [SIZE // 2] + [1] * 200
    with pytest.raises(UnreachableError, match="does not answer"):
        client_at(way.port).upload([file])
    assert uploads(farm) == 1
    told: list[int] = []
    client.upload([file], report=lambda each: told.append(each.done))
    assert told[0] > 0
    assert farm.blobs.verify(digest_of_file(file))


def test_a_download_is_verified_and_goes_on(
    way: BreakingWay, client_at: Callable[[int], Client], stored: Blob, tmp_path: Path
) -> None:
    way.cuts = [SIZE // 3, SIZE // 3]
    told: list[int] = []
    target = tmp_path / "engine.plan"
    digest = client_at(way.port).download_engine("eng_1", target, report=lambda each: told.append(each.done))
    assert digest == stored.digest == digest_of_file(target)
    assert way.broken >= 2
    assert told == sorted(told)
    assert [path.name for path in tmp_path.glob("*engine*")] == ["engine.plan"]


def test_a_damaged_blob_leaves_no_file(client: Client, farm: Farm, stored: Blob, tmp_path: Path) -> None:
    [path] = [path for path in (farm.settings.home / "blobs").rglob("*") if path.is_file()]
    with path.open("r+b") as file:
        file.seek(SIZE - 1)
        last = file.read(1)
        file.seek(SIZE - 1)
        file.write(bytes([last[0] ^ 1]))
    target = tmp_path / "engine.plan"
    target.write_bytes(b"before")
    with pytest.raises(MissingBlobError):
        client.download_engine("eng_1", target)
    assert target.read_bytes() == b"before"
    assert [found.name for found in tmp_path.glob("*engine*")] == ["engine.plan"]


def test_the_awaited_client_does_the_same(way: BreakingWay, token: str, stored: Blob, farm: Farm, file: Path) -> None:
    async def both() -> tuple[str, str]:
        async with AsyncClient(link_to(way.port, token)) as client:
            digests = await client.upload([file])
            return digests[file], await client.download_engine("eng_1", file.with_name("engine.plan"))

    way.cuts = [SIZE // 2, SIZE // 2]
    up, down = anyio.run(both)
    assert farm.blobs.verify(up)
    assert down == stored.digest == digest_of_file(file.with_name("engine.plan"))
    assert way.broken >= 1


def test_an_awaited_download_that_is_cancelled_leaves_no_file(client: Client, stored: Blob, tmp_path: Path) -> None:
    async def cancelled() -> bool:
        async with AsyncClient(client.link) as awaited:
            with anyio.CancelScope() as scope:
                stop = partial(anyio.from_thread.run_sync, scope.cancel)
                await awaited.download_engine("eng_1", tmp_path / "engine.plan", report=lambda _: stop())
            return scope.cancelled_caught

    assert anyio.run(cancelled)
    assert list(tmp_path.glob("*engine*")) == []


@pytest.mark.parametrize("told", ["", "bytes 0-3/9", "bytes 5-8/9", "bytes 4-8", "4-8/9"])
def test_another_range_than_was_asked_for_is_not_taken_for_it(tmp_path: Path, told: str) -> None:
    digest = digest_of_bytes(b"012345678")
    with receiving(tmp_path / "plan", digest, lambda _done, _total: None) as part:
        part.begin(200, {"ETag": digest, "Content-Length": "9"})
        part.take(b"0123")
        with pytest.raises(ServerError, match="another range"):
            part.begin(206, {"ETag": digest, "Content-Range": told})
        part.begin(206, {"ETag": digest, "Content-Range": "bytes 4-8/9"})
        part.take(b"45678")
        part.check()
    assert (tmp_path / "plan").read_bytes() == b"012345678"
