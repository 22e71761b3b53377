"""A farm's HTTP API from Python: `Client`, and `AsyncClient` with the same methods to be awaited."""

from trtfarm_client.async_client import AsyncClient
from trtfarm_client.client import Client
from trtfarm_client.link import Link
from trtfarm_client.pages import Page
from trtfarm_client.sse import ServerEvent

__all__ = ["AsyncClient", "Client", "Link", "Page", "ServerEvent"]
