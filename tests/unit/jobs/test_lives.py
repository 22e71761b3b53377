from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.contracts.job_machine import JobMachine
from trtfarm.database.session import Database


def test_no_life_of_jobs_breaks_a_promise(database: Database) -> None:
    class Machine(JobMachine):
        def __init__(self) -> None:
            super().__init__(database)

    run_state_machine_as_test(
        Machine,
        settings=settings(max_examples=50, stateful_step_count=25, suppress_health_check=[HealthCheck.too_slow]),
    )
