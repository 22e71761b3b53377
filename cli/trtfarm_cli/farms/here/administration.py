"""Running the farm that is open in this process."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from trtfarm.farm import Farm
from trtfarm_cli.farms.administration import Facts, Tell
from trtfarm_cli.farms.within import EVERYTHING, Within

if TYPE_CHECKING:
    from trtfarm.jobs.sharing import Share
    from trtfarm.retention.policy import Policy
    from trtfarm.tokens import Scope
    from trtfarm.workers import WorkerState


class AdministrationHere:
    """Fulfils `Administration`."""

    def __init__(self, farm: Farm) -> None:
        self._farm = farm

    def set_worker(self, text: str, state: WorkerState) -> Facts:
        from trtfarm.workers import running_jobs, set_state

        return set_state(self._farm.database, text, state).as_dict(running_jobs(self._farm.database))

    def sign_engines(self, texts: Sequence[str]) -> Sequence[str]:
        from trtfarm.signing.vouching import vouch

        return vouch(self._farm, texts)

    def tokens(self) -> list[Facts]:
        from trtfarm.tokens import list_tokens

        return [asdict(token) for token in list_tokens(self._farm.database)]

    def create_token(self, name: str, scopes: Collection[Scope], project: str, days: float | None) -> Facts:
        from trtfarm.tokens import create_token

        secret, token = create_token(self._farm.database, name=name, scopes=scopes, project=project, days=days)
        return {**asdict(token), "token": secret}

    def revoke_token(self, text: str) -> Facts:
        from trtfarm.tokens import revoke_token

        return asdict(revoke_token(self._farm.database, text))

    def set_share(self, project: str, share: Share) -> Facts:
        from trtfarm.projects import set_share

        return asdict(set_share(self._farm.database, project, share))

    def audit(self, filters: Mapping[str, str | None], *, limit: int, within: Within = EVERYTHING) -> list[Facts]:
        from trtfarm.audit import find_entries
        from trtfarm_cli.farms.here.filters import window_of

        with self._farm.database.read() as session:
            found = find_entries(session, **filters, limit=limit, within=window_of(within))
        return [asdict(entry) for entry in found]

    def clean(self, policy: Policy, *, grace_seconds: float, dry_run: bool, tell: Tell) -> Facts:
        from trtfarm.retention.cleaning import clean

        return clean(self._farm, policy, grace_seconds=grace_seconds, dry_run=dry_run, tell=tell).as_dict()

    def check_up(self, *, repair: bool, tell: Tell) -> Facts:
        from trtfarm.retention.checkup import check_up

        return check_up(self._farm, repair=repair, tell=tell).as_dict()
