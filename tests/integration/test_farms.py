from __future__ import annotations

from pathlib import Path

from tests.contracts.farm_machine import run_farms
from trtfarm.database.session import Database


def test_no_life_of_a_farm_breaks_a_promise(database: Database, tmp_path: Path) -> None:
    run_farms(database, tmp_path, examples=4)
