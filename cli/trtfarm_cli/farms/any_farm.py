"""What commands ask of a farm, wherever it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from trtfarm.accuracy import ANY_ACCURACY, AccuracyFilter

if TYPE_CHECKING:
    from trtfarm.catalog.entries import EngineEntry, TableEntry
    from trtfarm.jobs.job import Event, Job
    from trtfarm.models.model import Model
    from trtfarm.tables.table import CalibrationTable
    from trtfarm_cli.farms.administration import Administration
    from trtfarm_cli.farms.bundles import Bundles
    from trtfarm_cli.progress import View
    from trtfarm_worker.order import Order

Facts = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Within:
    """What a list is limited to beside its filters: made at `since` or later, before `until`, and as accurate."""

    since: datetime | None = None
    until: datetime | None = None
    accuracy: AccuracyFilter = ANY_ACCURACY


EVERYTHING = Within()


@dataclass(frozen=True, kw_only=True)
class Pulled:
    """An engine that was written to `path`; `signature` is the file beside it, None for an unsigned one."""

    engine: str
    digest: str
    size: int
    path: Path
    signature: Path | None


@dataclass(frozen=True, kw_only=True)
class FarmKey:
    """A public key in PEM; `own` is the one that the farm's host signs with."""

    key: str
    own: bool
    public: str


@dataclass(frozen=True, kw_only=True)
class Requeued:
    """A job that was queued again, the submissions that go on with it, and what is to be told besides."""

    job: Facts
    submissions: Sequence[str]
    notice: str | None


class AnyFarm(Protocol):
    """Rows are named by an id, a digest, or the start of one; whoever names none gets NotFoundError.

    Filters are `tensorrt`, `target`, `precision`, `calibrator`, `model`, `digest` and `label`, None for what is not
    asked.
    """

    @property
    def kept_in(self) -> str:
        """The folder or the address where results are."""

    @property
    def administration(self) -> Administration:
        """What only those may do who run the farm."""

    @property
    def bundles(self) -> Bundles:
        """Tables and engines for another farm, and those of one."""

    def signing_keys(self) -> Sequence[FarmKey]:
        """The keys that its engines are signed with, its own first, made now if no engine needed one yet."""

    def engines(
        self, filters: Mapping[str, str | None], *, limit: int, within: Within = EVERYTHING
    ) -> Sequence[EngineEntry]: ...

    def engine(self, text: str) -> Facts: ...

    def pull(self, text: str, destination: Path | None, *, verify: bool) -> Pulled:
        """Writes an engine and its signature; under a name of its own where there is no destination.

        Raises SignatureError where `verify` is wanted and no trusted key signed it.
        """

    def verify(self, text: str, data: Sequence[str], labels: str | None, *, fresh: bool, shown: View) -> Facts:
        """`engine`, `precision`, `compute_capability`, `verification`, `dataset` and `metrics`.

        Without data, those that its model was verified with last. Measured here, or by a worker of a farm elsewhere.
        """

    def remove_engines(self, texts: Sequence[str]) -> Sequence[str]:
        """Their ids; all that are named go, or none."""

    def pin_engine(self, text: str, *, pinned: bool) -> None:
        """Keeps an engine from every clean-up, or lets it go."""

    def label_engine(self, text: str, label: str, *, given: bool) -> None:
        """Gives an engine a label, or takes it away."""

    def tables(
        self, filters: Mapping[str, str | None], *, limit: int, within: Within = EVERYTHING
    ) -> Sequence[TableEntry]: ...

    def table(self, text: str) -> Facts: ...

    def table_text(self, text: str) -> tuple[str, bytes]:
        """The id of a table, and what TensorRT reads."""

    def import_table(self, table: CalibrationTable, model: Model) -> str:
        """The id of a table that was checked against its model."""

    def jobs(self, *, state: str | None, kind: str | None, limit: int) -> list[Facts]: ...

    def job(self, text: str) -> Facts:
        """All that is known of a job; of a queued one in `waits`, why nobody does it."""

    def job_events(self, text: str, listener: Callable[[list[Event]], None], *, follow: bool) -> Job:
        """Hands a job's history to the listener, until its end if `follow` is wanted; returns the job as it is then."""

    def cancel(self, text: str) -> Facts: ...

    def retry(self, text: str) -> Requeued: ...

    def submissions(self, filters: Mapping[str, str | None], *, limit: int, within: Within = EVERYTHING) -> list[Facts]:
        """Filters are `state`, `project` and `model`, None for what is not asked."""

    def cancel_submission(self, text: str) -> Facts:
        """`submission` and `state` as they are now; jobs in `withdrawn`, `stopping`, and `left` to others."""

    def projects(self) -> list[Facts]:
        """How those that are seen share in the workers, and how many jobs they have queued and running."""

    def explain_job(self, text: str) -> Facts:
        """`job`, `kind`, `state`, `key`, `fields`, and in `nearest` the stored result that is most alike."""

    def dry_run(self, order: Order) -> list[Facts]:
        """What each step of a submission would be, as `Explanation.as_dict` gives it."""

    def submit(self, order: Order, *, fresh: bool, detach: bool) -> Facts:
        """Hands an order in and sees it through, unless it is to be left to the workers; what became of it."""

    def workers(self) -> list[Facts]: ...
