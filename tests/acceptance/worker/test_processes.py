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
from tests.acceptance.worker.words import say
from trtfarm_worker.processes import keep_running

program = '''
import signal
from tests.acceptance.worker.words import say
from trtfarm_worker.processes import end_with_manager
end_with_manager()
say("ready")
signal.pause()
'''
keep_running({"program": ["-c", program]}, environment=os.environ, tell=say)
"""
MANAGER = """
import os, sys
from tests.acceptance.worker.words import say
from trtfarm_worker.processes import keep_running

steady = '''
import signal
from tests.acceptance.worker.words import say
say(f"steady blocks {signal.pthread_sigmask(signal.SIG_BLOCK, [])}")
signal.pause()
'''
stubborn = '''
import signal
from tests.acceptance.worker.words import say
signal.signal(signal.SIGTERM, signal.SIG_IGN)
say("stubborn is up")
while True:
    signal.pause()
'''
programs = {"steady": ["-c", steady], "stubborn": ["-c", stubborn]}
keep_running(programs, environment=os.environ, tell=say, grace_seconds=float(sys.argv[1]))
say("manager ends")
"""


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Program]:
    with program(["-c", MANAGER, "0.2"], tmp_path) as started:
        yield started


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
