"""Jobs of a farm, wherever it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from trtfarm.jobs.job import Event, Job

Facts = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Requeued:
    """A job that was queued again, the submissions that go on with it, and what is to be told besides."""

    job: Facts
    submissions: Sequence[str]
    notice: str | None


class Jobs(Protocol):
    """As `plain_jobs` tells them."""

    def find(self, *, state: str | None, kind: str | None, limit: int, worker: str | None = None) -> list[Facts]:
        """The newest; `worker` is the id of who runs or ran them."""

    def details(self, text: str) -> Facts:
        """All that is known of a job; of a queued one in `waits`, why nobody does it."""

    def history(self, text: str, listener: Callable[[list[Event]], None], *, follow: bool) -> Job:
        """Hands a job's history to the listener, until its end if `follow` is wanted; returns the job as it is then."""

    def cancel(self, text: str) -> Facts: ...

    def retry(self, text: str) -> Requeued: ...

    def explain(self, text: str) -> Facts:
        """`job`, `kind`, `state`, `key`, `fields`, and in `nearest` the stored result that is most alike."""


def with_jobs(worker: Facts, jobs: Jobs) -> Facts:
    """A worker with the jobs that it does now in `running`; the count in `jobs` has those of other projects, too."""
    most = max(1, worker["jobs"])
    return {**worker, "running": jobs.find(state="running", kind=None, worker=worker["id"], limit=most)}
