"""The process manager of `trtfarm up`, with programs that die and programs that do not want to."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.acceptance.worker.programs import PATIENCE, Program, program

ORPHAN = """
import os
from trtfarm_worker.processes import keep_running

program = "import signal; from trtfarm_worker import processes; processes.end_with_manager()"
program += "; print('ready', flush=True); signal.pause()"
keep_running({"program": ["-c", program]}, environment=os.environ, tell=lambda line: print(line, flush=True))
"""
MANAGER = """
import os, sys
from trtfarm_worker.processes import keep_running

steady = "import signal as s; print('steady blocks', s.pthread_sigmask(s.SIG_BLOCK, []), flush=True); s.pause()"
stubborn = "import signal as s; s.signal(s.SIGTERM, s.SIG_IGN); print('stubborn is up', flush=True)"
stubborn += "\\nwhile True: s.pause()"
keep_running(
    {"steady": ["-c", steady], "stubborn": ["-c", stubborn]},
    environment=os.environ,
    tell=lambda line: print(line, flush=True),
    grace_seconds=float(sys.argv[1]),
)
print("manager ends", flush=True)
"""


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Program]:
    with program(["-c", MANAGER, "0.2"], tmp_path) as started:
        yield started
        assert not [process for process in psutil.process_iter() if _mentions(process, "stubborn is up")]


def test_what_is_killed_is_started_again_and_all_end_with_the_manager(manager: Program) -> None:
    first = _process(manager, "steady")
    stubborn = _process(manager, "stubborn")
    manager.starts("steady blocks")
    os.kill(first, signal.SIGKILL)
    manager.starts("steady ended, again in 0.5 s")
    second = _process(manager, "steady")
    # What the manager has blocked for itself would make its programs deaf to SIGTERM.
    assert manager.starts("steady blocks") == "steady blocks set()"
    os.kill(second, signal.SIGKILL)
    manager.starts("steady ended, again in 1 s")
    assert psutil.pid_exists(stubborn)
    if "stubborn is up" not in manager.lines:
        manager.starts("stubborn is up")
    manager.process.terminate()
    assert manager.ended() == 0
    assert manager.lines[-1] == "manager ends"
    assert len({first, second}) == 2
    assert not any(map(psutil.pid_exists, (first, second, stubborn)))


def test_programs_end_with_a_manager_that_is_killed(tmp_path: Path) -> None:
    with program(["-c", ORPHAN], tmp_path) as manager:
        orphan = psutil.Process(_process(manager, "program"))
        manager.starts("ready")
        manager.process.kill()
        assert psutil.wait_procs([orphan], timeout=PATIENCE)[1] == []


def _process(manager: Program, name: str) -> int:
    return int(manager.starts(f"{name} started, process").rpartition(" ")[2])


def _mentions(process: psutil.Process, words: str) -> bool:
    try:
        return words in " ".join(process.cmdline()) and "keep_running" not in " ".join(process.cmdline())
    except psutil.Error:
        return False
