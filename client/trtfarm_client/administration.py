"""What only those may do who run a farm."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, TypeVar

from trtfarm.projects import Project
from trtfarm.retention.policy import Policy
from trtfarm_client import administration_calls as calls
from trtfarm_client import flows
from trtfarm_client.call import Call
from trtfarm_client.operations import Tell, operating, untold
from trtfarm_client.records import MadeToken, TokenRecord
from trtfarm_client.transport import Transport

Result = TypeVar("Result")
Facts = dict[str, Any]
#: Age in seconds from which files that no row names are garbage, unless it is said.
GARBAGE_SECONDS = 24 * 3600.0


class Administration:
    """Needs the scope `admin`. Every method raises the error that the farm raised."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def pause_worker(self, worker: str) -> Facts:
        """It ends the jobs that it has, and takes no more until it is told to."""
        return self._send(calls.change_worker(worker, "pause"))

    def drain_worker(self, worker: str) -> Facts:
        """It ends the jobs that it has, and leaves."""
        return self._send(calls.change_worker(worker, "drain"))

    def resume_worker(self, worker: str) -> Facts:
        """It takes jobs again."""
        return self._send(calls.change_worker(worker, "resume"))

    def sign_engines(self, engines: Sequence[str]) -> list[str]:
        """Vouches for engines that nobody signed, all or none; their ids."""
        return self._send(calls.sign_engines(engines))

    def set_project(self, project: str, *, weight: int = 1, max_running: int | None = None) -> Project:
        """Says how a project shares in the workers from now on."""
        return self._send(calls.set_project(project, weight, max_running))

    def tokens(self) -> list[TokenRecord]:
        return self._send(calls.tokens())

    def create_token(
        self,
        name: str,
        *,
        scopes: Collection[str] = ("submit",),
        project: str = "default",
        days: float | None = None,
    ) -> MadeToken:
        """Makes a token; its secret, in `token`, is told this once."""
        return self._send(calls.create_token(name, scopes, project, days))

    def revoke_token(self, token: str) -> TokenRecord:
        return self._send(calls.revoke_token(token))

    def clean(
        self, policy: Policy, *, garbage_after: float = GARBAGE_SECONDS, dry_run: bool = False, tell: Tell = untold
    ) -> Facts:
        """Removes what the policy lets go of, and files that no row names; `garbage_after` in seconds."""
        return self._run(calls.clean(policy, garbage_after, dry_run=dry_run), tell)

    def check_up(self, *, repair: bool = False, tell: Tell = untold) -> Facts:
        """Reads every file that the farm names and compares it with its digest."""
        return self._run(calls.check_up(repair=repair), tell)

    def _send(self, call: Call[Result]) -> Result:
        return self._transport.run(flows.sending(call, self._transport.patience()))

    def _run(self, call: Call[Facts], tell: Tell) -> Facts:
        return self._transport.run(operating(call, self._transport.patience(), tell))
