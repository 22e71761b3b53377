"""What the farm itself costs: help, a hit, and what a job takes beside its builder process.

Whole commands are started as a user would. There is no peer for these; the limits are the project's own.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from sqlalchemy import select

from trtfarm.database.schema import SubmissionRow
from trtfarm.farm import Farm
from trtfarm.jobs.history import events_since
from trtfarm.jobs.queries import list_jobs
from trtfarm.settings import Settings

_REPOSITORY = Path(__file__).resolve().parents[1]
_LENET = "calib_data/mnist/lenet.onnx"
_RUNS = 9
_BUILT = ("--precision", "fp32", "--target", "sm_86", "--fresh")


def run() -> None:
    with tempfile.TemporaryDirectory() as home:
        os.environ["TRTFARM_HOME"] = home
        _trtfarm("toolchain", "install", "tensorrt-rtx")
        _trtfarm("submit", _LENET)
        _print("trtfarm --help", _median(lambda: _trtfarm("--help")), 0.3)
        _print("trtfarm submit, a hit, whole command", _median(lambda: _trtfarm("submit", _LENET)), 1.0)
        with Farm.open(Settings.from_environment()) as farm:
            request = farm.submissions.get(_newest_submission(farm)).request
            farm.submit(request)
            _print("a hit inside the service", _median(lambda: farm.submit(request)), 0.05)
        builds = [_overhead() for _ in range(_RUNS)]
        _print("a job, beside its builder process", statistics.median(builds), 0.5)


def _overhead() -> float:
    """Seconds from a build's being queued to its end, less those of its builder process."""
    _trtfarm("submit", _LENET, *_BUILT)
    with Farm.open(Settings.from_environment()) as farm:
        job = list_jobs(farm.database, kind="build", limit=1)[0]
        told = next(event for event in events_since(farm.database, job.id) if event.kind == "builder")
    return _seconds(job.queued_at, job.finished) - float(told.data["seconds"])


def _seconds(begin: datetime, end: datetime | None) -> float:
    if end is None:
        raise ValueError("the build has not ended")
    return (end - begin).total_seconds()


def _newest_submission(farm: Farm) -> str:
    with farm.database.read() as session:
        return str(session.scalars(select(SubmissionRow.id).order_by(SubmissionRow.created.desc())).first())


def _median(action: Callable[[], object]) -> float:
    times = []
    for _ in range(_RUNS):
        begun = time.perf_counter()
        action()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def _trtfarm(*arguments: str) -> None:
    command = [sys.executable, "-m", "trtfarm_cli", *arguments]
    subprocess.run(command, cwd=_REPOSITORY, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _print(what: str, seconds: float, limit: float) -> None:
    print(f"{what:40}{seconds:8.3f} s{'':4}limit {limit:g} s, {seconds / limit:.2f} of it", flush=True)
