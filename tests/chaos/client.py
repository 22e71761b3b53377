"""A client in a process of its own: hands in its share of the orders, and notes those that were accepted.

`python -m tests.chaos.client HISTORY SEED JOBS SHARE SHARES BEGUN SECONDS URL TOKEN PROJECT`; BEGUN is a Unix time.
Every order has idempotency keys, so that it may be sent again when nobody knows what became of it: by the same process,
or by the next one after this was killed.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.doors import DOORS, Door, Way
from tests.chaos.history import History
from tests.chaos.orders import Order, orders
from trtfarm.errors import JobFailedError, NotFoundError
from trtfarm.settings import Settings

#: How often what was handed in may be cleaned away before it is named, or be found stopped, and for how long that is.
_MOST_TIMES = 10
_STOPPED_SECONDS = 3.0


@dataclass(frozen=True, kw_only=True)
class Sending:
    """How orders are handed in."""

    door: Door
    history: History
    folder: Path

    def send(self, order: Order) -> None:
        """Hands it in, and where the order says so takes it back and hands it in again.

        After a death it goes on behind what was accepted; the rest may be done twice.
        """
        accepted = {line["key"]: line["submission"] for line in self.history.of("accepted")}
        submission = accepted.get(order.keys[0]) or self._hand_in(order, order.keys[0])
        if order.cancelled_after is None:
            return
        time.sleep(order.cancelled_after)
        self.history.note("cancelling", submission=submission)
        self.door.cancel(submission)
        self._hand_in(order, order.keys[-1])

    def _hand_in(self, order: Order, key: str) -> str:
        for _ in range(_MOST_TIMES):
            try:
                ids = self.door.submit(order, self.folder, key)
            except NotFoundError:
                continue  # clean-up took data that nobody had named yet: it is handed in anew
            except JobFailedError:  # it was accepted before, and its job is stopped for a while
                time.sleep(_STOPPED_SECONDS)
                continue
            for submission in ids:
                self.history.note("accepted", key=key, submission=submission)
            return ids[0]
        raise SystemExit(f"{key} was cleaned away, or stopped, {_MOST_TIMES} times")


def main() -> None:
    history = History(Path(sys.argv[1]))
    seed, jobs, share, shares = map(int, sys.argv[2:6])
    begun, seconds = map(float, sys.argv[6:8])
    url, token, project = sys.argv[8:]
    mine = orders(seed, jobs)[share::shares]
    accepted = {line["key"] for line in history.of("accepted")}
    folder = Settings.from_environment().home / f"client-{share}"
    folder.mkdir(parents=True, exist_ok=True)
    door = DOORS[share % len(DOORS)](Way(url=url, token=token, project=project))
    sending = Sending(door=door, history=history, folder=folder)
    for place, order in enumerate(mine):
        if order.keys[-1] in accepted:
            continue
        due = begun + place * seconds / len(mine)  # spread over the time of trouble
        time.sleep(max(0.0, due - time.time()))
        history.note("sent", key=order.keys[-1], client=share)
        sending.send(order)


if __name__ == "__main__":
    main()
