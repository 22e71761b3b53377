"""Removes garbage as fast as it can, without any grace: nothing that is in use may go with it."""

from __future__ import annotations

import time

from trtfarm.blobs.garbage import find_garbage, remove_garbage
from trtfarm.errors import TrtfarmError
from trtfarm.farm import Farm
from trtfarm.settings import Settings

_PAUSE_SECONDS = 1.0


def main() -> None:
    with Farm.open(Settings.from_environment()) as farm:
        while True:
            try:
                garbage = find_garbage(farm.database, farm.blobs, grace_seconds=0)
                remove_garbage(farm.database, farm.blobs, garbage)
            except TrtfarmError as error:
                print(error, flush=True)  # noqa: T201 - a log
            time.sleep(_PAUSE_SECONDS)


if __name__ == "__main__":
    main()
