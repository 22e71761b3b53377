"""Submissions without builders: jobs are done by hand, with the rows and blobs that a worker would write."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.contracts.rows import dataset_row, model_row
from trtfarm.accuracy import measures
from trtfarm.actions import ActionKind
from trtfarm.blobs.objects import Objects
from trtfarm.blobs.records import put_bytes_held, record
from trtfarm.blobs.store import Blob, BlobStore
from trtfarm.calibrators import CalibrationRule, Calibrator
from trtfarm.database.schema import (
    EngineRow,
    ObservationRow,
    QuantizationRow,
    RecordingRow,
    StepRow,
    TableRow,
    VerificationRow,
)
from trtfarm.database.session import Database
from trtfarm.digests import digest_of_json
from trtfarm.errors import TrtfarmError
from trtfarm.farm import Farm
from trtfarm.ids import new_id
from trtfarm.jobs.job import Claim, Job
from trtfarm.jobs.queries import list_jobs
from trtfarm.jobs.state import JobState
from trtfarm.origins import TableOrigin
from trtfarm.settings import Settings
from trtfarm.submission_request import SubmissionRequest
from trtfarm.submissions.results import KINDS
from trtfarm.submissions.submission import Submission
from trtfarm.targets import BuildTarget
from trtfarm_worker.committing import Work
from trtfarm_worker.steps.rows import keep_bytes, write_all
from trtfarm_worker.steps.step import Outcome, ResultRow, Task

RULE = CalibrationRule.of(Calibrator.MINMAX, batch_size=50)
#: What a verification measures that loses two percent.
TWO_PERCENT: dict[str, Any] = {"classification": None, "outputs": {"prob": {"cosine_mean": 0.98}}}
#: What quantisation left alone, and what a build tells.
LEFT: dict[str, Any] = {"left": [{"node": "prob", "op_type": "Softmax", "reason": "not quantised by TensorRT"}]}
LAYERS = [{"name": "conv", "dtype": "int8"}, {"name": "prob", "dtype": "float32"}]
BUILT: dict[str, Any] = {"layers": LAYERS, "int8_layers": 1, "io": [], "seconds": 0.5}
_MEASURED = {ActionKind.VERIFY, ActionKind.MEASURE}
RESULT_ROWS: Mapping[ActionKind, Any] = {
    ActionKind.OBSERVE: ObservationRow,
    ActionKind.CALIBRATE: TableRow,
    ActionKind.QUANTIZE: QuantizationRow,
    ActionKind.SEARCH: QuantizationRow,
    ActionKind.CONVERT: QuantizationRow,
    ActionKind.VERIFY: VerificationRow,
    ActionKind.BUILD: EngineRow,
    ActionKind.RECORD: RecordingRow,
    ActionKind.MEASURE: VerificationRow,
}


def target(capability: str) -> BuildTarget:
    return BuildTarget(compute_capability=capability, toolchain="tensorrt-rtx", tensorrt="1.7.1.116")


def gpu_target(capability: str, tensorrt: str = "8.5.3.1") -> BuildTarget:
    return BuildTarget(compute_capability=capability, toolchain="tensorrt", tensorrt=tensorrt)


class Bench:
    """A farm with data sets `dat_cal` and `dat_test`, and a hand that does its jobs."""

    def __init__(self, database: Database, folder: Path) -> None:
        settings = Settings.from_environment({"TRTFARM_HOME": str(folder)})
        self.folder = folder
        self.farm = Farm(settings, database, BlobStore(Objects.in_folder(folder / "blobs")))
        self._numbers = itertools.count()
        with database.write() as session:
            session.add_all(dataset_row(id=name, digest=digest_of_json(name)) for name in ("dat_cal", "dat_test"))

    def model(self, **values: Any) -> str:
        """The id of a model that nothing was done for yet."""
        model_id = f"mod_{next(self._numbers)}"
        with self.farm.database.write() as session:
            session.add(model_row(id=model_id, digest=digest_of_json([str(self.folder), model_id]), **values))
        return model_id

    def request(self, model_id: str | None = None, *capabilities: str, **values: Any) -> SubmissionRequest:
        """INT8 for sm_86 and sm_89, verified; of a new model unless one is named."""
        wanted: dict[str, Any] = {
            "model_id": model_id or self.model(),
            "precision": "int8",
            "targets": tuple(map(target, capabilities or ("sm_86", "sm_89"))),
            "rule": RULE,
            "dataset_id": "dat_cal",
            "test_dataset_id": "dat_test",
        }
        return SubmissionRequest(**{**wanted, **values})

    def submit(self, request: SubmissionRequest, *, fresh: bool = False) -> Submission:
        return self.get(self.farm.submit(request, fresh=fresh)[0])

    def get(self, submission: Submission | str) -> Submission:
        return self.farm.submissions.get(submission if isinstance(submission, str) else submission.id)

    def states(self, submission: Submission) -> dict[str, str]:
        """Step -> state, builds by their compute capability alone."""
        return {step.name.removesuffix(" tensorrt-rtx-1.7.1.116"): step.state for step in self.get(submission).steps}

    def queued(self) -> list[Job]:
        return list_jobs(self.farm.database, state=JobState.QUEUED)

    def queued_of(self, kind: str) -> Job:
        """The only queued job of a kind."""
        (job,) = [job for job in self.queued() if job.kind == kind]
        return job

    def job_of(self, submission: Submission, step: str) -> Job:
        (found,) = [status for status in self.get(submission).steps if status.name.startswith(step)]
        assert found.job_id is not None
        return self.farm.jobs.get(found.job_id)

    def do(self, job: Job, *, metrics: Mapping[str, Any] = TWO_PERCENT) -> list[str]:
        """Does a queued job as a worker does; returns the jobs that it queued."""
        claim = self.farm.jobs.claim(job.id, "worker")
        assert claim is not None
        return self.commit(claim, self.store(claim), metrics=metrics)

    def store(self, claim: Claim) -> list[Blob]:
        """The files of a job's result, which clean-up leaves alone until rows name them."""
        farm, job = self.farm, claim.job
        contents = [f"{name} {job.key}".encode() for name in _BLOBS[ActionKind(job.kind)]]
        return [put_bytes_held(farm.database, farm.blobs, content, job.id) for content in contents]

    def commit(self, claim: Claim, blobs: list[Blob], *, metrics: Mapping[str, Any] = TWO_PERCENT) -> list[str]:
        """Ends a claimed job with the rows of its result. Raises ClaimLostError."""
        with self.farm.database.write() as session:
            self.write(session, claim, blobs, metrics=metrics)
        return self.farm.after_job(claim.job.id)

    def write(
        self, session: Session, claim: Claim, blobs: list[Blob], *, metrics: Mapping[str, Any] = TWO_PERCENT
    ) -> None:
        """The same in a transaction that others do not see the end of yet."""
        job, kind = claim.job, ActionKind(claim.job.kind)
        self.farm.jobs.hold(session, claim)
        record(session, blobs, holder=job.id)
        measured = {"metrics": metrics, **measures(metrics)} if kind in _MEASURED else {}
        (result,) = write_all(session, [_outcome(kind, job, blobs, **measured)])
        self.farm.jobs.finish(session, claim, result)

    def work(self, claim: Claim) -> Work:
        """What a worker has in hand when the builder of a claimed job is done."""
        job, kind = claim.job, ActionKind(claim.job.kind)
        contents = [f"{name} {job.key}".encode() for name in _BLOBS[kind]]
        task = Task(farm=self.farm, job=job, toolchains=(), inputs=self.folder, scratch=self.folder, kept=self.folder)
        return Work(
            claim=claim,
            outcome=_outcome(kind, job, [keep_bytes(task, content) for content in contents]),
            made=task.made,
            lines=[("log", {"level": "info", "text": "done"})],
            begun=time.monotonic(),
        )

    def do_all(self, *, metrics: Mapping[str, Any] = TWO_PERCENT) -> list[Job]:
        """Does jobs until none is queued; returns them in order."""
        done = []
        while jobs := self.queued():
            self.do(jobs[-1], metrics=metrics)
            done.append(jobs[-1])
        return done

    def fail(self, job: Job, error: TrtfarmError) -> None:
        """Claims a queued job and ends the attempt with an error, as a worker does."""
        claim = self.farm.jobs.claim(job.id, "worker")
        assert claim is not None
        self.farm.jobs.fail(claim, error)
        self.farm.after_job(job.id)

    def lose_workers(self, job: Job) -> Job:
        """Has worker after worker die of a job until it is quarantined."""
        while (found := self.farm.jobs.get(job.id)).state is JobState.QUEUED:
            assert self.farm.jobs.claim(job.id, "doomed") is not None
            self.farm.jobs.abandon("doomed", counts=True)
        return found

    def blob_of(self, submission: Submission, step: str) -> str:
        """Digest of the file that a step's result names."""
        (found,) = [status for status in self.get(submission).steps if status.name.startswith(step)]
        assert found.result is not None
        with self.farm.database.read() as session:
            row = session.get_one(RESULT_ROWS[ActionKind(found.kind)], next(iter(found.result.values())))
        return str(row.blob)

    def waiting_without_reason(self) -> list[str]:
        """Active steps without a job: nobody would ever do them."""
        with self.farm.database.read() as session:
            lost = select(StepRow.name).where(StepRow.state == "active", StepRow.job_id.is_(None))
            return list(session.scalars(lost))


_BLOBS = {
    ActionKind.OBSERVE: ("statistics",),
    ActionKind.CALIBRATE: ("table",),
    ActionKind.QUANTIZE: ("model",),
    ActionKind.SEARCH: ("model",),
    ActionKind.CONVERT: ("model",),
    ActionKind.VERIFY: (),
    ActionKind.BUILD: ("engine", "log"),
    ActionKind.RECORD: ("prob",),
    ActionKind.MEASURE: (),
}


def _outcome(kind: ActionKind, job: Job, blobs: list[Blob], **more: Any) -> Outcome:
    values = {"key": job.key, **_values(kind, job, blobs), **more}
    return Outcome(rows=[ResultRow(kind=RESULT_ROWS[kind], values=values)], id_name=KINDS[kind].word)


def _values(kind: ActionKind, job: Job, blobs: list[Blob]) -> dict[str, Any]:
    """The columns that a worker fills."""
    request, digests = job.request, [blob.digest for blob in blobs]
    if kind is ActionKind.OBSERVE:
        names = ("model_id", "dataset_id", "statistic", "batch_size")
        share = dict(zip(("start", "stop"), request["samples"], strict=True))
        return {"id": new_id("obs"), **{name: request[name] for name in names}, **share, "blob": digests[0]}
    if kind is ActionKind.CALIBRATE:
        return {
            "id": new_id("tab"),
            "model_id": request["model_id"],
            "dataset_id": request["dataset_id"],
            "calibrator": request["rule"]["calibrator"],
            "rule": request["rule"],
            "batch_size": 50,
            "before_fusion": True,
            "tensorrt": request.get("tensorrt", "8.5.3.1"),
            "origin": TableOrigin.NATIVE if "tensorrt" in request else TableOrigin.REFERENCE,
            "portable": True,
            "blob": digests[0],
            "scales_digest": digest_of_json(["scales", job.key]),
            "scales": {"data": "3c010204"},
            "tensors": 1,
        }
    names = ("model_id", "quantization_id", "table_id", "dataset_id")
    named: dict[str, Any] = {name: request[name] for name in names if name in request}
    if kind in {ActionKind.QUANTIZE, ActionKind.SEARCH, ActionKind.CONVERT}:
        named = {name: named[name] for name in ("model_id", "table_id")}
        return {"id": new_id("qdq"), **named, "options": request["options"], "blob": digests[0], "facts": LEFT}
    if kind in _MEASURED:
        engine = {"engine_id": request["engine_id"]} if kind is ActionKind.MEASURE else {}
        return {"id": new_id("ver"), **named, **engine, "simulated": kind is ActionKind.VERIFY}
    if kind is ActionKind.RECORD:
        output = {"blob": digests[0], "dtype": "float32", "shape": [500, 10]}
        return {"id": new_id("rec"), **named, "outputs": {"prob": output}}
    wanted = ("precision", "calibrator", "compute_capability", "profiles", "options", "tensorrt", "toolchain")
    built = {"blob": digests[0], "log_blob": digests[1], "size": blobs[0].size, "facts": BUILT}
    return {"id": new_id("eng"), **named, **{name: request[name] for name in wanted}, **built}


class OnBench:
    """Tests on a bench; run with a fixture `database`. They leave no job that waits for nothing."""

    @pytest.fixture
    def bench(self, database: Database, tmp_path: Path) -> Iterator[Bench]:
        bench = Bench(database, tmp_path)
        yield bench
        assert bench.waiting_without_reason() == []

    @pytest.fixture
    def built(self, bench: Bench) -> Submission:
        """Two engines of one model."""
        submission = bench.submit(bench.request(test_dataset_id=None))
        bench.do_all()
        return bench.get(submission)
