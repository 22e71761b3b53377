"""What the API serves: a farm, and what others do for it that it cannot do itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from starlette.requests import HTTPConnection

from trtfarm.farm import Farm
from trtfarm_api.asking import Choose, nothing_chosen

#: Tells the broker of jobs that are committed; a hint, so that it may do nothing.
Announce = Callable[[Farm, Sequence[str]], None]


def nobody_told(_farm: Farm, _job_ids: Sequence[str]) -> None:
    """The reconciler finds what is queued anyway."""


@dataclass(frozen=True, kw_only=True)
class Service:
    """A farm as it is served; `public` demands a token of everybody."""

    farm: Farm
    public: bool = False
    announce: Announce = nobody_told
    choose: Choose = nothing_chosen


def service_of(connection: HTTPConnection) -> Service:
    found: Service = connection.app.state.service
    return found
