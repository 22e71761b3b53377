"""What a worker offers, what a toolchain was found to do on its GPUs, and what clients make of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.posers import H200, posed_gpus
from trtfarm.calibrators import Calibrator
from trtfarm.compute_capability import ComputeCapability
from trtfarm.database.clock import from_now
from trtfarm.database.session import Database
from trtfarm.database.work import WorkerRow
from trtfarm.errors import BuilderCrashError
from trtfarm.workers import leave
from trtfarm_worker.elsewhere import toolchains_elsewhere, toolchains_lately
from trtfarm_worker.gpus.gpu import Gpu, GpuStatus
from trtfarm_worker.gpus.keeper import GpuKeeper, keeper_of_host
from trtfarm_worker.gpus.turns import Turn
from trtfarm_worker.offers import Offer
from trtfarm_worker.toolchains.registry import reference_toolchain
from trtfarm_worker.toolchains.toolchain import Capabilities, Toolchain, ToolchainKind
from trtfarm_worker.toolchains.trials import merged, tried_on_gpus, untried

A100: Mapping[str, Any] = {**H200, "name": "NVIDIA A100", "compute_capability": [8, 0]}
SM_80, SM_90 = ComputeCapability(8, 0), ComputeCapability(9, 0)
HOPPER = Gpu(uuid="GPU-1", name="NVIDIA H200", compute_capability=SM_90, memory_bytes=1, driver="580")
RTX = Toolchain(
    name="rtx",
    kind=ToolchainKind.TENSORRT_RTX,
    python=Path("/p"),
    version="1.7.1.116",
    capabilities=Capabilities(compute_capabilities=(SM_80,)),
)
TRT = Toolchain(
    name="trt",
    kind=ToolchainKind.TENSORRT,
    python=Path("/p"),
    version="8.5.3.1",
    capabilities=Capabilities(compute_capabilities=(SM_80, SM_90), precisions=("fp32", "int8")),
)


def test_a_tensorrt_is_offered_with_the_gpus_that_are_here_and_well() -> None:
    well, ill = GpuStatus(gpu=HOPPER), GpuStatus(gpu=HOPPER, out_of_service="Xid 79")
    tools = [reference_toolchain(), RTX, TRT]
    alone = ["cpu", "tensorrt-rtx-1.7.1.116"]
    assert Offer().capabilities == ["cpu"]
    assert Offer(toolchains=tools).capabilities == alone
    assert Offer(toolchains=tools, gpus=[ill]).capabilities == alone
    assert Offer(toolchains=tools, gpus=[ill, well]).capabilities == ["cpu", "tensorrt-8.5.3.1/sm_90", alone[1]]
    assert Offer(toolchains=[replace(TRT, broken="it is")], gpus=[well]).capabilities == ["cpu"]
    # Tried on this very model and driver, it did not work; on another one it does.
    failed = replace(TRT, trials={HOPPER.model: Capabilities(lacking={"gpu": "too new"})})
    assert Offer(toolchains=[failed], gpus=[well]).capabilities == ["cpu"]


def test_what_is_the_matter_with_gpus_is_told_for_those_that_a_job_needs() -> None:
    offer = Offer(toolchains=[TRT], gpus=[GpuStatus(gpu=HOPPER, out_of_service="Xid 79")])
    assert offer.troubles("tensorrt-8.5.3.1/sm_90") == ["NVIDIA H200 here is out of service: Xid 79"]
    assert offer.troubles("tensorrt-8.5.3.1/sm_80") == offer.troubles("cpu") == []
    assert Offer(no_gpus="no driver").troubles("tensorrt-8.5.3.1/sm_80") == ["no GPU is found here: no driver"]


class Answers:
    """Stands for a toolchain's probe: what it answers on each GPU, by UUID, and without one."""

    def __init__(self, answers: Mapping[str | None, Capabilities]) -> None:
        self._answers = answers
        self.asked: list[str | None] = []

    def __call__(self, gpu: Turn | None) -> tuple[str, Capabilities]:
        uuid = gpu.uuid if gpu else None
        self.asked.append(uuid)
        if uuid not in self._answers:
            raise BuilderCrashError("it crashed")
        return "8.5.3.1", self._answers[uuid]


WORKS = Capabilities(compute_capabilities=(SM_90,), precisions=("fp32", "int8"), calibrators=(Calibrator.MINMAX,))


def tried(toolchain: Toolchain, keeper: GpuKeeper, answers: Answers, *, again: bool = False) -> Toolchain:
    return tried_on_gpus(toolchain, keeper, answers, tell=print, again=again)


def test_each_model_is_tried_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    gpus = posed_gpus(monkeypatch, tmp_path, H200, H200, A100)
    keeper, new = keeper_of_host(0, {}), replace(TRT, capabilities=Capabilities(), version="")
    answers = Answers({gpus.uuids[0]: WORKS})
    assert untried(new, keeper) == ["NVIDIA A100, driver 580.159.04", "NVIDIA H200, driver 580.159.04"]
    found = tried(new, keeper, answers)
    assert sorted(map(str, answers.asked)) == sorted([gpus.uuids[0], gpus.uuids[2]])
    assert (found.version, found.broken, found.capabilities.compute_capabilities) == ("8.5.3.1", None, (SM_90,))
    assert found.trials["NVIDIA A100, driver 580.159.04"].lacking["gpu"].endswith("it crashed")
    assert untried(found, keeper) == []
    assert tried(found, keeper, Answers({})) == found
    assert Toolchain.from_dict(found.as_dict()) == found
    with pytest.raises(BuilderCrashError):
        tried(found, keeper, Answers({}), again=True)


def test_without_a_gpu_a_toolchain_tells_its_version_and_why_it_does_nothing() -> None:
    found = tried(TRT, GpuKeeper(reason="no driver"), Answers({None: Capabilities()}))
    assert (found.version, found.broken, found.capabilities.lacking) == ("8.5.3.1", None, {"gpu": "no driver"})


def test_what_one_gpu_lacks_is_an_exception_and_what_all_lack_is_lacking() -> None:
    older = Capabilities(compute_capabilities=(SM_80,), precisions=("fp32",), lacking={"int8": "no", "fp8": "old"})
    newer = replace(WORKS, lacking={"fp8": "old"})
    both = merged([older, newer])
    assert (both.compute_capabilities, both.precisions) == ((SM_80, SM_90), ("fp32", "int8"))
    assert (both.lacking, both.exceptions) == ({"fp8": "old"}, {"int8": {"sm_80": "no"}})
    assert merged([WORKS]) == WORKS


def test_what_workers_have_can_be_built_for(database: Database) -> None:
    broken = replace(RTX, name="old", broken="it is").as_dict()
    tools = [reference_toolchain().as_dict(), TRT.as_dict(), RTX.as_dict(), broken, {"of": "another release"}]
    offers = ["cpu", "tensorrt-8.5.3.1/sm_90", "tensorrt-rtx-1.7.1.116"]
    with database.write() as session:
        for name, state in (("wrk_1", "ready"), ("wrk_2", "paused")):
            session.add(
                WorkerRow(
                    id=name,
                    host="far",
                    pid=1,
                    toolchains=tools,
                    capabilities=offers,
                    slots=1,
                    lease_until=from_now(30),
                    state=state,
                )
            )
    trt, rtx = toolchains_elsewhere(database)
    assert (trt.name, trt.capabilities.compute_capabilities) == ("trt of wrk_1", (SM_90,))
    assert (rtx.name, rtx.capabilities.compute_capabilities) == ("rtx of wrk_1", (SM_80,))
    assert toolchains_lately(database, "far") == []
    assert [toolchain.name for toolchain in toolchains_lately(database, "here")] == ["trt of wrk_2", "rtx of wrk_2"]
    with database.write() as session:
        leave(session, "wrk_1")
    assert toolchains_elsewhere(database) == []
    assert len(toolchains_lately(database, "here")) == 4
