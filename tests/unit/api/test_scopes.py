"""Which doors a token opens: every route is asked, those to come too."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator

import pytest
from starlette.testclient import TestClient

from tests.unit.api.conftest import ClientOf, the_app
from tests.unit.api.problems import problem
from trtfarm.tokens import Scope

#: Whether the server is up is for load balancers, and how it is asked for whoever writes a client.
OPEN = {"/v1/health", "/v1/ready"}
#: What changes something, but for asking for a plan.
CHANGING = {"post", "put", "patch", "delete"}


def routes() -> Iterator[tuple[str, str]]:
    """Method and path of every route, with an id that nothing has in it."""
    for path, operations in the_app().openapi()["paths"].items():
        for method in operations:
            yield method, re.sub(r"\{[^}]*\}", "none", path)


def ask(client: TestClient, method: str, path: str) -> int:
    return client.request(method, path, json={} if method in CHANGING else None).status_code


def test_without_a_token_every_route_is_shut(client: TestClient, token_for: Callable[..., str]) -> None:
    token_for(Scope.READ)
    answers = {(method, path): ask(client, method, path) for method, path in routes()}
    assert {path for (_, path), status in answers.items() if status != 401} == OPEN
    assert len(answers) > 40


def test_who_may_only_read_changes_nothing(client_of: ClientOf, token_for: Callable[..., str]) -> None:
    reader = client_of(token_for(Scope.READ))
    answers = {(method, path): ask(reader, method, path) for method, path in routes() if method in CHANGING}
    assert set(answers.values()) == {403}


@pytest.mark.parametrize("scope", [Scope.READ, Scope.SUBMIT, Scope.ADMIN])
def test_nobody_writes_results(client_of: ClientOf, token_for: Callable[..., str], scope: Scope) -> None:
    """Engines, tables and jobs come of work, and workers write to the database: no route makes or changes one."""
    client = client_of(token_for(scope))
    for path in ("/v1/engines", "/v1/jobs", "/v1/engines/none", "/v1/jobs/none", "/v1/tables/none"):
        for method in ("post", "put", "patch"):
            assert ask(client, method, path) in {404, 405}


def test_a_token_in_an_address_opens_nothing(client: TestClient, token_for: Callable[..., str]) -> None:
    """Addresses end in logs and histories."""
    secret = token_for(Scope.ADMIN)
    for name in ("token", "access_token", "authorization"):
        problem(client.get("/v1/jobs", params={name: secret}), 401, "unauthenticated")
    client.cookies.set("token", secret)
    problem(client.get("/v1/jobs"), 401, "unauthenticated")


def test_no_log_has_a_token(
    client_of: ClientOf, token_for: Callable[..., str], caplog: pytest.LogCaptureFixture
) -> None:
    secrets = [token_for(Scope.ADMIN), "trtfarm_" + "A" * 43]
    with caplog.at_level(logging.DEBUG):
        for secret in secrets:
            for method, path in routes():
                if not path.endswith("/events"):
                    ask(client_of(secret), method, path)
    assert caplog.records
    assert not [record for record in caplog.records if any(secret in record.getMessage() for secret in secrets)]
