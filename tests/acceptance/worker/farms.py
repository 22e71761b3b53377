"""LeNet and its digits in a farm, and what tests ask of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.conftest import REPOSITORY
from trtfarm.calibrators import CalibrationRule, Calibrator
from trtfarm.database.schema import Base
from trtfarm.datasets.dataset import Array, DataSet
from trtfarm.digests import digest_of_file
from trtfarm.farm import Farm
from trtfarm.intake import add_dataset, add_model
from trtfarm.jobs.job import Job
from trtfarm.jobs.queries import list_jobs
from trtfarm.jobs.state import JobState
from trtfarm.models.model import Model
from trtfarm.submission_request import SubmissionRequest
from trtfarm.submissions.submission import Submission
from trtfarm.targets import BuildTarget

DIGITS = REPOSITORY / "calib_data" / "mnist"
#: Enough to calibrate and to verify; more would only take longer.
SAMPLES = 100
#: What a program does that poses as a builder that never ends; like a real one it dies with who started it.
HANG = "import ctypes; ctypes.CDLL(None).prctl(1, signal.SIGKILL); progress(); signal.pause()"
#: What a program says that poses as TensorRT-RTX and builds an engine of 4 MiB.
ENGINE = """
open('engine.plan', 'wb').write(bytes(4 << 20))
open('build.log', 'w').write('Layers: none')
progress()
answer(engine='engine.plan', log='build.log', tensorrt='1.7.1.116', layers=[], int8_layers=0, io=[], seconds=0.1)
"""


@dataclass(frozen=True)
class LeNetFarm:
    """A farm with the ids of what is in it."""

    farm: Farm
    model: str
    digits: str
    test_digits: str

    def request(self, *capabilities: str, **values: Any) -> SubmissionRequest:
        """INT8, verified, for sm_86 unless told otherwise."""
        wanted: dict[str, Any] = {
            "model_id": self.model,
            "precision": "int8",
            "targets": tuple(_target(capability) for capability in capabilities or ("sm_86",)),
            "rule": CalibrationRule.of(Calibrator.MINMAX, batch_size=50),
            "dataset_id": self.digits,
            "test_dataset_id": self.test_digits,
            "profiles": {"data": {"min": [1, 1, 28, 28], "opt": [8, 1, 28, 28], "max": [32, 1, 28, 28]}},
        }
        return SubmissionRequest(**{**wanted, **values})

    def plain(self, *capabilities: str) -> SubmissionRequest:
        """FP32: nothing but builds."""
        unquantized = {"precision": "fp32", "rule": None, "dataset_id": None, "test_dataset_id": None}
        return self.request(*capabilities, **unquantized)

    def submit(self, request: SubmissionRequest) -> Submission:
        return self.farm.submissions.get(self.farm.submit(request)[0])

    def state(self, submission: Submission) -> str:
        return self.farm.submissions.get(submission.id).state

    def queued(self) -> list[Job]:
        return list_jobs(self.farm.database, state=JobState.QUEUED)

    def only_job(self) -> Job:
        (job,) = list_jobs(self.farm.database)
        return job

    def only_job_of(self, kind: str) -> Job:
        (job,) = list_jobs(self.farm.database, kind=kind)
        return job

    def count(self, rows: type[Base]) -> int:
        with self.farm.database.read() as session:
            return session.query(rows).count()

    def blobs(self) -> list[str]:
        return sorted(stored.blob.digest for stored in self.farm.blobs.blobs())


def stocked(farm: Farm) -> LeNetFarm:
    """Takes LeNet and some digits in."""
    with farm.scratch("stock") as folder:
        labels = _array(folder, DIGITS / "test" / "labels.npy")
        test = DataSet(
            inputs={"data": _array(folder, DIGITS / "test" / "data.npy")},
            labels=labels,
            preprocessing={},
            source="test",
        )
        digits = DataSet(
            inputs={"data": _array(folder, DIGITS / "data.npy")}, labels=None, preprocessing={}, source="digits"
        )
        return LeNetFarm(
            farm=farm,
            model=add_model(farm, Model.read(DIGITS / "lenet.onnx")),
            digits=add_dataset(farm, digits),
            test_digits=add_dataset(farm, test),
        )


def _target(capability: str) -> BuildTarget:
    return BuildTarget(compute_capability=capability, toolchain="tensorrt-rtx", tensorrt="1.7.1.116")


def _array(folder: Path, source: Path) -> Array:
    values = np.load(source)[:SAMPLES]
    path = folder / f"{source.parent.name}-{source.name}"
    np.save(path, values)
    return Array(path=path, dtype=str(values.dtype), shape=values.shape, digest=digest_of_file(path))


def nobody(_job_ids: Sequence[str]) -> None:
    """A publisher that tells nobody: tests hand out the jobs themselves."""


def run_all(lenet: LeNetFarm, run: Callable[[str], bool]) -> list[Job]:
    """Runs jobs in this thread until none is queued; returns them, as they ended, in order."""
    ran = []
    while jobs := lenet.queued():
        assert run(jobs[-1].id)
        ran.append(lenet.farm.jobs.get(jobs[-1].id))
    return ran
