"""What the builder process gives up before it touches anything hostile: cores, big files, outliving its supervisor."""

import ctypes
import os
import resource
import signal
from pathlib import Path

from trtfarm_builder.failures import ToolchainUnfitError

_PR_SET_PDEATHSIG = 1
_OPEN_FILES = 4096
#: The kernel's out-of-memory killer takes the process with the highest score first: a builder, never the worker.
_OOM_SCORE_ADJ = 800


def enter(supervisor: int, file_bytes: int) -> None:
    """Binds this process to the process `supervisor` and lowers its limits; `file_bytes` caps every file it writes.

    Address space is not limited: CUDA reserves far more of it than it uses, so the supervisor watches memory instead.
    """
    _die_with(supervisor)
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_NOFILE, _OPEN_FILES)
    _lower(resource.RLIMIT_FSIZE, file_bytes)
    _volunteer_for_oom_killer()
    os.umask(0o077)
    # Blocked signals are inherited, and a process manager that waits for signals has them blocked.
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _die_with(supervisor: int) -> None:
    """The kernel kills this process when the supervising thread ends, however it ends."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL), 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
    # A supervisor that died before prctl sends no signal any more; then this process has another parent by now.
    if os.getppid() != supervisor:
        raise ToolchainUnfitError(
            "the builder is not a direct child of its supervisor",
            cause="the toolchain's interpreter is a script that starts Python in a second process",
            remedy="let the script end in `exec python …`, so that the process stays the same",
        )


def _volunteer_for_oom_killer() -> None:
    score = Path("/proc/self/oom_score_adj")
    # Lowering it needs a privilege, and somebody who set it higher had a reason.
    if int(score.read_text()) < _OOM_SCORE_ADJ:
        score.write_text(str(_OOM_SCORE_ADJ))


def _lower(limit: int, value: int) -> None:
    _, hard = resource.getrlimit(limit)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(limit, (value, value))
