"""Submissions under an idempotency key: made once, whichever answers are lost and whichever way they are handed in."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.conftest import REPOSITORY
from tests.contracts.submission_bench import target
from tests.unit.client.breaking import BreakingWay
from tests.unit.client.conftest import link_to
from trtfarm.errors import ConflictError, UsageError
from trtfarm.farm import Farm
from trtfarm.intake import add_model
from trtfarm.models.model import Model
from trtfarm.submission_request import SubmissionRequest
from trtfarm.submissions.submission import Sender
from trtfarm.tokens import Scope, create_token
from trtfarm_cli.farms.here.submissions import sender_under
from trtfarm_client import Ask, Client

#: What the headers of a request take at most, and its answer more than they leave of it.
_HEADERS = 600


@pytest.fixture
def request_(farm: Farm) -> SubmissionRequest:
    model = add_model(farm, Model.read(REPOSITORY / "calib_data" / "mnist" / "lenet.onnx"))
    none: dict[str, list[str]] = {"exclude_nodes": [], "exclude_op_types": []}  # as orders always say it
    return SubmissionRequest(
        model_id=model,
        targets=(target("sm_86"),),
        precision="fp16",
        quantizer_options=none,
        converter_options=none,
    )


def test_a_lost_answer_makes_no_second_submission(
    way: BreakingWay,
    client_at: Callable[[int], Client],
    farm: Farm,
    request_: SubmissionRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found: list[str | None] = []

    def sent_before(sender: Sender) -> str | None:
        found.append(Farm.sent_before(farm, sender))
        return found[-1]

    monkeypatch.setattr(farm, "sent_before", sent_before)
    ask = Ask.of_request(request_)
    way.cuts = [len(json.dumps(ask.as_dict(), separators=(",", ":"))) + _HEADERS]
    made = client_at(way.port).submit(ask)
    assert (way.broken, found) == (1, [None, made.id])
    assert farm.submissions.active() == [made.id]


def test_handed_in_here_and_over_http_it_is_the_same(farm: Farm, port: int, request_: SubmissionRequest) -> None:
    secret = create_token(farm.database, name="ci", scopes=[Scope.SUBMIT], project="default")[0]
    sender = sender_under("nightly", request_, fresh=False)
    made, queued = farm.submit(request_, sender=sender)
    assert farm.submit(request_, sender=sender) == (made, [])
    assert queued
    with Client(link_to(port, secret)) as client:
        assert client.submit(Ask.of_request(request_), idempotency_key="nightly").id == made
        with pytest.raises(ConflictError, match=made):
            client.submit(Ask.of_request(request_, fresh=True), idempotency_key="nightly")
    with pytest.raises(ConflictError, match=made):
        farm.submit(request_, fresh=True, sender=sender_under("nightly", request_, fresh=True))


@pytest.mark.parametrize("key", ["", " a", "a\n", "ä", "k" * 201])
def test_what_can_be_no_key_is_not_sent(client: Client, request_: SubmissionRequest, key: str) -> None:
    with pytest.raises(UsageError, match="cannot be an idempotency key"):
        client.submit(Ask.of_request(request_), idempotency_key=key)
