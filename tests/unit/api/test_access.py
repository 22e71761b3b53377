"""Who is let in, and to what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from tests.unit.api.conftest import ClientOf, served
from tests.unit.api.problems import problem
from trtfarm.database.schema import TokenRow
from trtfarm.errors import NotFoundError, UsageError
from trtfarm.farm import Farm
from trtfarm.tokens import Scope, create_token, list_tokens, revoke_token
from trtfarm_api.server import is_loopback
from trtfarm_api.service import Service


def test_users_of_this_machine_need_no_token_while_there_is_none(client: TestClient) -> None:
    assert client.get("/v1/jobs").status_code == 200


@pytest.mark.parametrize("host", ["127.0.0.1:8470", "localhost", "[::1]:8470", "[::1]"])
def test_this_machine_has_several_names(client: TestClient, host: str) -> None:
    assert client.get("/v1/jobs", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": ""},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"X-Forwarded-For": "127.0.0.1"},
    ],
)
def test_web_pages_of_others_are_not_let_in(client: TestClient, headers: dict[str, str]) -> None:
    problem(client.get("/v1/jobs", headers=headers), 403, "forbidden")


def test_from_the_first_token_on_everybody_needs_one(
    client: TestClient, client_of: ClientOf, token_for: Callable[..., str]
) -> None:
    secret = token_for(Scope.READ)
    answered = client.get("/v1/jobs")
    assert problem(answered, 401, "unauthenticated")["remedy"]
    assert answered.headers["WWW-Authenticate"] == "Bearer"
    assert client_of(secret).get("/v1/jobs").status_code == 200
    assert client.get("/v1/health").status_code == client.get("/v1/ready").status_code == 200


def test_a_public_server_needs_one_in_any_case(farm: Farm) -> None:
    with TestClient(served(Service(farm=farm, public=True)), "http://127.0.0.1") as client:
        problem(client.get("/v1/jobs"), 401, "unauthenticated")


@pytest.mark.parametrize("secret", ["x", "trtfarm_", "trtfarm_" + "A" * 43, "a b"])
def test_a_token_that_nobody_made_opens_nothing(client_of: ClientOf, secret: str) -> None:
    problem(client_of(secret).get("/v1/jobs"), 401, "unauthenticated")


@pytest.mark.parametrize("authorization", ["Basic YTpi", "Bearer", "", "trtfarm_x"])
def test_what_is_no_token_opens_nothing_either(client: TestClient, authorization: str) -> None:
    problem(client.get("/v1/jobs", headers={"Authorization": authorization}), 401, "unauthenticated")


def test_a_token_ends_when_it_is_revoked_and_when_its_days_are_over(farm: Farm, client_of: ClientOf) -> None:
    kept = create_token(farm.database, name="kept", scopes=[Scope.READ])[0]
    secret, token = create_token(farm.database, name="ci", scopes=[Scope.READ])
    over = create_token(farm.database, name="over", scopes=[Scope.READ], days=1e-9)[0]
    assert client_of(secret).get("/v1/jobs").status_code == 200
    revoked = revoke_token(farm.database, token.id)
    assert revoked.revoked is not None
    assert revoke_token(farm.database, token.id).revoked == revoked.revoked
    problem(client_of(secret).get("/v1/jobs"), 401, "unauthenticated")
    problem(client_of(over).get("/v1/jobs"), 401, "unauthenticated")
    assert client_of(kept).get("/v1/jobs").status_code == 200


def test_no_secret_is_in_the_database(farm: Farm) -> None:
    secret, token = create_token(farm.database, name="ci", scopes=[Scope.READ, Scope.SUBMIT], project="vision")
    with farm.database.read() as session:
        row = session.scalars(select(TokenRow)).one()
        assert secret not in str(vars(row))
    (listed,) = list_tokens(farm.database)
    assert listed == token
    assert (token.scopes, token.project, token.expires) == ((Scope.READ, Scope.SUBMIT), "vision", None)
    assert len(secret) > 50


@pytest.mark.parametrize(
    "values",
    [{"name": ""}, {"name": "a\nb"}, {"name": "x" * 101}, {"project": " "}, {"days": 0}, {"scopes": []}],
)
def test_a_token_that_cannot_be(farm: Farm, values: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        create_token(farm.database, **{"name": "ci", "scopes": [Scope.READ], **values})


def test_a_token_that_is_not_there_cannot_be_revoked(farm: Farm) -> None:
    with pytest.raises(NotFoundError):
        revoke_token(farm.database, "tok_none")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_addresses_of_this_machine_alone(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "farm.example", ""])  # noqa: S104
def test_addresses_that_others_reach(host: str) -> None:
    assert not is_loopback(host)
