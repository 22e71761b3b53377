from __future__ import annotations

from pathlib import Path

from tests.contracts.store_machine import run_writers
from trtfarm.blobs.objects import Objects
from trtfarm.database.session import Database


def test_no_writer_loses_what_it_relies_on_to_clean_up(database: Database, tmp_path: Path) -> None:
    run_writers(database, Objects.in_folder(tmp_path / "blobs"), tmp_path / "uploads", examples=10)
