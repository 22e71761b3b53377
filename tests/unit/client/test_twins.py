"""What commands print as JSON of a farm is the same, key by key, whether it is open here or behind HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import pytest

from tests.contracts.submission_bench import Bench
from trtfarm.database.clock import from_now, now
from trtfarm.database.schema import WorkerRow
from trtfarm.errors import ModelError
from trtfarm.farm import Farm
from trtfarm.jobs.sharing import Share
from trtfarm.retention.policy import Policy
from trtfarm.workers import WorkerState
from trtfarm_cli.farms.any_farm import AnyFarm
from trtfarm_cli.farms.here.farm import FarmHere
from trtfarm_cli.farms.remote.farm import RemoteFarm
from trtfarm_client import Client


@pytest.fixture
def farms(farm: Farm, client: Client) -> list[AnyFarm]:
    """Both sides of a farm that has something of everything."""
    bench = Bench(farm.database, farm.settings.home)
    request = bench.request()
    bench.submit(request)
    bench.do_all()
    failed = bench.submit(bench.request(None, "sm_75"))
    bench.fail(bench.job_of(failed, "calibrate"), ModelError("no such model"))
    bench.submit(bench.request(None, "sm_80"))
    assert farm.jobs.claim(bench.queued_of("calibrate").id, "wrk_1") is not None
    toolchain = {"name": "rtx", "version": "1.7.1.116", "python": "/opt/python", "precisions": ["int8"]}
    with farm.database.write() as session:
        session.add(
            WorkerRow(
                id="wrk_1",
                host="rack",
                pid=1,
                state=WorkerState.READY,
                slots=2,
                capabilities=["cpu"],
                toolchains=[toolchain],
                gpus=[{"uuid": "GPU-1", "compute_capability": "sm_90"}],
                labels=["rack=a1"],
                memory_bytes=1 << 30,
                started=now(),
                lease_until=from_now(3600),
                heard=now(),
                version="0.1.0",
            )
        )
        away = {"host": "rack", "pid": 2, "state": WorkerState.PAUSED, "slots": 1, "toolchains": []}
        session.add(WorkerRow(id="wrk_2", lease_until=from_now(-1), **away))
    return [FarmHere(farm.settings, lambda: farm), RemoteFarm(client, farm.settings)]


ASKED: dict[str, Callable[[AnyFarm], Any]] = {
    "engines list": lambda farm: [engine.as_dict() for engine in farm.engines.find({}, limit=9)],
    "engines show": lambda farm: [farm.engines.details(engine.id) for engine in farm.engines.find({}, limit=9)],
    "tables list": lambda farm: [table.as_dict() for table in farm.tables.find({}, limit=9)],
    "tables show": lambda farm: [farm.tables.details(table.id) for table in farm.tables.find({}, limit=9)],
    "jobs list": lambda farm: farm.jobs.find(state=None, kind=None, limit=99),
    "jobs show": lambda farm: [farm.jobs.details(job["id"]) for job in farm.jobs.find(state=None, kind=None, limit=5)],
    "explain": lambda farm: [farm.jobs.explain(job["id"]) for job in farm.jobs.find(state=None, kind=None, limit=5)],
    "submissions list": lambda farm: farm.submissions.find({}, limit=9),
    "submissions show": lambda farm: [
        farm.submissions.details(one["id"]) for one in farm.submissions.find({}, limit=9)
    ],
    "projects list": lambda farm: farm.projects(),
    "projects set": lambda farm: farm.administration.set_share("vision", Share(weight=2, max_running=3)),
    "workers list": lambda farm: farm.workers(),
    "workers list --all": lambda farm: farm.workers(left=True),
    "workers show": lambda farm: [farm.worker("wrk_1"), farm.worker("wrk_2")],
    "workers pause": lambda farm: farm.administration.set_worker("wrk_1", WorkerState.PAUSED),
    "tokens list": lambda farm: farm.administration.tokens(),
    "audit": lambda farm: farm.administration.audit({}, limit=9),
    "keys export": lambda farm: [asdict(key) for key in farm.signing_keys()],
    "clean": lambda farm: farm.administration.clean(
        Policy(total_bytes=0, data_unused_for=timedelta()), grace_seconds=0, dry_run=True, tell=lambda *_: None
    ),
    "fsck": lambda farm: farm.administration.check_up(repair=False, tell=lambda *_: None),
}


def test_both_tell_the_same_in_the_same_order(farms: list[AnyFarm]) -> None:
    told = {
        command: [json.dumps(asked(farm), default=str, indent=1) for farm in farms] for command, asked in ASKED.items()
    }
    assert {command: here for command, (here, there) in told.items() if here != there} == {}
    assert [command for command, (here, _) in told.items() if len(here) <= len("[]")] == []
