"""What a load balancer is told of a database that neither answers nor refuses."""

from __future__ import annotations

import asyncio
import threading

import pytest

from trtfarm_api import readiness


def test_what_hangs_is_told_in_time_asked_once_and_asked_again_when_it_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "ANSWER_SECONDS", 0.05)
    asked, over = list[int](), threading.Event()

    def ask() -> None:
        asked.append(1)
        over.wait()

    async def answers() -> list[bool]:
        known = readiness.Readiness()
        found = await asyncio.gather(*(known.answers("database", ask) for _ in range(3)))
        found.append(await known.answers("blob store", lambda: None))
        over.set()
        monkeypatch.setattr(readiness, "ANSWER_SECONDS", 5.0)
        return [*found, await known.answers("database", ask), await known.answers("database", ask)]

    assert asyncio.run(answers()) == [False, False, False, True, True, True]
    assert 1 < len(asked) <= 3
