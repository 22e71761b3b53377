"""Histories as they happen, over connections that break: every event comes once, in order, and the last one ends it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import anyio
import pytest

from tests.contracts.rows import job_row
from tests.unit.client.breaking import BreakingWay
from trtfarm.errors import NotFoundError
from trtfarm.farm import Farm
from trtfarm.jobs.history import record
from trtfarm.jobs.state import JobState
from trtfarm_client import AsyncClient, Client, ServerEvent

EVENTS = 200


@pytest.fixture
def job(farm: Farm) -> str:
    """A job that has ended, with a long history."""
    with farm.database.write() as session:
        session.add(job_row(id="job_1", state=JobState.DONE))
    lines = [
        ("progress", {"stage": "samples", "done": number, "total": EVENTS, "unit": ""}) for number in range(EVENTS)
    ]
    record(farm.database, "job_1", 1, lines)
    return "job_1"


def check(told: list[ServerEvent]) -> None:
    assert [event.data["data"]["done"] for event in told[:-1]] == list(range(EVENTS))
    assert (told[-1].kind, told[-1].data["state"]) == ("end", "done")


def test_a_broken_stream_goes_on_after_its_last_event(
    way: BreakingWay, client_at: Callable[[int], Client], job: str
) -> None:
    way.cuts = [9_000, 700, 12_000]
    check(list(client_at(way.port).job_stream(job)))
    assert way.broken >= 3


def test_so_does_one_that_is_awaited(way: BreakingWay, client: Client, job: str) -> None:
    async def told() -> list[ServerEvent]:
        async with AsyncClient(replace(client.link, url=way.url)) as awaited:
            return [event async for event in awaited.job_stream(job)]

    way.cuts = [9_000, 700, 12_000]
    check(anyio.run(told))
    assert way.broken >= 3


def test_a_history_is_read_page_by_page(client: Client, job: str) -> None:
    first, *_, last = client.job_events(job)
    assert (first.data["done"], last.data["done"]) == (0, EVENTS - 1)
    assert client.job_events(job, after=last.id) == []


def test_nothing_is_followed_for_long_that_is_not_there(client: Client) -> None:
    with pytest.raises(NotFoundError, match="there is no job"):
        list(client.job_stream("job_9"))
