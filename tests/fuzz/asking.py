"""Asking the API odd things: how they are written so that they reach it, and what an answer may be."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote

from httpx2 import Response

from tests.unit.api.problems import problem


def answered(response: Response) -> None:
    """It did what was asked, or says in the one form why not; a failure of its own is neither."""
    if response.status_code >= 400:
        assert response.status_code < 500, response.text
        problem(response, response.status_code, response.json()["code"])


def sendable(parameters: dict[str, str]) -> dict[str, str]:
    """Half a surrogate pair has no bytes that could be sent."""
    return {name: value.encode(errors="replace").decode() for name, value in parameters.items()}


def quoted(text: str) -> str:
    """A text as one step of a path, however odd: what is not quoted is taken for the path's own signs."""
    return quote(text.encode(errors="replace"), safe="%:/.")


def text(data: bytes) -> str:
    return data.decode(errors="replace")


def encoded(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def with_digits_of(true: str, made_up: str) -> str:
    """A made-up cursor with the digits of its filters as they should be, so that it is read to its end."""
    try:
        value = json.loads(base64.urlsafe_b64decode(made_up + "=="))
        value[1] = json.loads(base64.urlsafe_b64decode(true + "=="))[1]
    except (ValueError, TypeError, IndexError, KeyError):
        return made_up
    return encoded(value)
