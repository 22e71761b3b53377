"""Bundles on their way to a file and from one, over connections that break."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import pytest

from tests.contracts.bundle_stock import Stock, bundle, farm_at, submitted, trusts
from tests.unit.client.breaking import BreakingWay
from tests.unit.client.conftest import link_to
from trtfarm.bundles.exporting import export_of
from trtfarm.bundles.selection import Selection
from trtfarm.database.schema import EngineRow
from trtfarm.errors import BundleError, NotFoundError, SignatureError, TrtfarmError
from trtfarm.farm import Farm
from trtfarm_client import AsyncClient, Client

#: Large enough to be cut in the middle of a file.
PLAN = os.urandom(2_000_000)


@pytest.fixture
def stock(farm: Farm) -> Stock:
    """In the farm of the server."""
    return Stock(farm, plan=PLAN)


@pytest.fixture
def giver(migrated: Path, tmp_path: Path, farm: Farm) -> Iterator[Stock]:
    """In another one, which the server trusts."""
    with farm_at(tmp_path / "giver", migrated) as other:
        trusts(farm, other)
        yield Stock(other, plan=PLAN)


@pytest.fixture
def handed(giver: Stock, tmp_path: Path) -> Path:
    path = tmp_path / "handed.bundle"
    path.write_bytes(bundle(giver.farm, Selection(model="lenet")))
    return path


def test_an_export_goes_on_where_it_broke(
    way: BreakingWay, client_at: Callable[[int], Client], stock: Stock, tmp_path: Path
) -> None:
    way.cuts = [700_000, 700_000]
    told: list[int] = []
    path = tmp_path / "farm.bundle"
    bundles = client_at(way.port).bundles
    digest = bundles.export_to(path, engines=[stock.engine], report=lambda each: told.append(each.done))
    assert way.broken >= 2
    assert path.read_bytes() == bundle(stock.farm, Selection(engines=(stock.engine,)))
    assert digest == export_of(stock.farm, Selection(engines=(stock.engine,))).manifest.digest
    assert told == sorted(told)
    bundles.export_to(path, model="lenet", label="prod", with_models=True)
    assert path.read_bytes() == bundle(stock.farm, Selection(model="lenet", with_models=True))


def test_what_is_no_bundle_any_more_leaves_no_file(client: Client, stock: Stock, tmp_path: Path) -> None:
    """The server finds out in the middle, and then says so at once."""
    [path] = stock.farm.settings.home.glob(f"blobs/**/{stock.row(EngineRow, stock.engine).blob[9:]}")
    path.chmod(0o644)
    path.write_bytes(b"x" + path.read_bytes()[1:])
    for _ in range(2):
        with pytest.raises(TrtfarmError, match=f"a file of engine {stock.engine} is not here"):
            client.bundles.export_to(tmp_path / "farm.bundle", model="lenet")
    with pytest.raises(NotFoundError):
        client.bundles.export_to(tmp_path / "farm.bundle", engines=["eng_none"])
    assert list(tmp_path.glob("*farm.bundle*")) == []


def test_an_import_goes_on_where_its_upload_broke(
    way: BreakingWay, client_at: Callable[[int], Client], farm: Farm, giver: Stock, handed: Path
) -> None:
    sent: list[int] = []
    bundles = client_at(way.port).bundles
    planned = bundles.import_from(handed, dry_run=True, report=lambda each: sent.append(each.total))
    assert max(sent) < 100_000 < planned["bytes"] < handed.stat().st_size
    way.cuts = [700_000, 700_000]
    bundles = client_at(way.port).bundles
    done: list[tuple[int, int]] = []
    assert bundles.import_from(handed, tell=lambda *counts: done.append(counts)) == {**planned, "dry_run": False}
    assert way.broken >= 2
    assert done == sorted(done)
    assert submitted(farm, giver.request()).hit
    assert bundles.import_from(handed, labels=True)["new"] == {}


def test_the_awaited_client_does_the_same(port: int, token: str, farm: Farm, giver: Stock, handed: Path) -> None:
    async def both() -> tuple[str, bytes]:
        async with AsyncClient(link_to(port, token)) as client:
            imported = await client.bundles.import_from(handed)
            again = handed.with_name("again.bundle")
            await client.bundles.export_to(again, engines=imported["new"]["engines"])
            return imported["bundle"], again.read_bytes()

    digest, exported = anyio.run(both)
    assert digest == export_of(giver.farm, Selection(model="lenet")).manifest.digest
    assert exported == bundle(farm, Selection(model="lenet"))


def test_what_the_server_refuses_is_raised_here(client: Client, stock: Stock, handed: Path, farm: Farm) -> None:
    handed.write_bytes(handed.read_bytes()[:-1])
    for dry_run in (False, True):
        with pytest.raises(BundleError, match="the bundle is damaged"):
            client.bundles.import_from(handed, dry_run=dry_run)
    for path in (farm.settings.home / "keys" / "trusted").iterdir():
        path.unlink()
    with pytest.raises(SignatureError, match="not trusted here"):
        client.bundles.import_from(handed)
