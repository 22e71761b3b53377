"""Running a farm over HTTP: tokens, keys, workers, signatures, clean-up and the check of what is stored."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from tests.contracts.rows import unsigned_engine
from tests.unit.api.conftest import ClientOf
from tests.unit.api.problems import problem
from trtfarm.database.clock import from_now
from trtfarm.database.schema import AuditRow, EngineRow, WorkerRow
from trtfarm.farm import Farm
from trtfarm.tokens import Scope, list_tokens
from trtfarm_api.routes import upkeep


@pytest.fixture
def admin(client: TestClient, client_of: ClientOf, token_for: Callable[..., str]) -> TestClient:
    """The server of `client`, asked by an admin."""
    return client_of(token_for(Scope.ADMIN))


@pytest.fixture
def engine(farm: Farm) -> str:
    return unsigned_engine(farm)


@pytest.fixture
def worker(farm: Farm) -> str:
    with farm.database.write() as session:
        values: dict[str, Any] = {"host": "far", "pid": 1, "toolchains": [], "slots": 1, "state": "ready"}
        session.add(WorkerRow(id="wrk_1", lease_until=from_now(60.0), **values))
    return "wrk_1"


def events(text: str) -> Iterator[tuple[str, Any]]:
    """The events of an answer that has ended."""
    for block in text.replace("\r", "").split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "event" in lines:
            yield lines["event"], json.loads(lines["data"])


def audited(farm: Farm) -> list[tuple[str, int, dict[str, Any]]]:
    with farm.database.read() as session:
        rows = session.scalars(select(AuditRow).order_by(AuditRow.id))
        return [(row.action, row.status, row.facts) for row in rows]


@pytest.mark.parametrize(
    ("asked", "body"),
    [
        ("GET /v1/tokens", None),
        ("GET /v1/audit", None),
        ("POST /v1/tokens", {"name": "ci"}),
        ("POST /v1/tokens/tok_1/revoke", None),
        ("POST /v1/engines/signatures", {"engines": ["eng_1"]}),
        ("POST /v1/engines/removals", {"engines": ["eng_1"]}),
        ("POST /v1/workers/wrk_1/pause", None),
        ("POST /v1/clean", {}),
        ("POST /v1/fsck", {}),
    ],
)
def test_only_admins_run_the_farm(
    client: TestClient, client_of: ClientOf, token_for: Callable[..., str], asked: str, body: Any
) -> None:
    other = client_of(token_for(Scope.SUBMIT, Scope.WORKER))
    problem(other.request(*asked.split(), json=body), 403, "forbidden")


def test_a_token_is_made_told_once_and_ended(admin: TestClient, client_of: ClientOf, farm: Farm) -> None:
    made = admin.post("/v1/tokens", json={"name": "ci", "scopes": ["submit"], "project": "vision", "days": 2})
    assert (made.status_code, made.headers["Cache-Control"]) == (201, "no-store")
    secret, token = made.json()["token"], made.json()["id"]
    who = client_of(secret).get("/v1/whoami").json()
    assert (who["name"], who["project"], who["scopes"]) == ("ci", "vision", ["read", "submit"])
    assert who["expires"] == made.json()["expires"] is not None
    listed = admin.get("/v1/tokens")
    assert listed.json()["items"][0]["id"] == token
    assert secret not in listed.text
    assert admin.post(f"/v1/tokens/{token[:-2]}/revoke").json()["revoked"] is not None
    problem(client_of(secret).get("/v1/jobs"), 401, "unauthenticated")
    assert [facts for _, _, facts in audited(farm)] == [{"token": token}] * 2
    assert secret not in str(audited(farm))


@pytest.mark.parametrize(
    "body", [{"name": ""}, {"name": "a\nb"}, {"name": "ci", "scopes": ["root"]}, {"name": "ci", "days": 0}, {}]
)
def test_a_token_that_cannot_be_is_refused(admin: TestClient, farm: Farm, body: dict[str, Any]) -> None:
    assert admin.post("/v1/tokens", json=body).status_code in (400, 422)
    assert len(list_tokens(farm.database)) == 1


def test_engines_are_vouched_for_and_forgotten_all_or_none(admin: TestClient, farm: Farm, engine: str) -> None:
    key = admin.get("/v1/keys").json()["items"][0]
    assert key["own"] is True
    assert key["public"].startswith("-----BEGIN PUBLIC KEY-----")
    signed = admin.post("/v1/engines/signatures", json={"engines": [engine]})
    assert signed.json() == {"signed": [engine]}
    assert admin.get(f"/v1/engines/{engine}").json()["signed_by"] == key["key"]
    problem(admin.post("/v1/engines/signatures", json={"engines": [engine]}), 400, "usage")
    for names in ([engine, "eng_none"], []):
        assert admin.post("/v1/engines/removals", json={"engines": names}).status_code in (404, 422)
    assert admin.post("/v1/engines/removals", json={"engines": [engine]}).json() == {"removed": [engine]}
    with farm.database.read() as session:
        assert session.get(EngineRow, engine) is None
    assert [facts for _, status, facts in audited(farm) if status == 200] == [{"engines": engine}] * 2


def test_a_worker_tells_how_many_jobs_it_has(admin: TestClient, worker: str) -> None:
    assert admin.post(f"/v1/workers/{worker}/drain").json()["state"] == "draining"
    [shown] = admin.get("/v1/workers").json()["items"]
    assert (shown["id"], shown["jobs"], shown["pid"]) == (worker, 0, 1)


def test_a_clean_up_is_told_as_it_goes(admin: TestClient, farm: Farm, engine: str) -> None:
    garbage = farm.blobs.put_bytes(b"garbage")
    asked = {"total_bytes": 0, "garbage_after": 0}
    for dry_run in (True, False):
        told = list(events(admin.post("/v1/clean", json={**asked, "dry_run": dry_run}).text))
        assert told[0] == ("progress", {"done": 0, "total": 0})
        kind, facts = told[-1]
        assert kind == "end"
        assert [gone["id"] for gone in facts["engines"]] == [engine]
        assert facts["garbage"] == [{"digest": garbage.digest, "size": garbage.size}]
        assert farm.blobs.has(garbage) is dry_run
    assert audited(farm)[-1] == (
        "POST /v1/clean",
        200,
        {"engines": "1", "tables": "0", "datasets": "0", "garbage": "1", "dry_run": "False"},
    )
    for unfit in ({"total_bytes": -1}, {"unused_for": 1e300}, {"unused": 3}):
        problem(admin.post("/v1/clean", json=unfit), 422, "usage")


def test_a_check_finds_what_is_damaged(admin: TestClient, farm: Farm, engine: str) -> None:
    with farm.database.read() as session:
        blob = session.get_one(EngineRow, engine).blob
    farm.blobs.delete(blob)
    kind, found = list(events(admin.post("/v1/fsck", json={"repair": True}).text))[-1]
    assert kind == "end"
    assert {"digest": blob, "damage": "missing", "named_by": [f"engines {engine}"], "repaired": False} in found[
        "findings"
    ]


def test_one_of_them_at_a_time_and_errors_in_the_one_form(admin: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, ended = threading.Event(), threading.Event()

    def waits(*_: Any, **__: Any) -> Any:
        begun.set()
        ended.wait(20)
        raise ZeroDivisionError

    monkeypatch.setattr(upkeep, "check_up", waits)
    answers: list[str] = []
    first = threading.Thread(target=lambda: answers.append(admin.post("/v1/fsck", json={}).text))
    first.start()
    assert begun.wait(20)
    [(kind, busy)] = events(admin.post("/v1/clean", json={}).text)
    ended.set()
    first.join()
    assert (kind, busy["code"], busy["retryable"]) == ("error", "busy", True)
    kind, failed = list(events(answers[0]))[-1]
    assert (kind, failed["code"], failed["request_id"][:4]) == ("error", "error", "req_")
    assert "ZeroDivision" not in str(failed)
    assert list(events(admin.post("/v1/clean", json={}).text))[-1][0] == "end"
