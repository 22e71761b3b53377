"""Where a calibration runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trtfarm.calibrators import CalibrationRule, Calibrator
from trtfarm.compute_capability import ComputeCapability
from trtfarm.errors import ToolchainError
from trtfarm.targets import BuildTarget
from trtfarm_worker.sites import CalibrateWith, calibration_site
from trtfarm_worker.toolchains.registry import reference_toolchain
from trtfarm_worker.toolchains.toolchain import Capabilities, Toolchain, ToolchainKind

NATIVE = (Calibrator.MINMAX, Calibrator.ENTROPY2, Calibrator.ENTROPY, Calibrator.LEGACY)
CAN = Capabilities(compute_capabilities=(ComputeCapability(9, 0),), precisions=("int8",), calibrators=NATIVE)
TRT = Toolchain(
    name="tensorrt-8.5.3.1", kind=ToolchainKind.TENSORRT, python=Path("/python"), version="8.5.3.1", capabilities=CAN
)
NEWER = replace(TRT, name="tensorrt-8.6.1.6", version="8.6.1.6")
H200 = BuildTarget(compute_capability="sm_90", toolchain="tensorrt", tensorrt="8.5.3.1")
ON_NEWER = replace(H200, tensorrt="8.6.1.6")
AHEAD = BuildTarget(compute_capability="sm_86", toolchain="tensorrt-rtx", tensorrt="1.7.1.116")
MINMAX = CalibrationRule.of(Calibrator.MINMAX, batch_size=50)
MSE = CalibrationRule.of(Calibrator.MSE, batch_size=50)
AFTER = CalibrationRule.of(Calibrator.ENTROPY, batch_size=50, before_fusion=False)


def site(rule: CalibrationRule, *targets: BuildTarget, tools: Any = (TRT,), **more: Any) -> BuildTarget | None:
    wanted: dict[str, Any] = {"wanted": None, "takers": [t for t in targets if t.on_gpu], "restamp": False, **more}
    return calibration_site(rule, targets, [reference_toolchain(), *tools], **wanted)


def test_tensorrt_calibrates_where_it_is_a_target_and_has_the_rule() -> None:
    assert site(MINMAX, H200) == site(MINMAX, AHEAD, H200) == H200
    assert site(MINMAX, AHEAD) is None
    assert site(MSE, H200) is None
    assert site(MINMAX, H200, wanted=CalibrateWith.REFERENCE) is None


def test_it_can_be_asked_to_for_targets_of_others() -> None:
    assert site(MINMAX, AHEAD, wanted=CalibrateWith.TENSORRT) == H200


def test_only_tensorrt_calibrates_after_fusion() -> None:
    assert site(AFTER, H200) == H200


def test_of_several_the_newest_calibrates_if_its_table_does_for_all() -> None:
    both = (H200, ON_NEWER)
    assert site(MINMAX, *both, tools=(TRT, NEWER)) is None
    assert site(MINMAX, *both, tools=(TRT, NEWER), restamp=True) == ON_NEWER
    assert site(MINMAX, *both, tools=(TRT, NEWER), wanted=CalibrateWith.TENSORRT) == ON_NEWER
    near = replace(H200, tensorrt="8.5.2.2")
    assert site(MINMAX, H200, near, tools=(TRT, replace(TRT, version="8.5.2.2"))) == H200


@pytest.mark.parametrize(
    ("tools", "reason"),
    [
        ((), "no toolchain of the kind tensorrt is installed"),
        ((replace(TRT, broken="it is"),), "tensorrt-8.5.3.1: is broken: it is"),
        (
            (replace(TRT, capabilities=Capabilities(lacking={"gpu": "no NVIDIA driver"}, calibrators=NATIVE)),),
            "tensorrt-8.5.3.1: no NVIDIA driver",
        ),
        ((replace(TRT, capabilities=replace(CAN, calibrators=())),), "has no calibrator minmax: it has none"),
    ],
)
def test_where_no_tensorrt_can_it_is_said_why(tools: tuple[Toolchain, ...], reason: str) -> None:
    with pytest.raises(ToolchainError, match="no TensorRT here calibrates with minmax") as caught:
        site(MINMAX, AHEAD, tools=tools, wanted=CalibrateWith.TENSORRT)
    assert reason in str(caught.value.cause)
    assert "--calibrate-with reference" in str(caught.value.remedy)
    if tools:
        assert site(MINMAX, AHEAD, tools=tools) is None
