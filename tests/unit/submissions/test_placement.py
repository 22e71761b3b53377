"""What the steps of a submission need of their workers, said or derived."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.contracts.submission_bench import Bench, gpu_target
from trtfarm.compute_capability import ComputeCapability
from trtfarm.database.session import Database
from trtfarm.errors import NoWorkerError, UsageError
from trtfarm.planning import plan
from trtfarm.requirements import Requirements
from trtfarm.routing import Need
from trtfarm.settings import Settings
from trtfarm.submission_request import SubmissionRequest
from trtfarm.submissions.placement import check_placed, need_of
from trtfarm_worker.gpus.gpu import Gpu
from trtfarm_worker.gpus.keeper import GpuKeeper
from trtfarm_worker.own_place import OwnPlace
from trtfarm_worker.toolchains.toolchain import Capabilities, Toolchain, ToolchainKind

GIB = 1 << 30
H200 = "tensorrt-8.5.3.1/sm_90"
FP32: dict[str, Any] = {"precision": "fp32", "rule": None, "dataset_id": None}


@pytest.fixture
def bench(database: Database, tmp_path: Path) -> Bench:
    return Bench(database, tmp_path)


def needs(bench: Bench, request: SubmissionRequest) -> dict[str, Need]:
    with bench.farm.database.read() as session:
        return {step.name: need_of(session, request, step) for step in plan(request)}


def memory(bench: Bench, request: SubmissionRequest) -> dict[str, int]:
    """Of the steps that need any."""
    found = {name.split()[0]: need.requires.gpu_memory_gib for name, need in needs(bench, request).items()}
    return {name: gib for name, gib in found.items() if gib}


def test_labels_are_for_all_jobs_and_memory_for_those_on_gpus(bench: Bench) -> None:
    wish: dict[str, Any] = {"require_labels": ("rack=a1",), "require_gpu_memory": 40 * GIB - 1}
    mixed = bench.request(None, "sm_86", targets=(gpu_target("sm_90"), *bench.request().targets), **wish)
    found = needs(bench, mixed)
    assert {need.requires.labels for need in found.values()} == {("rack=a1",)}
    on_gpu = Need(H200, Requirements(labels=("rack=a1",), gpu_memory_gib=40))
    assert [found[f"{what} {gpu_target('sm_90')}"] for what in ("build", "verify")] == [on_gpu, on_gpu]
    assert {need.requires.gpu_memory_gib for need in found.values() if need.capability != H200} == {0}


@pytest.mark.parametrize(
    ("size", "more", "derived"),
    [
        (4 * GIB - 1, {}, {"calibrate": 3}),
        (10 * GIB, {}, {"calibrate": 10, "build": 2, "verify": 2}),
        (10 * GIB, {"precision": "int8+fp16"}, {"calibrate": 10, "build": 2, "verify": 2}),
        (10 * GIB, {**FP32, "calibrate_on": None}, {"build": 10, "verify": 10}),
        (10 * GIB, {**FP32, "precision": "fp16", "calibrate_on": None}, {"build": 5, "verify": 5}),
        (10 * GIB, {"require_gpu_memory": 0}, {}),
        (10 * GIB, {"require_gpu_memory": 1}, {"calibrate": 1, "build": 1, "verify": 1}),
        (1 << 20, {}, {}),
    ],
)
def test_weights_have_to_fit(bench: Bench, size: int, more: dict[str, Any], derived: dict[str, int]) -> None:
    target = gpu_target("sm_90")
    wish = {"targets": (target,), "calibrate_on": target, **more}
    assert memory(bench, bench.request(bench.model(size=size), **wish)) == derived


@pytest.mark.parametrize(
    "wish",
    [
        {"require_labels": ("zone=b", "rack=a1")},
        {"require_labels": ("rack",)},
        {"require_gpu_memory": -1},
        {"require_gpu_memory": GIB},  # nothing of it runs on a GPU
    ],
)
def test_a_request_that_cannot_be_is_refused(bench: Bench, wish: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        bench.request(**wish)


def test_a_job_carries_what_its_submission_requires_and_its_key_does_not(bench: Bench) -> None:
    model_id = bench.model()
    bench.submit(bench.request(model_id, require_labels=("rack=a1",)))
    [job] = bench.queued()
    assert job.requires == Requirements(labels=("rack=a1",))
    bench.submit(bench.request(model_id))
    [again] = bench.queued()
    assert (again.id, again.requires) == (job.id, Requirements())
    assert SubmissionRequest.from_dict(bench.request(model_id, require_labels=("a=b",)).as_dict()).require_labels == (
        "a=b",
    )


def test_what_this_process_does_itself_needs_no_worker(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    able = Capabilities(compute_capabilities=(ComputeCapability(9, 0),), precisions=("int8", "fp32"))
    native = Toolchain(
        name="trt",
        kind=ToolchainKind.TENSORRT,
        python=Path("/nowhere"),
        version="8.5.3.1",
        capabilities=able,
    )
    gpu = Gpu(uuid="GPU-1", name="H", compute_capability=ComputeCapability(9, 0), memory_bytes=80 * GIB, driver="580")
    monkeypatch.setattr("trtfarm_worker.offers.keeper_of_host", lambda _bytes: GpuKeeper(gpus=[gpu]))
    settings = Settings.from_environment({"TRTFARM_HOME": str(tmp_path), "TRTFARM_WORKER_LABELS": "rack=a1"})
    here, request = (
        OwnPlace(settings, [native]).does,
        partial(bench.request, bench.model(size=200 * GIB), targets=(gpu_target("sm_90"),)),
    )
    with bench.farm.database.read() as session:
        check_placed(session, request(require_labels=("rack=a1",), require_gpu_memory=80 * GIB), list, here)
        for wish in ({"require_labels": ("rack=b1",)}, {"require_gpu_memory": 81 * GIB}):
            with pytest.raises(NoWorkerError):
                check_placed(session, request(**wish), list, here)
        with pytest.raises(NoWorkerError):
            check_placed(session, request(require_labels=("rack=a1",)), list)
        check_placed(session, request(), list)  # nothing is required: as toolchains are chosen
        large = request(calibrate_on=gpu_target("sm_90"))
        assert need_of(session, large, plan(large)[0]).requires.gpu_memory_gib == 200
        check_placed(session, large, list)  # it waits, and is told why
