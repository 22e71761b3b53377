"""The audit log as it is read: over HTTP page by page, and on the farm's own host, the same entries."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from trtfarm.database.schema import AuditRow
from trtfarm.errors import ForbiddenError
from trtfarm.farm import Farm
from trtfarm.tokens import Scope, create_token
from trtfarm_cli.farms.here.administration import AdministrationHere
from trtfarm_cli.farms.remote.administration import RemoteAdministration
from trtfarm_cli.farms.within import Within
from trtfarm_client import Client, calls


def day(number: int) -> datetime:
    return datetime(2026, 1, number, tzinfo=UTC)


@pytest.fixture
def ci(farm: Farm) -> str:
    """The token of whom the log tells, beside users of this machine."""
    return create_token(farm.database, name="ci", scopes=[Scope.SUBMIT], project="vision")[1].id


@pytest.fixture
def filled(farm: Farm, ci: str) -> Farm:
    changes: list[tuple[str, str, str, int, dict[str, Any]]] = [
        (ci, "vision", "POST /v1/submissions", 201, {"submission": "sub_1"}),
        ("local", "default", "PUT /v1/engines/eng_100%/pin", 404, {}),
        (ci, "vision", "DELETE /v1/engines/eng_7", 403, {}),
        ("local", "default", "POST /v1/engines/removals", 200, {"engines": "eng_7 eng_8"}),
    ]
    with farm.database.write() as session:
        for number, (actor, project, action, status, facts) in enumerate(changes, start=1):
            values: dict[str, Any] = {"actor": actor, "project": project, "action": action, "status": status}
            session.add(AuditRow(**values, id=number, at=day(number), request_id=f"req_{number}", facts=facts))
    return farm


@pytest.mark.parametrize(
    ("asked", "within", "found"),
    [
        ({}, Within(), [4, 3, 2, 1]),
        ({"who": "ci"}, Within(), [3, 1]),
        ({"who": "local"}, Within(), [4, 2]),
        ({"who": "tok_"}, Within(), [3, 1]),
        ({"who": "c"}, Within(), []),
        ({"what": "eng_7"}, Within(), [4, 3]),
        ({"what": "delete"}, Within(), [3]),
        ({"what": "100%/"}, Within(), [2]),
        ({"what": "sub_"}, Within(), [1]),
        ({"project": "vision", "what": "POST"}, Within(), [1]),
        ({}, Within(since=day(2), until=day(4)), [3, 2]),
    ],
)
def test_the_same_changes_are_told_here_and_over_http(
    client: Client,
    filled: Farm,
    monkeypatch: pytest.MonkeyPatch,
    asked: dict[str, str],
    within: Within,
    *,
    found: list[int],
) -> None:
    monkeypatch.setattr(calls, "PAGE", 2)
    here = AdministrationHere(filled).audit(asked, limit=9, within=within)
    assert [entry["request_id"] for entry in here] == [f"req_{number}" for number in found]
    assert RemoteAdministration(client).audit(asked, limit=9, within=within) == here
    assert RemoteAdministration(client).audit(asked, limit=1, within=within) == here[:1]


def test_a_change_says_who_and_what_became_of_it(client: Client, filled: Farm, ci: str) -> None:
    first = client.administration.audit(who="ci")[-1]
    assert (first.id, first.at, first.who, first.name) == ("aud_1", day(1), ci, "ci")
    assert (first.project, first.action, first.status) == ("vision", "POST /v1/submissions", 201)
    assert first.facts == {"submission": "sub_1"}


def test_reading_it_is_for_admins_and_leaves_no_trace(client: Client, submitter: Client, filled: Farm) -> None:
    with pytest.raises(ForbiddenError):
        submitter.administration.audit()
    assert len(client.administration.audit()) == 4
