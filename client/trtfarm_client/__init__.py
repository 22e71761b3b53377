"""A farm's HTTP API from Python: `Farm`, and `AsyncFarm` with the same methods to be awaited.

`from trtfarm import Farm` is the same. `Client` and `AsyncClient` are those of a `Link`.
"""

from trtfarm_client.ask import Ask, AskedRule, AskedTarget
from trtfarm_client.client import AsyncClient, Client
from trtfarm_client.farm import AsyncFarm, Farm
from trtfarm_client.flows import Transferred
from trtfarm_client.link import Link
from trtfarm_client.sse import ServerEvent

__all__ = [
    "Ask",
    "AskedRule",
    "AskedTarget",
    "AsyncClient",
    "AsyncFarm",
    "Client",
    "Farm",
    "Link",
    "ServerEvent",
    "Transferred",
]
