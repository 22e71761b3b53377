"""What is exported from one farm is found on another, whole or not at all, on any database."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import delete, func, select

from tests.contracts.bundle_stock import LENET, SCALES, Stock, bundle, farm_at, farm_in, submitted, taken, trusts
from trtfarm import actions
from trtfarm.bundles.container import Container
from trtfarm.bundles.exporting import export_of
from trtfarm.bundles.importing import import_bundle
from trtfarm.bundles.manifest import Manifest
from trtfarm.bundles.selection import Selection
from trtfarm.catalog.details import engine_details, table_details
from trtfarm.catalog.filters import Filter
from trtfarm.catalog.removal import remove_engines
from trtfarm.catalog.search import find_engines
from trtfarm.database.schema import (
    Base,
    BlobRow,
    DatasetRow,
    EngineLabelRow,
    EngineRow,
    HolderRow,
    ModelRow,
    QuantizationRow,
    TableRow,
    VerificationRow,
)
from trtfarm.database.session import Database
from trtfarm.errors import (
    BundleError,
    CorruptBlobError,
    MissingBlobError,
    NotFoundError,
    SignatureError,
    UsageError,
)
from trtfarm.farm import Farm
from trtfarm.intake import add_model, model_stored
from trtfarm.models.model import Model
from trtfarm.retention.checkup import Damage, check_up
from trtfarm.retention.cleaning import clean
from trtfarm.retention.policy import Policy
from trtfarm.submissions.results import find

ALL = Selection(model="lenet")
KINDS = {"models", "datasets", "tables", "quantizations", "engines", "verifications"}


class BundleContract:
    """Run with a fixture `database`, which is that of the farm that takes; the one that gives is on SQLite."""

    @pytest.fixture
    def giver(self, migrated: Path, tmp_path: Path) -> Iterator[Farm]:
        with farm_at(tmp_path / "giver", migrated) as farm:
            yield farm

    @pytest.fixture
    def taker(self, database: Database, giver: Farm, tmp_path: Path) -> Farm:
        farm = farm_in(tmp_path / "taker", database)
        trusts(farm, giver)
        return farm

    @pytest.fixture
    def stock(self, giver: Farm) -> Stock:
        return Stock(giver)

    def test_a_later_submission_finds_what_came(self, stock: Stock, taker: Farm) -> None:
        """Every step of it, of the rows' ids alone: no file of the model or the data is there."""
        assert submitted(stock.farm, stock.request()).hit
        imported = taken(taker, bundle(stock.farm, ALL))
        assert imported.as_dict()["new"].keys() == KINDS
        assert submitted(taker, stock.request()).hit
        again = add_model(taker, Model.read(LENET))
        assert again == stock.model
        assert model_stored(taker, Model.read(LENET))
        assert submitted(taker, stock.request()).hit

    def test_an_engine_stays_what_it_was_and_tells_where_it_came_from(self, stock: Stock, taker: Farm) -> None:
        imported = taken(taker, bundle(stock.farm, ALL))
        with stock.farm.database.read() as session:
            before, table = engine_details(session, stock.engine), table_details(session, stock.table)
        with taker.database.read() as session:
            after, other = engine_details(session, stock.engine), table_details(session, stock.table)
        origin = {"bundle": imported.origin.bundle, "farm": imported.origin.farm, "made": before["created"]}
        assert (before["imported"], after["imported"]) == (None, origin)
        assert other["imported"] == {**origin, "made": table["created"]}
        own = {"created", "labels", "rule", "imported"}
        assert {name: after[name] for name in after if name not in own} == {
            name: before[name] for name in before if name not in own
        }
        assert list(other["scales"].items()) == list(SCALES.items())
        assert {name: other[name] for name in other if name not in own} == {
            name: table[name] for name in table if name not in own
        }
        assert (before["labels"], after["labels"]) == (["prod"], [])
        assert all(taker.blobs.verify(blob) for blob in self._files(taker))

    def test_taken_again_nothing_happens(self, stock: Stock, taker: Farm) -> None:
        data = bundle(stock.farm, ALL)
        first = taken(taker, data).as_dict()
        rows = self._rows(taker)
        for options in ({}, {"dry_run": True}):
            again = taken(taker, data, **options).as_dict()
            assert (again["new"], again["there"], again["files"]) == ({}, first["new"], 0)
            assert self._rows(taker) == rows

    def test_a_dry_run_says_the_same_and_does_nothing(self, stock: Stock, taker: Farm) -> None:
        data = bundle(stock.farm, Selection(engines=(stock.engine,), with_models=True))
        rows = self._rows(taker)
        planned = taken(taker, data, dry_run=True).as_dict()
        assert self._rows(taker) == rows
        assert list(taker.blobs.blobs()) == []
        assert planned == {**taken(taker, data).as_dict(), "dry_run": True}

    def test_the_same_is_exported_as_the_same_bytes(self, stock: Stock, taker: Farm) -> None:
        data = bundle(stock.farm, ALL)
        assert bundle(stock.farm, ALL) == data == bundle(stock.farm, Selection(label="prod"))
        assert bundle(stock.farm, Selection(engines=(stock.engine, stock.engine[:-1]), tables=(stock.table,))) == data

    def test_a_name_that_an_older_release_kept_as_it_came_can_go_along(self, stock: Stock, taker: Farm) -> None:
        with stock.farm.database.write() as session:
            session.get_one(ModelRow, stock.model).name = "na\nme\x1b[31m"
        taken(taker, bundle(stock.farm, Selection(engines=(stock.engine,))))
        with taker.database.read() as session:
            assert session.get_one(ModelRow, stock.model).name == r"na\x0ame\x1b[31m"

    def test_a_table_comes_with_what_it_was_made_of_and_no_more(self, stock: Stock, taker: Farm) -> None:
        imported = taken(taker, bundle(stock.farm, Selection(tables=(stock.table,)))).as_dict()
        assert imported["new"] == {"models": [stock.model], "datasets": [stock.data], "tables": [stock.table]}
        assert self._count(taker, EngineRow) == 0

    def test_models_come_when_they_are_asked_for(self, stock: Stock, taker: Farm) -> None:
        taken(taker, bundle(stock.farm, ALL))
        assert not model_stored(taker, Model.read(LENET))
        with pytest.raises(MissingBlobError, match=f"model {stock.model}"):
            bundle(taker, Selection(model="lenet", with_models=True))
        mended = taken(taker, bundle(stock.farm, Selection(model="lenet", with_models=True))).as_dict()
        assert (mended["new"], mended["files"]) == ({}, 1)
        assert model_stored(taker, Model.read(LENET))

    def test_files_that_stayed_behind_are_no_damage(self, stock: Stock, taker: Farm) -> None:
        taken(taker, bundle(stock.farm, ALL))
        assert check_up(taker, repair=False).findings == ()
        lost = stock.row(QuantizationRow, stock.quantized).blob
        taker.blobs.delete(lost)
        [finding] = check_up(taker, repair=True).findings
        assert (finding.digest, finding.damage, finding.repaired) == (lost, Damage.MISSING, False)

    def test_labels_are_taken_when_they_are_asked_for(self, stock: Stock, taker: Farm) -> None:
        data = bundle(stock.farm, ALL)
        taken(taker, data)
        for _ in range(2):
            taken(taker, data, labels=True)
            with taker.database.read() as session:
                [found] = find_engines(session, Filter(label="prod"))
            assert found.labels == ["prod"]

    def test_it_goes_on_to_a_third_farm(self, stock: Stock, taker: Farm, migrated: Path, tmp_path: Path) -> None:
        """Which trusts whoever hands it on, and whoever built it."""
        taken(taker, bundle(stock.farm, ALL))
        data = bundle(taker, ALL)
        with farm_at(tmp_path / "third", migrated) as third:
            trusts(third, taker)
            with pytest.raises(SignatureError, match=f"engine {stock.engine} is signed with a key that is not trusted"):
                taken(third, data)
            trusts(third, stock.farm)
            assert taken(third, data).as_dict()["new"].keys() == KINDS
            assert submitted(third, stock.request()).hit

    def test_each_project_has_what_it_brought(self, stock: Stock, taker: Farm) -> None:
        """With accuracies; a model is its own only if the bundle had its files, or it handed them in."""
        bare, whole = bundle(stock.farm, ALL), bundle(stock.farm, Selection(model="lenet", with_models=True))
        taken(taker, bare, project="vision")
        with taker.database.read() as session:
            seen = {project: find_engines(session, Filter(), project=project) for project in ("vision", "speech")}
        assert [[engine.id for engine in engines] for engines in seen.values()] == [[stock.engine], []]
        assert export_of(taker, ALL, "vision").manifest == export_of(taker, ALL).manifest
        with pytest.raises(NotFoundError):
            export_of(taker, ALL, "speech")
        taken(taker, whole, project="speech")
        taken(taker, whole, labels=True, project="speech")
        with pytest.raises(NotFoundError, match=f"{stock.model} was not handed in"):
            export_of(taker, Selection(model="lenet", with_models=True), "vision")
        found = export_of(taker, Selection(model="lenet", with_models=True), "speech").manifest
        assert [engine["labels"] for engine in found.rows["engines"]] == [["prod"]]
        assert [engine["labels"] for engine in export_of(taker, ALL, "vision").manifest.rows["engines"]] == [[]]

    def test_what_was_made_here_of_the_same_stays(self, stock: Stock, taker: Farm) -> None:
        """Other scales under a table's key, and another plan under an engine's."""
        ours = Stock(taker, scales={**SCALES, "prob": "3c010102"})
        theirs = taken(taker, bundle(stock.farm, ALL)).as_dict()
        assert [note["here"] for note in theirs["notes"]] == [stock.table]
        assert theirs["conflicts"] == []
        with taker.database.read() as session:
            assert session.get_one(TableRow, stock.table).key is None
            assert session.get_one(EngineRow, stock.engine).table_id == stock.table
        assert submitted(taker, ours.request()).result_ids("engine_id") == [ours.engine]
        assert taken(taker, bundle(stock.farm, ALL)).as_dict()["new"] == {}

    def test_another_build_of_the_same_stays_out(self, stock: Stock, taker: Farm) -> None:
        ours = Stock(taker, plan=b"another plan")
        found = taken(taker, bundle(stock.farm, ALL)).as_dict()
        assert found["new"] == {}
        [conflict] = found["conflicts"]
        assert (conflict["kind"], conflict["id"], conflict["here"]) == ("engine", stock.engine, ours.engine)
        assert [engine.id for engine in self._engines(taker)] == [ours.engine]
        remove_engines(taker.database, taker.blobs, self._unlabelled(taker, ours.engine))
        assert taken(taker, bundle(stock.farm, ALL)).as_dict()["new"] == {"engines": [stock.engine]}

    def test_rows_that_are_here_under_other_ids_are_those(self, stock: Stock, taker: Farm) -> None:
        ours = Stock(taker)
        found = taken(taker, bundle(stock.farm, ALL)).as_dict()
        assert (found["new"], found["conflicts"]) == ({}, [])
        assert found["there"]["engines"] == [ours.engine]
        remove_engines(taker.database, taker.blobs, self._unlabelled(taker, ours.engine))
        taken(taker, bundle(stock.farm, ALL))
        with taker.database.read() as session:
            came = session.get_one(EngineRow, stock.engine)
            assert (came.table_id, came.quantization_id) == (ours.table, ours.converted)

    def test_an_id_that_something_else_has_here_is_replaced(self, stock: Stock, taker: Farm) -> None:
        with taker.database.write() as session:
            other = add_model(taker, Model.read(LENET))
            row = session.get_one(ModelRow, other)
            values = {column.name: getattr(row, column.name) for column in ModelRow.__table__.columns}
            session.add(ModelRow(**{**values, "id": stock.model, "digest": "sha256:" + 64 * "0"}))
        new = taken(taker, bundle(stock.farm, ALL)).as_dict()
        assert new["there"] == {"models": [other]}
        [engine] = self._engines(taker)
        assert engine.model_id == other

    def test_what_fp32_computes_comes_when_it_is_asked_for(self, stock: Stock, taker: Farm) -> None:
        """By which engines are measured there without the model. Bundles without it are those of older releases."""
        recorded = stock.record()
        plain, more = bundle(stock.farm, ALL), bundle(stock.farm, Selection(model="lenet", with_recordings=True))
        versions = [Manifest.decode(Container(iter([data]), "it").manifest(), "it").version for data in (plain, more)]
        assert (versions, b'"recordings"' in plain) == ([1, 2], False)
        assert "recordings" not in taken(taker, plain).as_dict()["new"]
        came = taken(taker, more).as_dict()
        assert (came["new"], came["files"]) == ({"recordings": [recorded]}, 1)
        model, data = stock.row(ModelRow, stock.model), stock.row(DatasetRow, stock.test)
        with taker.database.read() as session:
            wanted = actions.record(model=model.digest, dataset=data.digest)
            assert find(session, wanted, taker.complete) == {"recording_id": recorded}
        again = taken(taker, more).as_dict()
        assert (again["new"], again["files"], check_up(taker, repair=False).findings) == ({}, 0, ())
        assert bundle(taker, Selection(model="lenet", with_recordings=True)).count(b'"recordings":[{') == 1

    def test_what_fp32_computed_here_stays(self, stock: Stock, taker: Farm) -> None:
        """Another processor adds up otherwise; which of the two engines are held to does not matter."""
        stock.record()
        ours = Stock(taker).record(samples=40)
        came = taken(taker, bundle(stock.farm, Selection(model="lenet", with_recordings=True))).as_dict()
        assert (came["there"]["recordings"], came["conflicts"], came["files"]) == ([ours], [], 0)

    def test_lost_files_come_back(self, stock: Stock, taker: Farm) -> None:
        data = bundle(stock.farm, ALL)
        taken(taker, data)
        lost = stock.row(EngineRow, stock.engine).blob
        taker.blobs.delete(lost)
        assert not submitted(taker, stock.request()).hit
        assert taken(taker, data, dry_run=True).as_dict()["files"] == 1
        assert taken(taker, data).as_dict()["files"] == 1
        assert taker.blobs.verify(lost)
        assert submitted(taker, stock.request()).hit

    @pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.9, 0.999])
    def test_one_that_breaks_off_leaves_nothing(self, stock: Stock, taker: Farm, share: float) -> None:
        data = bundle(stock.farm, ALL)
        rows = self._rows(taker)
        with pytest.raises(BundleError):
            taken(taker, data[: int(len(data) * share)])
        assert self._rows(taker) == rows
        clean(taker, Policy(), grace_seconds=-1)
        assert list(taker.blobs.blobs()) == []
        taken(taker, data)
        assert submitted(taker, stock.request()).hit

    def test_clean_up_beside_it_takes_nothing_of_it(self, stock: Stock, taker: Farm) -> None:
        """Not even with no grace at all, between two files and before any row names them."""
        told = []

        def sweep(done: int, total: int) -> None:
            told.append((done, total))
            # From where the store is asked to store, it can be asked for nothing else.
            sweeping = Thread(target=partial(clean, taker, Policy(), grace_seconds=-1))
            sweeping.start()
            sweeping.join()

        data = bundle(stock.farm, Selection(model="lenet", with_models=True))
        taken(taker, data, tell=sweep)
        clean(taker, Policy(), grace_seconds=-1)
        assert told == sorted(told)
        assert 0 < told[-1][0] <= told[-1][1] == len(data)
        assert submitted(taker, stock.request()).hit
        assert self._count(taker, HolderRow) == 0

    def test_several_at_once_are_one(self, stock: Stock, taker: Farm, tmp_path: Path) -> None:
        path = tmp_path / "lenet.bundle"
        path.write_bytes(bundle(stock.farm, ALL))
        with ThreadPoolExecutor(4) as pool:
            done = list(pool.map(lambda _: import_bundle(taker, path, name=path.name).as_dict(), range(4)))
        assert [each["new"].get("engines", []) for each in done].count([stock.engine]) == 1
        assert all(each["conflicts"] == [] for each in done)
        assert [self._count(taker, rows) for rows in (EngineRow, TableRow, ModelRow, HolderRow)] == [1, 1, 1, 0]
        assert submitted(taker, stock.request()).hit

    def test_an_unknown_key_is_refused_with_the_way_out(self, stock: Stock, database: Database, tmp_path: Path) -> None:
        stranger = farm_in(tmp_path / "stranger", database)
        with pytest.raises(SignatureError, match="not trusted here") as caught:
            taken(stranger, bundle(stock.farm, ALL))
        assert "trtfarm keys trust" in (caught.value.remedy or "")
        assert self._count(stranger, ModelRow) == 0

    def test_nothing_is_exported_that_is_not_as_it_was_signed(self, stock: Stock) -> None:
        with stock.farm.database.write() as session:
            session.get_one(EngineRow, stock.engine).compute_capability = "sm_120"
        with pytest.raises(SignatureError, match="does not fit"):
            bundle(stock.farm, ALL)
        assert bundle(stock.farm, Selection(tables=(stock.table,)))

    def test_a_damaged_file_is_not_exported(self, stock: Stock) -> None:
        [path] = stock.farm.settings.home.glob(f"blobs/**/{stock.row(EngineRow, stock.engine).blob[9:]}")
        path.chmod(0o644)
        path.write_bytes(b"b" + path.read_bytes()[1:])
        with pytest.raises(CorruptBlobError):
            bundle(stock.farm, ALL)
        with pytest.raises(MissingBlobError, match=stock.engine):
            bundle(stock.farm, ALL)

    def test_a_selection_of_nothing_is_told(self, stock: Stock) -> None:
        with pytest.raises(UsageError, match="nothing was named"):
            bundle(stock.farm, Selection())
        for selection in (
            Selection(engines=("eng_none",)),
            Selection(model="resnet"),
            Selection(label="staging"),
            Selection(model="resnet", label="prod"),
        ):
            with pytest.raises(NotFoundError):
                bundle(stock.farm, selection)

    def _engines(self, farm: Farm) -> list[EngineRow]:
        with farm.database.read() as session:
            return list(session.scalars(select(EngineRow)))

    def _unlabelled(self, farm: Farm, engine: str) -> list[str]:
        with farm.database.write() as session:
            session.execute(delete(EngineLabelRow))
        return [engine]

    def _files(self, farm: Farm) -> list[str]:
        with farm.database.read() as session:
            return list(session.scalars(select(BlobRow.digest)))

    def _count(self, farm: Farm, rows: type[Base]) -> int:
        with farm.database.read() as session:
            return session.scalar(select(func.count()).select_from(rows)) or 0

    def _rows(self, farm: Farm) -> dict[str, Any]:
        """How many of each, held blobs among them."""
        kinds = (ModelRow, DatasetRow, TableRow, QuantizationRow, EngineRow, VerificationRow, BlobRow, HolderRow)
        return {kind.__tablename__: self._count(farm, kind) for kind in kinds}
