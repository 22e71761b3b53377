"""Lists: what is found, in pages that stay what they are, and one of each in detail."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from tests.contracts.rows import dataset_row, engine_row, job_row, model_row, table_row, verification_row
from tests.unit.api.problems import problem
from trtfarm.catalog.window import Position
from trtfarm.database.schema import StepRow, SubmissionRow, WorkerRow
from trtfarm.digests import digest_of_json
from trtfarm.errors import UsageError
from trtfarm.farm import Farm
from trtfarm.jobs.state import JobState, StepState, SubmissionState
from trtfarm_api.cursors import cursor_after, position_of

FACTS = {"int8_layers": 3, "layers": [], "io": [], "seconds": 1.0}
REQUEST = {
    "model_id": "mod_1",
    "precision": "fp32",
    "targets": [{"compute_capability": "sm_89", "toolchain": "tensorrt-rtx", "tensorrt": "1.7.1.116"}],
    "rule": None,
}
TOOLCHAIN = {
    "name": "tensorrt-rtx-1.7.1.116",
    "kind": "tensorrt-rtx",
    "version": "1.7.1.116",
    "python": "/home/somebody/python",
    "compute_capabilities": ["sm_86", "sm_89"],
    "precisions": ["int8", "fp32"],
}
LISTS = ("engines", "tables", "models", "datasets", "jobs", "submissions")


def day(number: int) -> datetime:
    return datetime(2026, 1, number, tzinfo=UTC)


@pytest.fixture
def filled(farm: Farm) -> Farm:
    with farm.database.write() as session:
        session.add(model_row(created=day(1)))
        session.add(model_row(id="mod_2", name="resnet", created=day(2)))
        session.add(dataset_row(created=day(1)))
        session.flush()
        session.add(table_row(created=day(1)))
        # Of one moment: the id decides.
        for number in range(1, 6):
            session.add(engine_row(id=f"eng_{number}", created=day(1 + number // 3), facts=FACTS))
        session.add(
            engine_row(
                id="eng_6",
                model_id="mod_2",
                precision="int8+fp16",
                compute_capability="sm_86",
                gpu="NVIDIA RTX A6000",
                created=day(9),
                facts=FACTS,
            )
        )
        session.add(job_row(created=day(1)))
        session.add(
            job_row(id="job_2", kind="calibrate", key=digest_of_json("other"), state=JobState.FAILED, created=day(2))
        )
        session.flush()
        metrics = {"outputs": {"y": {"cosine_mean": 0.995}}}
        session.add(verification_row(id="ver_1", quantization_id=None, engine_id="eng_5", metrics=metrics))
        session.add(SubmissionRow(id="sub_1", request=REQUEST, state=SubmissionState.DONE, created=day(1)))
        session.flush()
        measured = {"name": "verify", "kind": "measure", "position": 0, "needs": [], "state": StepState.DONE}
        session.add(StepRow(submission_id="sub_1", result={"verification_id": "ver_1"}, **measured))
        session.add(
            WorkerRow(
                id="wrk_1",
                host="here",
                pid=1,
                toolchains=[
                    TOOLCHAIN,
                    {"name": "reference", "kind": "reference", "version": "1.31.1", "precisions": []},
                ],
                capabilities=["cpu"],
                slots=2,
                lease_until=datetime(2100, 1, 1, tzinfo=UTC),
                state="ready",
            )
        )
    return farm


def ids(client: TestClient, path: str, **query: Any) -> list[str]:
    answered = client.get(f"/v1/{path}", params=query)
    assert answered.status_code == 200, answered.text
    return [item["id"] for item in answered.json()["items"]]


@pytest.mark.parametrize(
    ("path", "query", "found"),
    [
        ("engines", {}, ["eng_6", "eng_5", "eng_4", "eng_3", "eng_2", "eng_1"]),
        ("engines", {"tensorrt": "10.13", "target": "8.6"}, ["eng_6"]),
        ("engines", {"model": "resnet", "precision": "int8"}, ["eng_6"]),
        ("engines", {"calibrator": "minmax"}, []),
        ("engines", {"gpu": "rtx a"}, ["eng_6"]),
        ("engines", {"max_drop": 0.01}, ["eng_5"]),
        ("engines", {"max_drop": 0.01, "min_top1": 0.5}, []),
        ("tables", {"min_cosine": 0.5}, []),
        ("submissions", {"model": "lenet"}, ["sub_1"]),
        ("submissions", {"model": "resnet"}, []),
        ("submissions", {"max_drop": 0.01}, ["sub_1"]),
        ("submissions", {"max_drop": 0.001}, []),
        ("engines", {"digest": digest_of_json(["eng_2", "blob"])[7:20]}, ["eng_2"]),
        (
            "engines",
            {"since": "2026-01-02T00:00:00Z", "until": "2026-01-09T00:00:00+00:00"},
            ["eng_5", "eng_4", "eng_3"],
        ),
        ("tables", {"calibrator": "entropy2", "target": "sm_75"}, ["tab_1"]),
        ("tables", {"tensorrt": "10"}, []),
        ("models", {}, ["mod_2", "mod_1"]),
        ("models", {"name": "resnet"}, ["mod_2"]),
        ("datasets", {"name": "digits"}, ["dat_1"]),
        ("datasets", {"digest": "sha256:00"}, []),
        ("jobs", {"state": "failed"}, ["job_2"]),
        ("jobs", {"kind": "build"}, ["job_1"]),
        ("jobs", {"worker": "wrk_1"}, []),
        ("submissions", {"state": "done", "project": "default"}, ["sub_1"]),
        ("workers", {}, ["wrk_1"]),
    ],
)
def test_a_list_gives_what_its_filters_ask_for(
    client: TestClient, filled: Farm, path: str, query: dict[str, str], found: list[str]
) -> None:
    assert ids(client, path, **query) == found


@pytest.mark.parametrize("limit", [1, 2, 4, 6])
def test_pages_follow_one_another_without_a_gap(client: TestClient, filled: Farm, limit: int) -> None:
    seen: list[str] = []
    cursor = None
    while True:
        query = {"limit": limit, **({"cursor": cursor} if cursor else {})}
        page = client.get("/v1/engines", params=query).json()
        assert len(page["items"]) <= limit
        seen += [item["id"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == ["eng_6", "eng_5", "eng_4", "eng_3", "eng_2", "eng_1"]


def test_a_page_stays_what_it_is_when_rows_come(client: TestClient, filled: Farm) -> None:
    first = client.get("/v1/engines", params={"limit": 2}).json()
    with filled.database.write() as session:
        session.add(engine_row(id="eng_7", facts=FACTS))
    assert ids(client, "engines", limit=2, cursor=first["next"]) == ["eng_4", "eng_3"]


def test_a_cursor_is_for_the_list_and_the_filters_that_it_came_from(client: TestClient, filled: Farm) -> None:
    cursor = client.get("/v1/engines", params={"limit": 1}).json()["next"]
    for path, query in (("tables", {}), ("engines", {"precision": "fp32"})):
        found = problem(client.get(f"/v1/{path}", params={**query, "cursor": cursor}), 400, "usage")
        assert "another list" in found["message"]


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("cursor", ["", "x", "W10", "bnVsbA", "e30", "=" * 40, "é", "A" * 400, "W1tbW1tbW1tbW10"])
def test_a_hostile_cursor_is_refused(client: TestClient, path: str, cursor: str) -> None:
    problem(client.get(f"/v1/{path}", params={"cursor": cursor}), 400, "usage")


@given(st.one_of(st.text(max_size=500), st.binary(max_size=300).map(bytes.hex)))
def test_no_text_but_a_cursor_is_one(text: str) -> None:
    with pytest.raises(UsageError):
        position_of(text, of="engines", filters={})


@given(moment=st.datetimes(timezones=st.just(UTC)), row_id=st.from_regex(r"[a-z]{3}_[0-9a-z]{20}", fullmatch=True))
def test_a_cursor_says_where_it_was_made(moment: datetime, row_id: str) -> None:
    place = Position(created=moment, id=row_id)
    assert position_of(cursor_after(place, of="jobs", filters={"a": 1}), of="jobs", filters={"a": 1}) == place


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("engines", {"limit": "0"}, 422),
        ("engines", {"limit": "501"}, 422),
        ("engines", {"since": "yesterday"}, 422),
        ("engines", {"since": "2026-01-01T00:00:00"}, 422),
        ("engines", {"model": "\0"}, 422),
        ("engines", {"tensorrt": "ten"}, 400),
        ("engines", {"target": "hopper"}, 400),
        ("jobs", {"state": "lost"}, 422),
        ("toolchains", {"tensorrt": "ten"}, 400),
        ("toolchains", {"precision": "int9"}, 400),
    ],
)
def test_a_filter_that_means_nothing_is_told(client: TestClient, path: str, query: dict[str, str], status: int) -> None:
    assert problem(client.get(f"/v1/{path}", params=query), status, "usage")["remedy"]


@pytest.mark.parametrize(
    ("path", "field", "value"),
    [
        ("engines/eng_6", "model", "resnet"),
        ("tables/tab_1", "scales", {"data": "3c010204"}),
        ("models/mod_2", "name", "resnet"),
        (f"models/{digest_of_json(['resnet', 'digest'])[:20]}", "id", "mod_2"),
        ("datasets/dat_1", "samples", 500),
        ("workers/wrk_1", "slots", 2),
    ],
)
def test_one_of_each_in_detail(client: TestClient, filled: Farm, path: str, field: str, value: Any) -> None:
    answered = client.get(f"/v1/{path}")
    assert answered.status_code == 200, answered.text
    assert answered.json()[field] == value


def test_a_queued_job_says_why_nobody_takes_it(client: TestClient, filled: Farm) -> None:
    with filled.database.write() as session:
        session.add(job_row(id="job_3", key=digest_of_json("gpu"), capability="tensorrt-8.5.3.1/sm_90"))
    assert "sm_90" in client.get("/v1/jobs/job_3").json()["waiting"]
    assert client.get("/v1/jobs/job_1").json()["waiting"] is None
    assert client.get("/v1/jobs/job_2").json()["job"]["state"] == "failed"


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({}, ["reference", "tensorrt-rtx-1.7.1.116"]),
        ({"target": "8.9"}, ["tensorrt-rtx-1.7.1.116"]),
        ({"tensorrt": "1.7"}, ["tensorrt-rtx-1.7.1.116"]),
        ({"tensorrt": "1"}, ["tensorrt-rtx-1.7.1.116"]),
        ({"tensorrt": "10"}, []),
        ({"precision": "fp8"}, []),
    ],
)
def test_toolchains_are_those_of_living_workers(
    client: TestClient, filled: Farm, query: dict[str, str], names: list[str]
) -> None:
    items = client.get("/v1/toolchains", params=query).json()["items"]
    assert [toolchain["name"] for toolchain in items] == names
    assert all(toolchain["workers"] == ["wrk_1"] and "python" not in toolchain for toolchain in items)


def test_a_worker_is_paused_drained_and_resumed(client: TestClient, filled: Farm) -> None:
    for wish, state in (("pause", "paused"), ("drain", "draining"), ("resume", "ready")):
        assert client.post(f"/v1/workers/wrk/{wish}").json()["state"] == state
    problem(client.post("/v1/workers/wrk/stop"), 422, "usage")


def test_what_cannot_be_run_is_told_before_data_are_looked_for(client: TestClient, filled: Farm) -> None:
    problem(client.post("/v1/engines/eng_1/verification", json={}), 409, "signature")


@pytest.mark.parametrize("path", ["engines", "tables", "models", "datasets", "jobs", "submissions", "workers"])
def test_what_is_not_there_is_told(client: TestClient, filled: Farm, path: str) -> None:
    problem(client.get(f"/v1/{path}/nothing_like_it"), 404, "not_found")
    problem(client.get(f"/v1/{path}/%00"), 422, "usage")


def test_paths_and_methods_that_are_not_there(client: TestClient) -> None:
    problem(client.get("/v2"), 404, "not_found")
    problem(client.delete("/v1/engines"), 405, "usage")


def test_an_id_of_the_clients_own_names_its_request(client: TestClient) -> None:
    assert client.get("/v1/health", headers={"X-Request-ID": "mine-1"}).headers["X-Request-ID"] == "mine-1"
    assert client.get("/v1/health", headers={"X-Request-ID": "no spaces"}).headers["X-Request-ID"].startswith("req_")


@pytest.mark.parametrize("path", ["/v1/engines", "/v1/jobs/job_1/events", "/v1/engines/eng_1/plan", "/v1/workers"])
def test_a_parameter_that_a_route_lacks_is_refused(client: TestClient, filled: Farm, path: str) -> None:
    """A filter of a newer release, or one with a typing error, would find everything."""
    told = problem(client.get(path, params={"min_top": "0.99"}), 400, "usage")
    assert told["message"] == f"{path} has no parameter 'min_top'"
    assert ("min_top1" in told["cause"]) == (path == "/v1/engines")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("engines?precision=int4", "no precision 'int4'"),
        ("engines?calibrator=min-max", "no calibrator 'min-max'"),
        ("tables?calibrator=min-max", "no calibrator 'min-max'"),
        ("engines?target=sm_86&target=sm_89", "target is given more than once"),
        ("jobs?limit=1&limit=2", "limit is given more than once"),
    ],
)
def test_a_filter_that_could_find_nothing_or_would_be_half_looked_at_is_refused(
    client: TestClient, filled: Farm, path: str, said: str
) -> None:
    assert problem(client.get(f"/v1/{path}"), 400, "usage")["message"] == said


def test_only_what_a_route_takes_several_of_may_be_repeated(client: TestClient, filled: Farm) -> None:
    told = problem(client.get("/v1/bundles?engine=eng_x&engine=eng_y"), 404, "not_found")
    assert "eng_" in told["message"]
