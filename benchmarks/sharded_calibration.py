"""Calibration by one worker in one piece, and in shards by two, from the submission to the table.

Each is a Celery worker with a core of its own, as if it were a machine of its own: it does one job at a time, and its
builders stay on that core. One worker that does all shards tells what cutting the data costs. The tables must be equal,
byte for byte.

The mix of layers comes with the golden files, its samples taken several times over; the sentence encoder has to be
exported (`reference_calibrator` says how).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.reference_calibrator import Case, cases
from benchmarks.sizes import size
from trtfarm.calibrators import CalibrationRule, Calibrator
from trtfarm.database.named_rows import row
from trtfarm.database.schema import JobRow, SubmissionRow, TableRow
from trtfarm.datasets.dataset import Array, DataSet
from trtfarm.digests import digest_of_file
from trtfarm.errors import error_from_dict
from trtfarm.farm import Farm
from trtfarm.intake import add_dataset, add_model
from trtfarm.jobs.state import StepState
from trtfarm.models.model import Model
from trtfarm.settings import Settings
from trtfarm.submission_request import SubmissionRequest
from trtfarm.submissions.submission import StepStatus
from trtfarm.targets import BuildTarget
from trtfarm_worker.inline import announce
from trtfarm_worker.presence import workers_up

_RULE = CalibrationRule.of(Calibrator.ENTROPY2, batch_size=25)
#: Nobody here builds for it, so that nothing is worked on but the table.
_TARGET = BuildTarget(compute_capability="sm_90", toolchain="tensorrt", tensorrt="8.5.3.1")
_LOOK_SECONDS = 0.05


@dataclass(frozen=True)
class Way:
    """So many workers, and shares of the data."""

    workers: int
    shards: int


_WHOLE = Way(1, 1)
_WAYS = (_WHOLE, Way(1, 2), Way(2, 2), Way(2, 4))


def run() -> None:
    names = [f"{way.workers} worker{'s' * (way.workers > 1)}, {way.shards}" for way in _WAYS]
    print(f"{'':22}" + "".join(f"{name:>16}" for name in names))
    for case in cases():
        tables, told = set[bytes](), list[str]()
        for way in _WAYS:
            seconds, table = _calibrated(case, way)
            tables.add(table)
            told.append(f"{seconds:.1f} s")
        if len(tables) > 1:
            raise RuntimeError(f"{case.name}: the tables differ")
        print(f"{case.name:22}" + "".join(f"{word:>16}" for word in told), flush=True)


def _calibrated(case: Case, way: Way) -> tuple[float, bytes]:
    """Seconds from the submission to the table, by the database's clock, and the table's text."""
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "TRTFARM_HOME": home, "TRTFARM_SLOTS": "1"}
        with Farm.open(Settings.from_environment(environment)) as farm, _workers(way.workers, environment):
            request = SubmissionRequest(
                model_id=add_model(farm, Model.read(case.model)),
                precision="int8",
                targets=(_TARGET,),
                rule=_RULE,
                dataset_id=add_dataset(farm, _data(case, Path(home))),
                shards=way.shards,
            )
            _wait_for(farm, way.workers)
            submission, queued = farm.submit(request)
            announce(farm, queued, wanted=True)
            step = _ended(farm, submission)
            with farm.database.read() as session:
                begun = row(session, SubmissionRow, submission).created
                ended = row(session, JobRow, step.job_id).finished
                table = row(session, TableRow, (step.result or {})["table_id"])
            assert ended is not None  # noqa: S101 - for the type checker
            return (ended - begun).total_seconds(), farm.blobs.read(table.blob)


def _data(case: Case, folder: Path) -> DataSet:
    """All samples, several times over."""
    inputs = {}
    for name, path in case.inputs.items():
        values = np.concatenate([np.load(path)] * size("SHARDED_REPEATS", 5))
        whole = folder / f"{name}.npy"
        np.save(whole, values)
        inputs[name] = Array(path=whole, dtype=str(values.dtype), shape=values.shape, digest=digest_of_file(whole))
    return DataSet(inputs=inputs, labels=None, preprocessing={}, source=case.name)


def _ended(farm: Farm, submission: str) -> StepStatus:
    """The calibration when it is done; raises the error of what it failed of."""
    while True:
        found = farm.submissions.get(submission)
        for step in found.steps:
            if step.error:
                raise error_from_dict(dict(step.error))
            if (step.name, step.state) == ("calibrate", StepState.DONE):
                return step
        time.sleep(_LOOK_SECONDS)


def _wait_for(farm: Farm, workers: int) -> None:
    while workers_up(farm) < workers:
        time.sleep(_LOOK_SECONDS)


@contextmanager
def _workers(count: int, environment: dict[str, str]) -> Iterator[None]:
    """Workers that do jobs as long as the block does, each on a core of its own."""
    with ExitStack() as stack, tempfile.TemporaryFile() as said:
        for core in sorted(os.sched_getaffinity(0))[:count]:
            command = ["taskset", "--cpu-list", str(core), sys.executable, "-m", "trtfarm_cli", "worker"]
            process = subprocess.Popen(command, env=environment, stdout=said, stderr=said)
            stack.callback(process.wait)
            stack.callback(process.terminate)
        yield
