from __future__ import annotations

from pathlib import Path

from tests.contracts.worker_machine import run_workers
from trtfarm.database.session import Database


def test_no_life_of_workers_breaks_a_promise(database: Database, tmp_path: Path) -> None:
    run_workers(database, tmp_path, examples=4)
