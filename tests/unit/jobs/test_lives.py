from __future__ import annotations

from tests.contracts.job_machine import run_lives
from trtfarm.database.session import Database


def test_no_life_of_jobs_breaks_a_promise(database: Database) -> None:
    run_lives(database, examples=50)
