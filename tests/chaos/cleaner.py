"""Removes garbage as fast as it can, without any grace: nothing that is in use may go with it."""

from __future__ import annotations

import time

from trtfarm.errors import TrtfarmError
from trtfarm.farm import Farm
from trtfarm.retention.cleaning import clean
from trtfarm.retention.policy import Policy
from trtfarm.settings import Settings

_PAUSE_SECONDS = 1.0


def main() -> None:
    with Farm.open(Settings.from_environment()) as farm:
        while True:
            try:
                clean(farm, Policy(), grace_seconds=0)
            except TrtfarmError as error:
                print(error, flush=True)  # noqa: T201 - a log
            time.sleep(_PAUSE_SECONDS)


if __name__ == "__main__":
    main()
