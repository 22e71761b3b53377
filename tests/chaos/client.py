"""A client in a process of its own: hands in its share of the orders, and notes those that were accepted.

`python -m tests.chaos.client HISTORY SEED JOBS SHARE SHARES BEGUN SECONDS URL`; BEGUN is a Unix time. Every order has
an idempotency key, so that it may be sent again when nobody knows what became of it: by the same process, or by the
next one after this was killed.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from tests.chaos.doors import DOORS
from tests.chaos.history import History
from tests.chaos.orders import orders
from trtfarm.settings import Settings


def main() -> None:
    history, url = History(Path(sys.argv[1])), sys.argv[8]
    seed, jobs, share, shares = map(int, sys.argv[2:6])
    begun, seconds = map(float, sys.argv[6:8])
    mine = orders(seed, jobs)[share::shares]
    accepted = {line["order"] for line in history.of("accepted")}
    folder = Settings.from_environment().home / f"client-{share}"
    folder.mkdir(parents=True, exist_ok=True)
    door = DOORS[share % len(DOORS)](url)
    for place, order in enumerate(mine):
        if order.number in accepted:
            continue
        due = begun + place * seconds / len(mine)  # spread over the time of trouble
        time.sleep(max(0.0, due - time.time()))
        history.note("sent", order=order.number, client=share)
        history.note("accepted", order=order.number, submission=door.submit(order, folder, f"order-{order.number}"))


if __name__ == "__main__":
    main()
