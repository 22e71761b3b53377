"""What a process does that is about to stay: a worker, the reconciler, a server."""

from __future__ import annotations

import os
import sys

from trtfarm_worker.garbage import collect_from_now_on
from trtfarm_worker.logs import log_to_stderr
from trtfarm_worker.processes import end_with_manager


def settle() -> None:
    """What a process that stays needs: garbage collection, which short commands do without, a log, and an end."""
    collect_from_now_on()
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # Celery tells of its shutdown on stdout, which is for data
    end_with_manager()
    log_to_stderr()
