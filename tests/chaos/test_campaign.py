"""A short campaign, for CI; `make chaos` is the long one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.chaos.__main__ import line_of
from tests.chaos.campaign import Campaign, Size
from tests.chaos.orders import Order, orders
from tests.chaos.troubles import OF_WORK, Trouble

#: What has to be in the mix.
_WANTED: tuple[Callable[[Order], object], ...] = (
    lambda order: order.shards > 1,
    lambda order: order.labels,
    lambda order: order.light,
    lambda order: order.cancelled_after is not None,
)


def test_nothing_is_lost_while_processes_are_killed() -> None:
    size = Size(jobs=16, seconds=10, kills=6, workers=2, clients=4, seed=9367, patience=120)
    mix = orders(size.seed, size.jobs)
    assert all(any(map(wanted, mix)) for wanted in _WANTED)
    told: list[str] = []
    # Not below pytest's own folder, into which PostgreSQL cannot look where it runs as another user.
    with TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        campaign = Campaign(folder, size, told.append)
        verdict = campaign.run()
    assert verdict.good, [line_of(verdict, campaign.kills, 0), verdict, told]
    assert verdict.jobs >= size.jobs
    assert campaign.kills > 0
    if os.environ.get("CI"):  # a small disk takes rights that few have
        assert campaign.left_out <= {Trouble.FILL_DISK, *OF_WORK}
