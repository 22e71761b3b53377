"""What commands ask of a farm, wherever it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from trtfarm_cli.farms.administration import Administration
    from trtfarm_cli.farms.bundles import Bundles
    from trtfarm_cli.farms.engines import Engines
    from trtfarm_cli.farms.jobs import Jobs
    from trtfarm_cli.farms.submissions import Submissions
    from trtfarm_cli.farms.tables import Tables

Facts = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class FarmKey:
    """A public key in PEM; `own` is the one that the farm's host signs with."""

    key: str
    own: bool
    public: str


class AnyFarm(Protocol):
    """Rows are named by an id, a digest, or the start of one; whoever names none gets NotFoundError."""

    @property
    def kept_in(self) -> str:
        """The folder or the address where results are."""

    @property
    def engines(self) -> Engines: ...

    @property
    def tables(self) -> Tables: ...

    @property
    def jobs(self) -> Jobs: ...

    @property
    def submissions(self) -> Submissions: ...

    @property
    def administration(self) -> Administration:
        """What only those may do who run the farm."""

    @property
    def bundles(self) -> Bundles:
        """Tables and engines for another farm, and those of one."""

    def signing_keys(self) -> Sequence[FarmKey]:
        """The keys that its engines are signed with, its own first, made now if no engine needed one yet."""

    def projects(self) -> list[Facts]:
        """How those that are seen share in the workers, and how many jobs they have queued and running."""

    def workers(self, *, left: bool = False) -> list[Facts]:
        """Those that are alive; with `left` also those that fell silent or ended within a day."""

    def worker(self, text: str) -> Facts:
        """All that is known of a worker, those that have gone included; in `running` the jobs that it does now."""
