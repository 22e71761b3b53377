"""Whatever goes wrong is told in one form, with the request's id, and counted."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient

from tests.unit.api.problems import problem
from trtfarm.database.failures import storage_error
from trtfarm.farm import Farm
from trtfarm_api.routes import workers


@pytest.mark.parametrize("path", ["submissions", "models", "datasets", "tables", "tokens", "clean", "fsck", "uploads"])
@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"{bad", "application/json"),
        (b"{}", "text/plain"),
        (b"a=b", "application/x-www-form-urlencoded"),
        (b"\xff", ""),
    ],
)
def test_a_body_that_is_no_json_is_told(client: TestClient, path: str, content: bytes, kind: str) -> None:
    answered = client.post(f"/v1/{path}", content=content, headers={"Content-Type": kind} if kind else {})
    assert problem(answered, 422, "usage")["remedy"] == "see /v1/openapi.json"


_UNKNOWN = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", f"/v1/blobs/{_UNKNOWN}", None, 404),
        ("POST", "/v1/models", {"name": "x", "blob": _UNKNOWN}, 404),
        ("POST", "/v1/bundles", {"blob": _UNKNOWN}, 404),
        ("POST", "/v1/uploads/upl_00000000000000000000/finish", None, 404),
        ("GET", "/v1/engines/eng_gone/plan", None, 404),
        ("GET", "/v1/nowhere", None, 404),
        ("DELETE", "/v1/jobs", None, 405),
        ("POST", "/v1/submissions", {}, 422),
    ],
)
def test_what_a_client_does_wrong_is_no_error_of_the_server(
    client: TestClient, caplog: pytest.LogCaptureFixture, *, method: str, path: str, body: Any, status: int
) -> None:
    answered = client.request(method, path, json=body)
    assert (answered.status_code, answered.json()["retryable"]) == (status, False)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_what_nobody_expected_is_told_without_its_inside_and_counted(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("a secret")

    monkeypatch.setattr(workers, "demand", fails)
    found = problem(client.get("/v1/demand", headers={"X-Request-ID": "mine-1"}), 500, "error")
    assert found["request_id"] == "mine-1"
    assert "secret" not in str(found)
    text = client.get("/metrics").text
    assert 'trtfarm_http_requests_total{method="GET",route="/v1/demand",status="500"}' in text


def test_a_database_that_is_away_is_told_as_such(
    client: TestClient, farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those who wait may come back; those who balance are told not to send anybody."""

    def away(*_: Any, **__: Any) -> Any:
        error = OperationalError("SELECT", {}, Exception("connection to db.example failed"))
        raise storage_error(error) from error

    monkeypatch.setattr(type(farm.database), "read", away)
    refused = client.get("/v1/jobs")
    assert problem(refused, 503, "storage")["retryable"] is True
    assert "db.example" not in refused.text
    assert refused.headers["Retry-After"] == "1"
    ready = client.get("/v1/ready")
    assert (ready.status_code, ready.json()) == (503, {"ready": False, "database": "failed", "blobs": "ready"})
    assert client.get("/v1/health").json()["status"] == "ok"
