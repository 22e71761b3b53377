"""What `workers list` and `workers show` tell of workers that are there, and of those that fell silent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from trtfarm.database.clock import from_now
from trtfarm.database.schema import WorkerRow
from trtfarm.farm import Farm
from trtfarm_cli.commands import workers

_GPU = {
    "uuid": "GPU-1",
    "name": "NVIDIA H200",
    "compute_capability": "sm_90",
    "memory_bytes": 141 << 30,
    "out_of_service": None,
    "occupied": None,
}
_TOOLCHAIN = {"name": "trt", "version": "8.5.3.1", "compute_capabilities": ["sm_90"], "precisions": ["int8", "fp16"]}


@pytest.fixture(autouse=True)
def three(farm: Farm, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is up but took itself out, one that was killed on another host, and one that has ended."""
    monkeypatch.setenv("TRTFARM_HOME", str(farm.settings.home))
    monkeypatch.setenv("TRTFARM_DATABASE_URL", database_url)
    facts: dict[str, Any] = {"host": "far", "pid": 1, "slots": 2, "toolchains": []}
    with farm.database.write() as session:
        session.add_all(
            [
                WorkerRow(
                    id="wrk_here",
                    lease_until=from_now(60),
                    heard=from_now(-1),
                    version="0.1.0",
                    state="quarantined",
                    reason="5 jobs failed in a row",
                    gpus=[_GPU],
                    labels=["rack=a1"],
                    capabilities=["cpu", "tensorrt-8.5.3.1/sm_90"],
                    **facts | {"toolchains": [_TOOLCHAIN]},
                ),
                WorkerRow(id="wrk_killed", lease_until=from_now(-2820), heard=from_now(-2850), state="ready", **facts),
                WorkerRow(id="wrk_left", lease_until=from_now(-60), state="left", **facts),
            ]
        )
        job, _ = farm.jobs.submit(session, kind="build", key="key", request={"precision": "int8"})
    assert farm.jobs.claim(job.id, "wrk_here") is not None


def test_who_fell_silent_is_not_among_the_living(capsys: pytest.CaptureFixture[str]) -> None:
    workers.list_()
    told = capsys.readouterr()
    assert [line.split()[0] for line in told.out.splitlines()] == ["id", "wrk_here", "wrk_here"]
    assert told.err == "1 worker fell silent within a day: --all\n"
    workers.list_(all_=True)
    told = capsys.readouterr()
    assert [line.split()[0:3:2] for line in told.out.splitlines()[1:4]] == [
        ["wrk_here", "quarantined"],
        ["wrk_killed", "silent"],
        ["wrk_left", "left"],
    ]
    assert told.err == ""
    for everybody, ids in (
        (False, {"wrk_here": True}),
        (True, {"wrk_here": True, "wrk_killed": False, "wrk_left": False}),
    ):
        workers.list_(all_=everybody, json=True)
        assert {one["id"]: one["alive"] for one in json.loads(capsys.readouterr().out)} == ids


def test_all_of_one_is_shown(farm: Farm, capsys: pytest.CaptureFixture[str]) -> None:
    workers.show("wrk_h")
    told = dict(line.split("  ", 1) for line in capsys.readouterr().out.splitlines())
    assert {name: value.strip() for name, value in told.items() if name not in {"heard", "started", "running"}} == {
        "id": "wrk_here",
        "host": "far",
        "pid": "1",
        "state": "quarantined",
        "reason": "5 jobs failed in a row",
        "version": "0.1.0",
        "jobs": "1",
        "slots": "2",
        "labels": "rack=a1",
        "offers": "cpu, tensorrt-8.5.3.1 on sm_90",
        "gpus": "GPU-1: NVIDIA H200, sm_90, 141.0 GiB",
        "toolchains": "trt: 8.5.3.1, sm_90, int8 fp16",
    }
    assert told["running"].strip().endswith(": build int8")
    workers.show("wrk_killed", json=True)
    shown = json.loads(capsys.readouterr().out)
    assert (shown["alive"], shown["running"], shown["heard"] < shown["lease_until"]) == (False, [], True)
