"""What clean-up promises, on any database."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.contracts.rows import dataset_row, engine_row, model_row, quantization_row, table_row
from trtfarm.blobs.garbage import find_garbage, remove_garbage
from trtfarm.blobs.made import made_file, settled
from trtfarm.blobs.objects import Objects
from trtfarm.blobs.records import hold, place_made, put_held, record, record_made
from trtfarm.blobs.store import Blob, BlobStore
from trtfarm.database.schema import BlobRow, HolderRow
from trtfarm.database.session import Database

#: Clean-up that does not wait is through by then.
_MOMENT_SECONDS = 0.3


class GarbageContract:
    """Run with a fixture `database`."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> BlobStore:
        return BlobStore(Objects.in_folder(tmp_path / "blobs"))

    def test_what_any_row_names_is_kept(self, database: Database, store: BlobStore) -> None:
        def put(name: str) -> str:
            return store.put_bytes(name.encode()).digest

        with database.write() as session:
            session.add(model_row(blob=put("model"), weights_blob=put("weights")))
            arrays = {"data": {"blob": put("array")}, "mask": {"blob": put("mask")}}
            session.add(dataset_row(inputs=arrays, labels={"blob": put("labels")}))
            session.flush()
            session.add(table_row(blob=put("table")))
            session.flush()
            session.add(quantization_row(blob=put("quantised")))
            session.add(engine_row(blob=put("plan"), log_blob=put("log")))
        garbage = store.put_bytes(b"garbage")
        found = find_garbage(database, store, grace_seconds=-1)
        assert [stored.blob for stored in found] == [garbage]
        assert store.has(garbage)
        assert remove_garbage(database, store, found) == found
        assert not store.has(garbage)
        assert len(list(store.blobs())) == 9

    def test_what_is_young_is_kept(self, database: Database, store: BlobStore) -> None:
        store.put_bytes(b"a job is about to name this")
        assert find_garbage(database, store, grace_seconds=3600) == []

    def test_what_somebody_holds_is_kept_until_the_holding_ends(self, database: Database, store: BlobStore) -> None:
        blob = store.put_bytes(b"engine")
        found = find_garbage(database, store, grace_seconds=-1)
        hold(database, "job_1", [blob.digest], seconds=3600)
        assert find_garbage(database, store, grace_seconds=-1) == []
        assert remove_garbage(database, store, found) == []
        assert store.has(blob)
        hold(database, "job_1", [blob.digest], seconds=-1)
        assert remove_garbage(database, store, found) == found
        with database.read() as session:
            assert session.scalars(select(HolderRow)).all() == []

    def test_recording_notes_the_blob_once_and_lets_go(
        self, database: Database, store: BlobStore, tmp_path: Path
    ) -> None:
        path = tmp_path / "engine.plan"
        path.write_bytes(b"engine")
        blob = put_held(database, store, path, "job_1")
        put_held(database, store, path, "job_2")
        for holder in ("job_1", "job_1"):
            with database.write() as session:
                record(session, [blob], holder=holder)
        with database.read() as session:
            assert [(row.digest, row.size) for row in session.scalars(select(BlobRow))] == [(blob.digest, blob.size)]
            assert session.scalars(select(HolderRow.holder)).all() == ["job_2"]

    def test_a_row_of_a_removed_blob_goes_with_it(self, database: Database, store: BlobStore) -> None:
        blob = store.put_bytes(b"old engine")
        with database.write() as session:
            record(session, [blob])
        remove_garbage(database, store, find_garbage(database, store, grace_seconds=-1))
        with database.read() as session:
            assert session.scalars(select(BlobRow)).all() == []

    def test_a_writer_that_comes_just_before_clean_up_stores_its_blob_again(
        self, database: Database, store: BlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Clean-up strikes between the writer's finding the blob stored and its holding it."""
        path = tmp_path / "engine.plan"
        path.write_bytes(b"engine")
        store.put_file(path)
        put_file: Callable[[Path], Blob] = store.put_file

        def strike(path: Path) -> Blob:
            monkeypatch.undo()
            blob = put_file(path)
            remove_garbage(database, store, find_garbage(database, store, grace_seconds=-1))
            assert not store.has(blob)
            return blob

        monkeypatch.setattr(store, "put_file", strike)
        blob = put_held(database, store, path, "job_1")
        assert store.has(blob)
        assert find_garbage(database, store, grace_seconds=-1) == []

    @pytest.mark.parametrize("there", [False, True])
    def test_what_a_job_made_is_there_when_its_rows_are_whatever_clean_up_does(
        self, database: Database, store: BlobStore, tmp_path: Path, *, there: bool
    ) -> None:
        """It strikes before the commit's transaction, where the blob is there already, and waits for its end."""
        if there:
            store.put_bytes(b"engine")
        path = tmp_path / "engine.plan"
        path.write_bytes(b"engine")
        made = settled(store, [made_file(store, path)])
        assert len(remove_garbage(database, store, find_garbage(database, store, grace_seconds=-1))) == there
        with ThreadPoolExecutor(1) as beside:
            with database.write() as session:
                session.add(model_row(blob=made[0].blob.digest))
                place_made(session, store, made)
                [found] = store.blobs()
                removed = beside.submit(remove_garbage, database, store, [found])
                assert not wait([removed], timeout=_MOMENT_SECONDS).done
                record_made(session, {"job_1": made})
            assert removed.result() == []
        assert store.read(made[0].blob.digest) == b"engine"
