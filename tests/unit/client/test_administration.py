"""Running a farm by both clients, and what becomes of long work whose connection breaks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import anyio
import pytest

from tests.contracts.rows import unsigned_engine
from tests.unit.client.breaking import BreakingWay
from tests.unit.client.conftest import link_to
from trtfarm.errors import BusyError, ForbiddenError, UnreachableError
from trtfarm.farm import Farm
from trtfarm.retention.policy import Policy
from trtfarm.tokens import Scope, create_token
from trtfarm_api.routes import upkeep
from trtfarm_client import AsyncClient, Client


@pytest.fixture
def admin(farm: Farm) -> str:
    return create_token(farm.database, name="root", scopes=[Scope.ADMIN])[0]


@pytest.fixture
def engine(farm: Farm) -> str:
    return unsigned_engine(farm)


def test_a_farm_is_run_by_either_client(farm: Farm, port: int, admin: str, engine: str) -> None:
    policy = Policy(total_bytes=0, data_unused_for=timedelta(days=1))
    told: list[tuple[int, int]] = []

    async def awaited() -> Any:
        async with AsyncClient(link_to(port, admin)) as client:
            run = client.administration
            made = await run.create_token("ci", scopes=["read"], project="vision", days=1)
            ended = await run.revoke_token(made.id)
            found = await run.check_up(tell=lambda done, total: told.append((done, total)))
            return made, ended, await run.tokens(), found, await run.clean(policy, dry_run=True)

    made, ended, tokens, found, planned = anyio.run(awaited)
    assert made.token not in repr(made)
    assert (made.scopes, made.revoked, ended.revoked is not None) == (("read",), None, True)
    assert ended in tokens
    assert told[0] == (0, 0)
    with Client(link_to(port, admin)) as client:
        assert client.administration.tokens() == tokens
        assert client.administration.check_up() == found
        assert client.administration.clean(policy) == planned
        assert [gone["id"] for gone in planned["engines"]] == [engine]
        assert client.engines() == []


def test_errors_before_and_while_it_works_are_those_of_the_farm(
    submitter: Client, port: int, admin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ForbiddenError):
        submitter.administration.clean(Policy())

    def too_much(*_: Any, **__: Any) -> Any:
        raise BusyError("the disk has too much to do")

    monkeypatch.setattr(upkeep, "clean", too_much)
    with Client(link_to(port, admin)) as run, pytest.raises(BusyError, match="the disk"):
        run.administration.clean(Policy())


def test_what_broke_off_while_it_worked_is_told_and_ends(
    way: BreakingWay, port: int, admin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for it any more, so that another one can be begun."""
    left = threading.Event()

    def works(*_: Any, tell: Callable[[int, int], None], **__: Any) -> Any:
        done = 0
        try:
            while not left.wait(0.01):
                done += 1
                tell(done, 1 << 40)
        finally:
            left.set()

    monkeypatch.setattr(upkeep, "check_up", works)
    way.cuts = [1000]
    with Client(link_to(way.port, admin)) as client:
        with pytest.raises(UnreachableError) as caught:
            client.administration.check_up()
        assert caught.value.remedy is not None
        assert "do it again" in caught.value.remedy
        assert left.wait(20)
        assert client.administration.clean(Policy())["engines"] == []
