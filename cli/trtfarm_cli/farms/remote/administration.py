"""Running a farm behind HTTP."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from trtfarm_cli.farms.administration import Facts, Tell
from trtfarm_cli.farms.within import EVERYTHING, Within
from trtfarm_client import Client

if TYPE_CHECKING:
    from trtfarm.jobs.sharing import Share
    from trtfarm.retention.policy import Policy
    from trtfarm.tokens import Scope
    from trtfarm.workers import WorkerState


class RemoteAdministration:
    """Fulfils `Administration`; it needs a token with the scope `admin`."""

    def __init__(self, client: Client) -> None:
        self._farm = client.administration

    def set_worker(self, text: str, state: WorkerState) -> Facts:
        change = {
            "paused": self._farm.pause_worker,
            "draining": self._farm.drain_worker,
            "ready": self._farm.resume_worker,
        }
        return change[state.value](text)

    def sign_engines(self, texts: Sequence[str]) -> Sequence[str]:
        return self._farm.sign_engines(texts)

    def tokens(self) -> list[Facts]:
        return [asdict(token) for token in self._farm.tokens()]

    def create_token(self, name: str, scopes: Collection[Scope], project: str, days: float | None) -> Facts:
        return asdict(self._farm.create_token(name, scopes=scopes, project=project, days=days))

    def revoke_token(self, text: str) -> Facts:
        return asdict(self._farm.revoke_token(text))

    def set_share(self, project: str, share: Share) -> Facts:
        return asdict(self._farm.set_project(project, weight=share.weight, max_running=share.max_running))

    def audit(self, filters: Mapping[str, str | None], *, limit: int, within: Within = EVERYTHING) -> list[Facts]:
        found = self._farm.audit(**filters, since=within.since, until=within.until, limit=limit)
        return [asdict(entry) for entry in found]

    def clean(self, policy: Policy, *, grace_seconds: float, dry_run: bool, tell: Tell) -> Facts:
        return self._farm.clean(policy, garbage_after=grace_seconds, dry_run=dry_run, tell=tell)

    def check_up(self, *, repair: bool, tell: Tell) -> Facts:
        return self._farm.check_up(repair=repair, tell=tell)
