"""Limits: on bodies, on how often and on how much at once, each told with what to do."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from tests.unit.api.conftest import ClientOf, served
from tests.unit.api.problems import problem
from trtfarm.database.clock import from_now
from trtfarm.database.schema import WorkerRow
from trtfarm.errors import DiskFullError
from trtfarm.farm import Farm
from trtfarm.tokens import Scope
from trtfarm.workers import list_workers
from trtfarm_api.changes import Changes
from trtfarm_api.service import Limits, Service
from trtfarm_cli.commands import workers

Opened = Callable[[Limits], TestClient]


@pytest.fixture
def opened(farm: Farm) -> Opened:
    def client_with(limits: Limits) -> TestClient:
        return TestClient(served(Service(farm=farm, limits=limits)), "http://127.0.0.1", raise_server_exceptions=False)

    return client_with


def test_a_body_that_says_that_it_is_too_large_is_not_read(opened: Opened) -> None:
    with opened(Limits(body_bytes=100)) as client:
        problem(client.post("/v1/uploads", json={"digest": "x" * 100}), 413, "too_large")


def test_a_body_that_does_not_say_how_large_it_is_is_counted(opened: Opened) -> None:
    pieces = (b"x" * 50 for _ in range(10))
    with opened(Limits(body_bytes=100)) as client:
        answered = client.post("/v1/uploads", content=pieces, headers={"Content-Type": "application/json"})
        problem(answered, 413, "too_large")


def test_who_asks_too_often_waits(opened: Opened) -> None:
    # So slowly does the allowance come back that no test is slow enough to see it.
    with opened(Limits(rate=0.001, burst=3)) as client:
        client.headers["Authorization"] = "Bearer often"
        for _ in range(3):
            assert client.get("/v1/openapi.json").status_code == 200
        refused = client.get("/v1/openapi.json")
        assert problem(refused, 429, "busy")["retryable"] is True
        assert int(refused.headers["Retry-After"]) > 900
        client.headers["Authorization"] = "Bearer seldom"
        assert client.get("/v1/openapi.json").status_code == 200


def test_load_balancers_are_answered_whoever_asks_too_much(opened: Opened) -> None:
    with opened(Limits(rate=0.001, burst=1, of_client=1)) as client:
        assert [client.get("/v1/openapi.json").status_code for _ in range(2)] == [200, 429]
        assert [client.get(f"/v1/{probe}").status_code for probe in ("health", "ready")] == [200, 200]


@pytest.mark.parametrize("limits", [Limits(of_client=0), Limits(of_all=0)])
def test_only_so_much_at_once(opened: Opened, limits: Limits) -> None:
    with opened(limits) as client:
        refused = client.get("/v1/openapi.json")
        problem(refused, 429, "busy")
        assert refused.headers["Retry-After"] == "1"


def test_only_so_many_streams(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trtfarm_api.changes._STREAMS", 1)
    changes = Changes(farm.database)
    with changes.follower(), pytest.raises(Exception, match="streams are open"), changes.follower():
        pass
    with changes.follower():
        pass


def test_figures_of_what_is_answered_and_of_what_waits(
    client: TestClient, farm: Farm, client_of: ClientOf, token_for: Callable[..., str]
) -> None:
    with farm.database.write() as session:
        farm.jobs.submit(session, kind="calibrate", key="sha256:" + "1" * 64, request={})
        needs = {"toolchain": "tensorrt", "tensorrt": "8.5.3.1", "compute_capability": "sm_90"}
        for number in range(2):
            farm.jobs.submit(session, kind="build", key=f"sha256:{number:064}", request=needs)
    client.get("/v1/engines/nothing")
    text = client.get("/metrics").text
    kind = 'gpu_memory_gib="0",labels=""'
    assert f'trtfarm_jobs_queued{{capability="cpu",{kind}}} 1.0' in text
    assert f'trtfarm_jobs_queued{{capability="tensorrt-8.5.3.1/sm_90",{kind}}} 2.0' in text
    assert f'trtfarm_worker_slots{{capability="cpu",{kind}}} 0.0' in text
    assert "trtfarm_submissions_active 0.0" in text
    assert 'trtfarm_http_requests_total{method="GET",route="/v1/engines/{engine}",status="404"}' in text
    items = client.get("/v1/demand").json()["items"]
    assert [(item["capability"], item["queued"], item["slots"]) for item in items] == [
        ("cpu", 1, 0),
        ("tensorrt-8.5.3.1/sm_90", 2, 0),
    ]
    assert all(item["oldest_wait"] >= 0 for item in items)
    token_for(Scope.READ)
    problem(client.get("/metrics"), 401, "unauthenticated")


def test_a_worker_that_is_not_heard_of_is_silent_in_figures_as_in_lists(client: TestClient, farm: Farm) -> None:
    facts = {"host": "far", "pid": 1, "toolchains": [], "slots": 1, "state": "ready"}
    with farm.database.write() as session:
        session.add_all(WorkerRow(id=f"wrk_{lease}", lease_until=from_now(lease), **facts) for lease in (-1.0, 60.0))
        session.add(WorkerRow(id="wrk_left", lease_until=from_now(-2.0), **facts | {"state": "left"}))
    text = client.get("/metrics").text
    assert re.findall(r'trtfarm_workers\{state="(.*)"\} (.*)', text) == [("silent", "1.0"), ("ready", "1.0")]
    listed = list_workers(farm.database, left=True)
    assert [workers.words_of(worker.as_dict({}))["state"] for worker in listed] == [
        "silent",
        "ready",
        "left",
    ]


def test_a_disk_that_is_full_is_told_without_paths(
    client: TestClient, farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_digest: str) -> None:
        raise DiskFullError(f"no space left for {farm.settings.home}/blobs", remedy="free some disk space")

    monkeypatch.setattr(farm.blobs, "size", full)
    found = problem(client.get("/v1/blobs/sha256:" + "0" * 64), 507, "disk_full")
    assert str(farm.settings.home) not in str(found)
    assert found["retryable"] is True
    assert client.get("/v1/ready").status_code == 503


def test_methods_that_clients_make_up_are_one_figure(client: TestClient) -> None:
    client.request("MADE", "/v1/health")
    text = client.get("/metrics").text
    assert 'method="other"' in text
    assert "MADE" not in text
