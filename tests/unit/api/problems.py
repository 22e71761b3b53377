"""What every error of the API has, whatever went wrong."""

from __future__ import annotations

from typing import Any

from httpx2 import Response

_FIELDS = {"code", "message", "cause", "remedy", "retryable", "request_id"}


def problem(response: Response, status: int, code: str) -> dict[str, Any]:
    """The error in a response that has to be one."""
    assert response.status_code == status, response.text
    found = response.json()
    assert set(found) == _FIELDS
    assert found["code"] == code
    assert found["message"]
    assert found["request_id"] == response.headers["X-Request-ID"]
    assert isinstance(found, dict)
    return found
