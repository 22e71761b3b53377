"""What the API serves: a farm, and what others do for it that it cannot do itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from starlette.requests import HTTPConnection

from trtfarm.farm import Farm
from trtfarm_api.choosing import Choose, nothing_chosen

#: Tells the broker of jobs that are committed; a hint, so that it may do nothing.
Announce = Callable[[Farm, Sequence[str]], None]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Of one process. A client is a token, or an address where there is none."""

    #: Bytes of a body; the pieces of uploads are counted against their upload instead.
    body_bytes: int = 8 << 20
    #: Requests of a client in a second, for long and at once.
    rate: float = 100.0
    burst: float = 400.0
    #: Requests of a client, and of all, that are being answered; streams are among them.
    of_client: int = 128
    of_all: int = 1024


def nobody_told(_farm: Farm, _job_ids: Sequence[str]) -> None:
    """The reconciler finds what is queued anyway."""


@dataclass(frozen=True, kw_only=True)
class Service:
    """A farm as it is served; `public` demands a token of everybody."""

    farm: Farm
    public: bool = False
    announce: Announce = nobody_told
    choose: Choose = nothing_chosen
    limits: Limits = Limits()


def service_of(connection: HTTPConnection) -> Service:
    found: Service = connection.app.state.service
    return found
