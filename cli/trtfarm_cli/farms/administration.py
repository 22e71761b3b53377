"""What whoever runs a farm asks of it, wherever it is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from trtfarm_cli.farms.within import EVERYTHING, Within

if TYPE_CHECKING:
    from trtfarm.jobs.sharing import Share
    from trtfarm.retention.policy import Policy
    from trtfarm.tokens import Scope
    from trtfarm.workers import WorkerState

Facts = dict[str, Any]
#: Hears how many of how many files are done.
Tell = Callable[[int, int], None]


class Administration(Protocol):
    """Rows are named by an id, or the start of one; whoever names none gets NotFoundError."""

    def set_worker(self, text: str, state: WorkerState) -> Facts:
        """A worker, which is to be in this state from now on."""

    def sign_engines(self, texts: Sequence[str]) -> Sequence[str]:
        """Vouches for engines without a signature, all or none; their ids."""

    def tokens(self) -> list[Facts]: ...

    def create_token(self, name: str, scopes: Collection[Scope], project: str, days: float | None) -> Facts:
        """A token, with what opens the API in `token`."""

    def revoke_token(self, text: str) -> Facts: ...

    def set_share(self, project: str, share: Share) -> Facts:
        """How a project shares in the workers from now on."""

    def audit(self, filters: Mapping[str, str | None], *, limit: int, within: Within = EVERYTHING) -> list[Facts]:
        """Who changed what over HTTP, newest first. Filters are `who`, `what` and `project`.

        They are None for what is not asked; accuracy is nothing to it and passed over.
        """

    def clean(self, policy: Policy, *, grace_seconds: float, dry_run: bool, tell: Tell) -> Facts:
        """What went, as `Cleaned.as_dict` tells it."""

    def check_up(self, *, repair: bool, tell: Tell) -> Facts:
        """What was found, as `Checkup.as_dict` tells it."""
