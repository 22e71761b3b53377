"""What only those may do who run a farm, to be awaited."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, TypeVar

from trtfarm.projects import Project
from trtfarm.retention.policy import Policy
from trtfarm_client import administration_calls as calls
from trtfarm_client import flows
from trtfarm_client.administration import GARBAGE_SECONDS
from trtfarm_client.async_transport import AsyncTransport
from trtfarm_client.call import Call
from trtfarm_client.operations import Tell, operating, untold
from trtfarm_client.records import MadeToken, TokenRecord

Result = TypeVar("Result")
Facts = dict[str, Any]


class AsyncAdministration:
    """What its methods do and raise is said at those of `Administration`."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def pause_worker(self, worker: str) -> Facts:
        return await self._send(calls.change_worker(worker, "pause"))

    async def drain_worker(self, worker: str) -> Facts:
        return await self._send(calls.change_worker(worker, "drain"))

    async def resume_worker(self, worker: str) -> Facts:
        return await self._send(calls.change_worker(worker, "resume"))

    async def sign_engines(self, engines: Sequence[str]) -> list[str]:
        return await self._send(calls.sign_engines(engines))

    async def set_project(self, project: str, *, weight: int = 1, max_running: int | None = None) -> Project:
        return await self._send(calls.set_project(project, weight, max_running))

    async def tokens(self) -> list[TokenRecord]:
        return await self._send(calls.tokens())

    async def create_token(
        self,
        name: str,
        *,
        scopes: Collection[str] = ("submit",),
        project: str = "default",
        days: float | None = None,
    ) -> MadeToken:
        return await self._send(calls.create_token(name, scopes, project, days))

    async def revoke_token(self, token: str) -> TokenRecord:
        return await self._send(calls.revoke_token(token))

    async def clean(
        self, policy: Policy, *, garbage_after: float = GARBAGE_SECONDS, dry_run: bool = False, tell: Tell = untold
    ) -> Facts:
        return await self._run(calls.clean(policy, garbage_after, dry_run=dry_run), tell)

    async def check_up(self, *, repair: bool = False, tell: Tell = untold) -> Facts:
        return await self._run(calls.check_up(repair=repair), tell)

    async def _send(self, call: Call[Result]) -> Result:
        return await self._transport.run(flows.sending(call, self._transport.patience()))

    async def _run(self, call: Call[Facts], tell: Tell) -> Facts:
        return await self._transport.run(operating(call, self._transport.patience(), tell))
