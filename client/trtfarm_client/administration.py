"""What only those may do who run a farm."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from trtfarm.audit import AuditEntry
from trtfarm.projects import Project
from trtfarm.retention.policy import Policy
from trtfarm_client import administration_calls as calls
from trtfarm_client.flows import Flow
from trtfarm_client.method import Awaiting, Flows, Waiting, method
from trtfarm_client.operations import Tell, operating, untold
from trtfarm_client.records import MadeToken, TokenRecord

Facts = dict[str, Any]
#: Age in seconds from which files that no row names are garbage, unless it is said.
GARBAGE_SECONDS = 24 * 3600.0


class _Administration(Flows):
    """Methods of both kinds."""

    @method
    def pause_worker(self, worker: str) -> Flow[Facts]:
        """It ends the jobs that it has, and takes no more until it is told to."""
        return self._send(calls.change_worker(worker, "pause"))

    @method
    def drain_worker(self, worker: str) -> Flow[Facts]:
        """It ends the jobs that it has, and leaves."""
        return self._send(calls.change_worker(worker, "drain"))

    @method
    def resume_worker(self, worker: str) -> Flow[Facts]:
        """It takes jobs again."""
        return self._send(calls.change_worker(worker, "resume"))

    @method
    def sign_engines(self, engines: Sequence[str]) -> Flow[list[str]]:
        """Vouches for engines that nobody signed, all or none; their ids."""
        return self._send(calls.sign_engines(engines))

    @method
    def set_project(self, project: str, *, weight: int = 1, max_running: int | None = None) -> Flow[Project]:
        """Says how a project shares in the workers from now on."""
        return self._send(calls.set_project(project, weight, max_running))

    @method
    def tokens(self) -> Flow[list[TokenRecord]]:
        """Tokens, newest first, revoked ones too, without what opens the farm."""
        return self._send(calls.tokens())

    @method
    def create_token(
        self,
        name: str,
        *,
        scopes: Collection[str] = ("submit",),
        project: str = "default",
        days: float | None = None,
    ) -> Flow[MadeToken]:
        """Makes a token; its secret, in `token`, is told this once."""
        return self._send(calls.create_token(name, scopes, project, days))

    @method
    def revoke_token(self, token: str) -> Flow[TokenRecord]:
        """Ends a token at once."""
        return self._send(calls.revoke_token(token))

    @method
    def audit(
        self,
        *,
        who: str | None = None,
        what: str | None = None,
        project: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
    ) -> Flow[list[AuditEntry]]:
        """Changes that somebody was let in to ask for, newest first; `who` is a token's id or name, or `local`."""
        words = {"who": who, "what": what, "project": project, "since": since, "until": until}
        return self._listed(calls.audit, words, limit)

    @method
    def clean(
        self, policy: Policy, *, garbage_after: float = GARBAGE_SECONDS, dry_run: bool = False, tell: Tell = untold
    ) -> Flow[Facts]:
        """Removes what the policy lets go of, and files that no row names; `garbage_after` in seconds."""
        return operating(calls.clean(policy, garbage_after, dry_run=dry_run), self._patience(), tell)

    @method
    def check_up(self, *, repair: bool = False, tell: Tell = untold) -> Flow[Facts]:
        """Reads every file that the farm names and compares it with its digest."""
        return operating(calls.check_up(repair=repair), self._patience(), tell)


class Administration(Waiting, _Administration):
    """Needs the scope `admin`. Every method raises the error that the farm raised."""


class AsyncAdministration(Awaiting, _Administration):
    """The same with methods to be awaited."""
