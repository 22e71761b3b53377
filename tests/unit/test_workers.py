from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from trtfarm.database.clock import from_now
from trtfarm.database.session import Database
from trtfarm.database.work import WorkerRow
from trtfarm.errors import NotFoundError, NoWorkerError
from trtfarm.requirements import Requirements
from trtfarm.routing import Need
from trtfarm.waiting import check_possible, why_waiting, why_waits
from trtfarm.workers import (
    Worker,
    WorkerState,
    forget_silent,
    leave,
    list_workers,
    ready_workers,
    renew,
    set_state,
    state_of,
    succeed,
    worker_named,
)

_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_H200: Mapping[str, Any] = {"name": "NVIDIA H200", "compute_capability": "sm_90", "out_of_service": None}
_CPU = Worker(
    id="wrk_cpu",
    host="a",
    pid=1,
    state=WorkerState.READY,
    alive=True,
    slots=2,
    capabilities=("cpu", "tensorrt-rtx-1.7.1.116"),
    toolchains=(),
    gpus=(),
    started=_NOW,
    lease_until=_NOW,
)
_GPU = replace(_CPU, id="wrk_gpu", capabilities=("cpu", "tensorrt-8.5.3.1/sm_90"), gpus=(_H200,))


def test_a_job_that_somebody_would_do_waits_for_its_turn_alone() -> None:
    assert why_waiting(Need("tensorrt-8.5.3.1/sm_90"), [_CPU, _GPU]) is None


@pytest.mark.parametrize(
    ("workers", "reason"),
    [
        ([], "needs tensorrt-8.5.3.1 on sm_90; no worker offers it; workers up: none"),
        (
            [_CPU, replace(_GPU, alive=False)],
            (
                "needs tensorrt-8.5.3.1 on sm_90; no worker offers it; wrk_gpu of a did, and is gone since "
                "2026-01-01 00:00 UTC; workers up: wrk_cpu (cpu, tensorrt-rtx-1.7.1.116)"
            ),
        ),
        (
            [_CPU, replace(_GPU, state=WorkerState.PAUSED)],
            "needs tensorrt-8.5.3.1 on sm_90; wrk_gpu offers it but is paused",
        ),
        (
            [replace(_GPU, capabilities=("cpu",), gpus=({**_H200, "out_of_service": "Xid 79"},))],
            (
                "needs tensorrt-8.5.3.1 on sm_90; no worker offers it; "
                "NVIDIA H200 of wrk_gpu is out of service: Xid 79; workers up: wrk_gpu (cpu)"
            ),
        ),
    ],
)
def test_what_nobody_does_is_explained(workers: list[Worker], reason: str) -> None:
    assert why_waiting(Need("tensorrt-8.5.3.1/sm_90"), workers) == reason


_PLACED = replace(_GPU, gpus=({**_H200, "memory_bytes": 81_559 << 20},), labels=("rack=a1",))
_AWAY = replace(_PLACED, id="wrk_away", alive=False, labels=("rack=b1",))


@pytest.mark.parametrize(
    ("requires", "reason"),
    [
        (Requirements(labels=("rack=a1",), gpu_memory_gib=80), None),
        (
            Requirements(labels=("rack=b1",)),
            (
                "needs tensorrt-8.5.3.1 on sm_90 with rack=b1; no worker offers it; wrk_away of a did, and is gone "
                "since 2026-01-01 00:00 UTC; wrk_gpu has no rack=b1 (its labels: rack=a1)"
            ),
        ),
        (
            Requirements(labels=("rack=a1",), gpu_memory_gib=81),
            (
                "needs tensorrt-8.5.3.1 on sm_90 with rack=a1 and a GPU with 81 GiB; no worker offers it; "
                "wrk_gpu has no larger sm_90 than 80 GiB"
            ),
        ),
    ],
)
def test_a_label_that_is_not_there_and_a_gpu_that_is_too_small_are_told_apart(
    requires: Requirements, reason: str | None
) -> None:
    assert why_waiting(Need("tensorrt-8.5.3.1/sm_90", requires), [_CPU, _PLACED, _AWAY]) == reason


@pytest.mark.parametrize(
    ("requires", "remedy"),
    [
        (Requirements(labels=("rack=a1", "zone=b")), "--label rack=a1 --label zone=b"),
        (Requirements(labels=("rack=b1",), gpu_memory_gib=200), "larger GPU"),
    ],
)
def test_what_nobody_could_do_is_refused_with_what_helps(requires: Requirements, remedy: str) -> None:
    """Who is away may come back; of whom the job waits."""
    check_possible([Need("tensorrt-8.5.3.1/sm_90", Requirements(labels=("rack=b1",)))], [_PLACED, _AWAY])
    with pytest.raises(NoWorkerError) as refused:
        check_possible([Need("tensorrt-8.5.3.1/sm_90", requires)], [_CPU, _PLACED, _AWAY])
    assert remedy in str(refused.value.remedy)
    with pytest.raises(NoWorkerError, match=r"8\.6\.1\.6 on sm_90"):
        check_possible([Need("tensorrt-8.6.1.6/sm_90")], [_PLACED])


def test_a_worker_that_is_silent_or_paused_takes_no_jobs(database: Database) -> None:
    _add(database, "wrk_1", 30)
    _add(database, "wrk_2", -1)
    _add(database, "wrk_old", -25 * 3600)
    assert [worker.id for worker in list_workers(database)] == ["wrk_1"]
    assert [(worker.id, worker.alive) for worker in list_workers(database, left=True)] == [
        ("wrk_1", True),
        ("wrk_2", False),
        ("wrk_old", False),
    ]
    assert [worker.id for worker in ready_workers(database)] == ["wrk_1"]
    assert state_of(database, "wrk_1") is WorkerState.READY
    assert set_state(database, "wrk_1", WorkerState.PAUSED).state is WorkerState.PAUSED
    assert state_of(database, "wrk_1") is WorkerState.PAUSED
    assert ready_workers(database) == []
    assert state_of(database, "wrk_unknown") is None
    with pytest.raises(NotFoundError, match="no worker"):
        set_state(database, "wrk_9", WorkerState.READY)
    with database.write() as session:
        forget_silent(session)
    with database.read() as session:
        assert session.scalars(select(WorkerRow.id).order_by(WorkerRow.id)).all() == ["wrk_1", "wrk_2"]


def test_why_a_worker_took_itself_out_is_told_until_it_goes_on(database: Database) -> None:
    _add(database, "wrk_1", 30)
    for state, reason in ((WorkerState.QUARANTINED, "5 jobs failed in a row"), (WorkerState.READY, None)):
        set_state(database, "wrk_1", state, reason)
        assert (found := worker_named(database, "wrk")).as_dict({})["reason"] == reason
        assert (found.state, found.alive, found.heard) == (state, True, None)
    with database.write() as session:
        assert renew(session, "wrk_1", 30.0)
    heard = worker_named(database, "wrk_1").heard
    assert heard is not None
    assert abs((datetime.now(UTC) - heard).total_seconds()) < 60


def test_what_a_worker_could_do_is_known_for_a_day_after_it_has_ended(database: Database) -> None:
    for name in ("wrk_1", "wrk_2"):
        _add(database, name, 30, capabilities=["cpu", "tensorrt-8.5.3.1/sm_90"])
    with database.write() as session:
        leave(session, "wrk_1")
        leave(session, "wrk_2")
    assert list_workers(database) == ready_workers(database) == []
    assert [(worker.state, worker.alive) for worker in list_workers(database, left=True)] == [("left", False)] * 2
    assert state_of(database, "wrk_1") is None
    assert worker_named(database, "wrk_1").state is WorkerState.LEFT
    with pytest.raises(NotFoundError, match="has ended"):
        set_state(database, "wrk_1", WorkerState.READY)
    reason = why_waits(database, Need("tensorrt-8.5.3.1/sm_90"))
    assert reason is not None
    assert "wrk_1 of far did, and is gone since 2" in reason
    with database.write() as session:
        succeed(session, "far", ["cpu"], ["rack=a1"])
        succeed(session, "elsewhere", ["cpu", "tensorrt-8.5.3.1/sm_90"])
    assert len(list_workers(database, left=True)) == 2
    with database.write() as session:
        succeed(session, "far", ["cpu", "tensorrt-8.5.3.1/sm_90", "tensorrt-rtx-1.7.1.116"])
    assert list_workers(database, left=True) == []
    _add(database, "wrk_old", -25 * 3600, state="left")
    with database.write() as session:
        forget_silent(session)
    assert list_workers(database, left=True) == []


def _add(database: Database, worker_id: str, lease: float, **more: Any) -> None:
    with database.write() as session:
        values: dict[str, Any] = {"host": "far", "pid": 1, "toolchains": [], "slots": 1, "state": "ready"}
        session.add(WorkerRow(id=worker_id, lease_until=from_now(lease), **{**values, **more}))
