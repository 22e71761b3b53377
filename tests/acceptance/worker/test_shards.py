"""Calibration in shards by real builders: one client, two Celery workers, and one of them killed in mid-share."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil

from tests.acceptance.worker.farms import LeNetFarm, nobody
from tests.acceptance.worker.programs import PATIENCE, Program, program
from tests.acceptance.worker.test_service import CLI, submitted
from tests.unit.onnx_models import silent_channel
from trtfarm.actions import REFERENCE_TENSORRT
from trtfarm.calibrators import CalibrationRule, Calibrator
from trtfarm.database.named_rows import row
from trtfarm.database.schema import DatasetRow, ModelRow, TableRow
from trtfarm.jobs.job import Job
from trtfarm.jobs.queries import list_jobs
from trtfarm.submission_request import SubmissionRequest
from trtfarm.submissions.submission import Submission
from trtfarm.tables.table import CalibrationTable
from trtfarm.versions import TensorRTVersion
from trtfarm_builder.reference import calibrate
from trtfarm_worker.inline import see_through
from trtfarm_worker.runner import Runner
from trtfarm_worker.toolchains.registry import ToolchainRegistry, reference_toolchain

#: 100 digits in batches of 5: shares of 5 batches each.
SHARDS = 4


def cut(lenet: LeNetFarm, calibrator: Calibrator, **values: Any) -> SubmissionRequest:
    rule = CalibrationRule.of(calibrator, batch_size=5, before_fusion=True)
    return lenet.request(**{"rule": rule, "test_dataset_id": None, "shards": SHARDS, **values})


@contextmanager
def workers(home: Path, count: int) -> Iterator[list[Program]]:
    """Celery workers that do one job at a time."""
    with ExitStack() as stack:
        started = [stack.enter_context(program([*CLI, "worker"], home, TRTFARM_SLOTS="1")) for _ in range(count)]
        for worker in started:
            worker.line(lambda line: "worker is up" in line)
        yield started


def seen_through(lenet: LeNetFarm, submission_id: str, told: list[str]) -> Submission:
    """The submission at its end, and the kinds of the jobs that were heard of; what no worker would do is done here."""
    toolchains = ToolchainRegistry(lenet.farm.settings.home).toolchains()

    def hear(job: Job, _event: object) -> None:
        told.append(job.kind)

    return see_through(lenet.farm, submission_id, toolchains, watcher=lambda _: None, listener=hear)


def text_of(lenet: LeNetFarm, table_id: str | None) -> bytes:
    """The table as TensorRT reads it."""
    with lenet.farm.database.read() as session:
        return lenet.farm.blobs.read(row(session, TableRow, table_id).blob)


def observations(lenet: LeNetFarm) -> list[Job]:
    return list_jobs(lenet.farm.database, kind="observe")


def test_workers_share_a_calibration_and_one_that_is_killed_costs_its_own_share(
    lenet: LeNetFarm, rtx_home: Path
) -> None:
    """The table of the first submission is compared with that of one piece, which is made again in its place."""
    with workers(rtx_home, 2) as (other, doomed):
        told: list[str] = []
        shared = seen_through(lenet, submitted(lenet, cut(lenet, Calibrator.ENTROPY2)), told)
        done = observations(lenet)
        assert (other.process.poll(), doomed.process.poll()) == (None, None)
        disturbed = submitted(lenet, cut(lenet, Calibrator.MINMAX))
        builder = builder_of(doomed)
        builder.suspend()  # its share is begun and does not end
        doomed.process.kill()
        builder.kill()
        ended = seen_through(lenet, disturbed, [])
    assert (shared.state, shared.hit, ended.state) == ("done", False, "done")
    assert {(job.state, job.attempt) for job in done} == {("done", 1)}
    assert (len(done), len({job.owner for job in done})) == (SHARDS + 1, 2)
    assert {*told} >= {"observe", "calibrate", "build"}
    again = [job for job in observations(lenet) if job.request["statistic"] == "range"]
    assert Counter(job.attempt for job in again) == {1: SHARDS - 1, 2: 1}
    table = text_of(lenet, shared.table_id)
    whole = cut(lenet, Calibrator.ENTROPY2, shards=1)
    found = lenet.submit(whole)
    assert (found.hit, found.table_id) == (True, shared.table_id)
    lenet.farm.submit(whole, fresh=True)
    assert Runner(lenet.farm, "tests", lambda: [reference_toolchain()], publish=nobody).run(lenet.queued()[0].id)
    assert list_jobs(lenet.farm.database, kind="calibrate")[0].owner == "tests"
    assert text_of(lenet, shared.table_id) == table


def test_every_rule_gives_the_table_of_one_piece(lenet: LeNetFarm) -> None:
    """They need two kinds of statistics, which are observed once for all rules."""
    runner = Runner(lenet.farm, "tests", lambda: [reference_toolchain()], publish=nobody)
    submissions = {rule: lenet.submit(cut(lenet, rule, shards=2)) for rule in Calibrator}
    while jobs := [job for job in lenet.queued() if job.kind in {"observe", "calibrate"}]:
        assert runner.run(jobs[0].id)
    assert Counter(job.request["statistic"] for job in observations(lenet)) == {"range": 2, "histogram": 2, "bases": 1}
    with lenet.farm.scratch("whole") as folder, silent_channel() as channel:
        args = whole_of(lenet, folder)
        for calibrator, submission in submissions.items():
            rule = cut(lenet, calibrator).rule
            assert rule is not None
            scales = calibrate.run({**args, "rule": rule.as_dict()}, channel)["scales"]
            table = CalibrationTable.of(scales, rule, TensorRTVersion.parse(REFERENCE_TENSORRT))
            assert text_of(lenet, lenet.farm.submissions.get(submission.id).table_id) == table.render()


def builder_of(worker: Program) -> psutil.Process:
    """The builder that a worker has begun."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        for process in psutil.Process(worker.process.pid).children():
            if any("trtfarm_builder" in word for word in process.cmdline()):
                return process
    raise AssertionError("the worker begins no builder")


def whole_of(lenet: LeNetFarm, folder: Path) -> dict[str, Any]:
    """The model and all of the data, as files."""
    with lenet.farm.database.read() as session:
        model, data = row(session, ModelRow, lenet.model), row(session, DatasetRow, lenet.digits).inputs["data"]
    lenet.farm.blobs.materialize(data["blob"], folder / "data.npy")
    path = lenet.farm.blobs.materialize(model.blob, folder / "model.onnx")
    return {"model": str(path), "inputs": {"data": {**data, "path": str(folder / "data.npy")}}}
