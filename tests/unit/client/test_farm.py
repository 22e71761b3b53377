"""`from trtfarm import Farm`: a farm by its address."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from tests.unit.client.conftest import link_to
from trtfarm import AsyncFarm, Farm
from trtfarm.errors import UsageError


def test_a_farm_by_its_address(port: int, token: str) -> None:
    link = link_to(port, token)

    async def awaited() -> str | None:
        async with AsyncFarm(link.url, token=token) as farm:
            return (await farm.whoami()).project

    with Farm(link.url, token=token) as farm:
        assert farm.whoami().project == asyncio.run(awaited())


def test_a_farm_by_the_environment(port: int, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRTFARM_URL", link_to(port, token).url)
    monkeypatch.setenv("TRTFARM_TOKEN", token)
    with Farm() as farm:
        assert farm.engines() == []


def test_the_environments_token_is_for_no_other_farm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRTFARM_TOKEN", "secret")
    with Farm("https://farm.example") as farm:
        assert farm.link.token is None


def test_without_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRTFARM_URL", raising=False)
    with pytest.raises(UsageError, match="no farm is named"):
        Farm()


def test_who_does_not_ask_for_it_does_not_pay_for_it() -> None:
    look = "print('trtfarm_client' in sys.modules)"
    code = f"import sys, trtfarm; {look}; trtfarm.Farm; {look}"
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert told.stdout.split() == ["False", "True"]
