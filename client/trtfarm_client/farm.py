"""The clients as users make them: by the farm's address."""

from __future__ import annotations

import os

from trtfarm.errors import UsageError
from trtfarm_client.client import AsyncClient, Client
from trtfarm_client.link import Link


class Farm(Client):
    """The farm at `url`, such as https://farm.example:8470; without one that of TRTFARM_URL, with TRTFARM_TOKEN.

    Raises UsageError for what can be no address.
    """

    def __init__(self, url: str | None = None, *, token: str | None = None, patience: float = Link.patience) -> None:
        super().__init__(_link(url, token, patience))


class AsyncFarm(AsyncClient):
    """The same with methods to be awaited."""

    def __init__(self, url: str | None = None, *, token: str | None = None, patience: float = Link.patience) -> None:
        super().__init__(_link(url, token, patience))


def _link(url: str | None, token: str | None, patience: float) -> Link:
    if url is not None:
        return Link(url=url, token=token, patience=patience)
    named = os.environ.get("TRTFARM_URL")
    if not named:
        raise UsageError("no farm is named", remedy="give its address, or set TRTFARM_URL")
    return Link(url=named, token=token or os.environ.get("TRTFARM_TOKEN"), patience=patience)
