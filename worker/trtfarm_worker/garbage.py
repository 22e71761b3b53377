"""Python's search for garbage, which short commands do without (`trtfarm_cli.__main__`)."""

from __future__ import annotations

import gc


def collect_from_now_on() -> None:
    """To be called before what may take long."""
    gc.freeze()  # what is loaded by now stays, and to search it takes longer than many a job
    gc.enable()
