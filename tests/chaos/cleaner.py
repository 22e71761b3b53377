"""Removes what it may as fast as it can, without any grace: nothing that is in use may go with it.

`python -m tests.chaos.cleaner BYTES`: engines may take so many.
"""

from __future__ import annotations

import sys
import time

from tests.chaos.operators import UNUSED_FOR
from trtfarm.errors import TrtfarmError
from trtfarm.farm import Farm
from trtfarm.retention.cleaning import clean
from trtfarm.retention.policy import Policy
from trtfarm.settings import Settings

_PAUSE_SECONDS = 1.0


def main() -> None:
    policy = Policy(total_bytes=int(sys.argv[1]), tables_unused_for=UNUSED_FOR, data_unused_for=UNUSED_FOR)
    with Farm.open(Settings.from_environment()) as farm:
        while True:
            try:
                clean(farm, policy, grace_seconds=0)
            except TrtfarmError as error:
                print(error, flush=True)  # noqa: T201 - a log
            time.sleep(_PAUSE_SECONDS)


if __name__ == "__main__":
    main()
