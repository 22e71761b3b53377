"""Submissions to a farm, wherever it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from trtfarm_cli.farms.within import EVERYTHING, Within

if TYPE_CHECKING:
    from trtfarm_worker.order import Order

Facts = dict[str, Any]


class Submissions(Protocol):
    """As they are handed in, followed and found again."""

    def find(self, filters: Mapping[str, str | None], *, limit: int, within: Within = EVERYTHING) -> list[Facts]:
        """Filters are `state`, `project` and `model`, None for what is not asked."""

    def details(self, text: str) -> Facts:
        """What was asked for, what became of each target, and which job did each step when."""

    def cancel(self, text: str) -> Facts:
        """`submission` and `state` as they are now; jobs in `withdrawn`, `stopping`, and `left` to others."""

    def dry_run(self, order: Order) -> list[Facts]:
        """What each step of a submission would be, as `Explanation.as_dict` gives it."""

    def submit(self, order: Order, *, fresh: bool, detach: bool, key: str | None) -> Facts:
        """Hands an order in and sees it through, unless it is to be left to the workers; what became of it.

        Under the same idempotency key, that is the same submission. Raises ConflictError for another order under it.
        """
