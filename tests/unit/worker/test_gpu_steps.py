"""What workers keep of answers from a GPU: native tables, engines built along with them, timings."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from tests.acceptance.cli import gpu_poser
from tests.contracts.gpu_submissions import NATIVE
from tests.contracts.submission_bench import Bench
from trtfarm.blobs.records import place_made, record_made
from trtfarm.compute_capability import ComputeCapability
from trtfarm.database.schema import EngineRow, TableRow, TimingCacheRow
from trtfarm.database.session import Database
from trtfarm.errors import TableError, ToolchainError
from trtfarm.jobs.job import Job
from trtfarm_worker.builder.request import BuilderAnswer
from trtfarm_worker.gpus.gpu import Gpu, Vitals
from trtfarm_worker.gpus.keeper import HeldGpu
from trtfarm_worker.gpus.turns import take_turn
from trtfarm_worker.steps import calibrate
from trtfarm_worker.steps.rows import write_all
from trtfarm_worker.steps.step import Task
from trtfarm_worker.steps.timing import handed_caches, keep_cache
from trtfarm_worker.toolchains.toolchain import Toolchain, ToolchainKind

TRT = Toolchain(name="trt", kind=ToolchainKind.TENSORRT, python=Path("/python"), version="8.5.3.1")
TABLE = "TRT-8503-MinMaxCalibration\ndata: 3c010204\n(Unnamed Layer* 10) [Constant]_output: 3b010204\n"


@pytest.fixture
def bench(database: Database, tmp_path: Path) -> Bench:
    return Bench(database, tmp_path)


def task_of(bench: Bench, job: Job, place: str = "work") -> Task:
    inputs, scratch = bench.folder / place / "inputs", bench.folder / place / "scratch"
    inputs.mkdir(parents=True)
    scratch.mkdir()
    return Task(farm=bench.farm, job=job, toolchains=(TRT,), inputs=inputs, scratch=scratch, kept=inputs)


def answer_of(task: Task, result: Mapping[str, Any]) -> BuilderAnswer:
    return BuilderAnswer(
        result=result, scratch=task.scratch, native_log=task.scratch / "native.log", seconds=1.0, peak_memory_bytes=0
    )


def calibrated(task: Task, table: str = TABLE, **facts: Any) -> BuilderAnswer:
    """What `trt-calibrate` answers; the engine that was built in the same go comes with it."""
    (task.scratch / "calibration.table").write_text(table)
    for name in ("engine.plan", "build.log"):
        (task.scratch / name).write_text(f"{name} of {table}")
    answer = {
        "table": "calibration.table",
        "samples": 500,
        "batches": 10,
        "engine": "tensorrt 8.5.3.1",
        "device": gpu_poser.DEVICE,
        "calibration_seconds": 0.014,
        "build": {
            "engine": "engine.plan",
            "log": "build.log",
            "tensorrt": "8.5.3.1",
            "layers": [],
            "int8_layers": 0,
            "io": [],
            "seconds": 10.0,
            "device": gpu_poser.DEVICE,
            "timing_cache": None,
        },
    }
    return answer_of(task, {**answer, **facts})


@pytest.mark.parametrize("fresh", [False, True])
def test_a_table_is_kept_as_tensorrt_wrote_it_and_the_engine_under_its_builds_key(bench: Bench, *, fresh: bool) -> None:
    submission = bench.submit(bench.request(**NATIVE, test_dataset_id=None), fresh=fresh)
    job = bench.queued_of("calibrate")
    claim = bench.farm.jobs.claim(job.id, "worker")
    assert claim is not None
    task = task_of(bench, claim.job)
    outcome = calibrate.keep(task, calibrated(task))
    with bench.farm.database.write() as session:
        place_made(session, bench.farm.blobs, task.made)
        record_made(session, {job.id: task.made})
        (result,) = write_all(session, [outcome])
        bench.farm.jobs.finish(session, claim, result)
    bench.farm.after_job(job.id)
    done = bench.get(submission)
    assert [(step.kind, step.state) for step in done.steps] == [("calibrate", "done"), ("build", "hit")]
    with bench.farm.database.read() as session:
        table = session.get_one(TableRow, done.result_ids("table_id")[0])
        engine = session.get_one(EngineRow, done.result_ids("engine_id")[0])
    assert bench.farm.blobs.read(table.blob) == TABLE.encode()
    assert (table.tensorrt, table.origin, table.portable, table.device) == ("8.5.3.1", "native", True, None)
    assert table.rule["device"] == {"name": "NVIDIA H200", "compute_capability": "sm_90"}
    assert (engine.table_id, engine.gpu, engine.calibrator) == (table.id, "NVIDIA H200", "minmax")
    assert engine.signature


@pytest.mark.parametrize(
    "table",
    [
        TABLE.replace("3c010204", "00000000"),
        TABLE.replace("3c010204", "7fc00000"),
        TABLE.replace("MinMax", "Entropy"),
        "TRT-8503-MinMaxCalibration\n",
    ],
)
def test_a_table_that_tensorrt_could_not_build_from_is_not_kept(bench: Bench, table: str) -> None:
    bench.submit(bench.request(**NATIVE))
    task = task_of(bench, bench.queued_of("calibrate"))
    with pytest.raises(TableError, match=r"TensorRT 8\.5\.3\.1 wrote"):
        calibrate.keep(task, calibrated(task, table))


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"engine": "tensorrt 8.5.2.2"}, "worked with TensorRT 8.5.2.2"),
        ({"device": {**gpu_poser.DEVICE, "compute_capability": "sm_80"}}, "which is sm_80 and not sm_90"),
    ],
)
def test_what_another_tensorrt_or_gpu_did_is_not_kept(bench: Bench, facts: dict[str, Any], words: str) -> None:
    bench.submit(bench.request(**NATIVE))
    task = task_of(bench, bench.queued_of("calibrate"))
    with pytest.raises(ToolchainError, match=words):
        calibrate.keep(task, calibrated(task, **facts))


class TestTimings:
    """Caches from build to build, also of builds that ran at the same time."""

    def job(self, bench: Bench, **values: Any) -> Job:
        plain: dict[str, Any] = {"precision": "fp32", "rule": None, "dataset_id": None, "test_dataset_id": None}
        bench.submit(bench.request(**{**NATIVE, "calibrate_on": None}, **plain, **values))
        return bench.queued()[-1]

    def keep(self, bench: Bench, task: Task, content: str, **device: str) -> None:
        (task.scratch / "timing.cache").write_text(content)
        result = {"timing_cache": "timing.cache", "tensorrt": "8.5.3.1", "device": {**gpu_poser.DEVICE, **device}}
        keep_cache(task, answer_of(task, result), result)

    def caches(self, bench: Bench) -> dict[str, tuple[str, int]]:
        with bench.farm.database.read() as session:
            rows = session.scalars(select(TimingCacheRow)).all()
        return {row.gpu: (bench.farm.blobs.read(row.blob).decode(), row.revision) for row in rows}

    def test_a_build_is_handed_what_the_last_one_left(self, bench: Bench) -> None:
        first = task_of(bench, self.job(bench), "first")
        assert handed_caches(first) == {}
        self.keep(bench, first, "one")
        second = task_of(bench, first.job, "second")
        handed = handed_caches(second)
        assert {name: Path(path).read_text() for name, path in handed.items()} == {"NVIDIA H200": "one"}
        self.keep(bench, second, "1")  # smaller, but made of what was there
        assert self.caches(bench) == {"NVIDIA H200": ("1", 2)}

    @pytest.mark.parametrize(("late", "kept"), [("two and more", ("two and more", 3)), ("2", ("second", 2))])
    def test_of_two_at_a_time_the_larger_stays(self, bench: Bench, late: str, kept: tuple[str, int]) -> None:
        self.keep(bench, task_of(bench, self.job(bench), "first"), "one")
        early, later = (task_of(bench, bench.queued()[-1], name) for name in ("early", "later"))
        for task in (early, later):
            handed_caches(task)
        self.keep(bench, early, "second")
        self.keep(bench, later, late)
        assert self.caches(bench) == {"NVIDIA H200": kept}

    def on_gpu(self, bench: Bench, task: Task) -> Task:
        """The same with a TensorRT that answers, and a GPU that is the job's."""
        program = bench.folder / "tensorrt" / "python"
        if not program.exists():
            program.parent.mkdir()
            program.write_text(f"#!{sys.executable} -I\n" + Path(gpu_poser.__file__).read_text())
            program.chmod(0o755)
        uuid = str(gpu_poser.DEVICE["uuid"])
        gpu = Gpu(
            uuid=uuid,
            name="NVIDIA H200",
            compute_capability=ComputeCapability.parse("sm_90"),
            memory_bytes=1,
            driver="",
        )
        turn = take_turn(f"{uuid}-{task.inputs.parent.name}", bench.folder)
        assert turn is not None
        held = HeldGpu(gpu=gpu, turn=turn, before=Vitals(used_bytes=0, free_bytes=1))
        return replace(task, toolchains=(replace(TRT, python=program),), gpu=held)

    def test_of_two_at_a_time_what_both_know_is_kept(self, bench: Bench) -> None:
        self.keep(bench, task_of(bench, self.job(bench), "first"), "common\n")
        tasks = [self.on_gpu(bench, task_of(bench, bench.queued()[-1], name)) for name in ("early", "later")]
        for task in tasks:
            handed_caches(task)
        self.keep(bench, tasks[0], "common\nof the early one\n")
        self.keep(bench, tasks[1], "common\nof the later one\n")
        assert self.caches(bench) == {"NVIDIA H200": ("common\nof the early one\nof the later one\n", 3)}

    def test_however_many_end_together_all_that_they_know_is_kept(self, bench: Bench) -> None:
        self.job(bench)
        tasks = [self.on_gpu(bench, task_of(bench, bench.queued()[-1], f"task{number}")) for number in range(6)]
        with ThreadPoolExecutor(len(tasks)) as pool:
            for future in [
                pool.submit(self.keep, bench, task, f"kernel {number}\n") for number, task in enumerate(tasks)
            ]:
                future.result()
        ((text, revision),) = self.caches(bench).values()
        assert sorted(text.splitlines()) == [f"kernel {number}" for number in range(6)]
        assert revision == 6

    def test_where_they_cannot_be_combined_the_larger_stays(self, bench: Bench) -> None:
        self.keep(bench, task_of(bench, self.job(bench), "first"), "one\n")
        task = self.on_gpu(bench, task_of(bench, bench.queued()[-1], "second"))
        refusal = {"code": "no_toolchain", "message": "not taken", "cause": None, "remedy": None}
        (bench.folder / "tensorrt" / "fails-trt-combine").write_text(json.dumps(refusal))
        self.keep(bench, task, "2\n")
        assert self.caches(bench) == {"NVIDIA H200": ("one\n", 1)}
        self.keep(bench, task, "a second one\n")
        assert self.caches(bench) == {"NVIDIA H200": ("a second one\n", 2)}

    def test_timings_never_cross_devices(self, bench: Bench) -> None:
        task = task_of(bench, self.job(bench))
        self.keep(bench, task, "of an H200")
        self.keep(bench, task, "of another", name="NVIDIA H100 PCIe")
        assert self.caches(bench) == {"NVIDIA H200": ("of an H200", 1), "NVIDIA H100 PCIe": ("of another", 1)}
        other = replace(task.job, request={**task.job.request, "compute_capability": "sm_89"})
        assert handed_caches(task_of(bench, other, "other")) == {}

    def test_who_wants_none_neither_gets_nor_leaves_any(self, bench: Bench) -> None:
        self.keep(bench, task_of(bench, self.job(bench), "first"), "one")
        without = replace(bench.queued()[-1], request={**bench.queued()[-1].request, "timing_cache": False})
        task = task_of(bench, without, "without")
        assert handed_caches(task) == {}
        self.keep(bench, task, "one and more")
        assert self.caches(bench) == {"NVIDIA H200": ("one", 1)}

    def test_one_that_is_damaged_costs_time_and_nothing_else(self, bench: Bench) -> None:
        task = task_of(bench, self.job(bench), "first")
        self.keep(bench, task, "one")
        with bench.farm.database.read() as session:
            bench.farm.blobs.delete(session.scalars(select(TimingCacheRow.blob)).one())
        assert handed_caches(task_of(bench, task.job, "second")) == {}
