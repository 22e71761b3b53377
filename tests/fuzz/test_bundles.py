"""Bundles: whatever one holds, and whoever signed it, all of it comes in and can be shown, or nothing does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contracts.bundle_stock import Stock, bundle, farm_at, submitted, taken, trusts
from tests.fuzz.documents import altered
from tests.fuzz.mutation import mutated
from tests.fuzz.outcome import outcome
from tests.unit.bundles.forging import Forged, resealed
from trtfarm.bundles.importing import Imported
from trtfarm.bundles.selection import Selection
from trtfarm.catalog.details import engine_details, table_details
from trtfarm.catalog.filters import Filter
from trtfarm.catalog.search import find_engines, find_tables
from trtfarm.database.schema import BlobRow, EngineRow, HolderRow, ModelRow, TableRow
from trtfarm.digests import canonical_json
from trtfarm.errors import BundleError, SignatureError, TableError
from trtfarm.farm import Farm
from trtfarm.submissions.reuse import algorithm_of
from trtfarm_cli import accuracy

WORDS = (b"manifest.json", b"manifest.sig", b"blobs/sha256/", b"ustar  \0", b'{"', b'":', b"[[[[", b"\\ud800", b"1e999")
REFUSALS = (BundleError, SignatureError, TableError)
#: A manifest is held as text and as values, and the table in it as well.
MEMORY_BYTES = 96 << 20


@pytest.fixture(scope="module")
def giver(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stock]:
    with farm_at(tmp_path_factory.mktemp("giver"), migrated) as farm:
        stock = Stock(farm)
        stock.record()
        yield stock


@pytest.fixture(scope="module")
def true(giver: Stock) -> bytes:
    return bundle(giver.farm, Selection(model="lenet", with_recordings=True))


@given(data=st.data())
def test_a_file_of_bytes(giver: Stock, true: bytes, migrated: Path, data: st.DataObject) -> None:
    """A signature is over every byte, so that only the true bundle comes in."""
    handed = data.draw(mutated([true], WORDS))
    with _taker(giver, migrated) as taker:
        assert (_taken(taker, handed) is not None) == (handed == true)


@given(data=st.data())
def test_a_manifest(giver: Stock, true: bytes, migrated: Path, data: st.DataObject) -> None:
    """Signed by a farm that is trusted, as its engines are."""
    forged = Forged.of(giver.farm, true)
    forged.manifest = data.draw(altered([forged.manifest]))
    handed = resealed(forged).bytes()
    with _taker(giver, migrated) as taker:
        imported = _taken(taker, handed)
        if imported is not None:
            canonical_json(imported.as_dict())
            _show(taker)
            assert taken(taker, handed).as_dict()["new"] == {}
            submitted(taker, giver.request())


@contextmanager
def _taker(giver: Stock, migrated: Path) -> Iterator[Farm]:
    with TemporaryDirectory() as folder, farm_at(Path(folder), migrated) as farm:
        trusts(farm, giver.farm)
        yield farm


def _taken(taker: Farm, data: bytes) -> Imported | None:
    imported = outcome(lambda: taken(taker, data), *REFUSALS, memory_bytes=MEMORY_BYTES)
    if imported is None:
        with taker.database.read() as session:
            assert [session.query(rows).count() for rows in (ModelRow, EngineRow, BlobRow, HolderRow)] == [0, 0, 0, 0]
    return imported


def _show(farm: Farm) -> None:
    """What commands and the API make of what came."""
    with farm.database.read() as session:
        engines = find_engines(session, Filter())
        for engine in engines:
            accuracy.brief(engine.metrics)
            shown: list[Any] = [engine.as_dict(), engine_details(session, engine.id)]
            if engine.metrics is not None:
                shown += accuracy.lines(engine.metrics, engine.precision)
            canonical_json(shown)
        for table in find_tables(session, Filter()):
            canonical_json([table.as_dict(), table_details(session, table.id)])
            algorithm_of(session.get_one(TableRow, table.id))
