"""Where a calibration runs: TensorRT's own on a GPU, or the reference calibrator on the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from trtfarm.calibrators import CalibrationRule
from trtfarm.errors import ToolchainError
from trtfarm.targets import BuildTarget
from trtfarm.versions import TensorRTVersion
from trtfarm_worker.toolchains.toolchain import Toolchain, ToolchainKind


class CalibrateWith(StrEnum):
    """Who calibrates, as a user says it."""

    REFERENCE = "reference"
    TENSORRT = "tensorrt"


def calibration_site(
    rule: CalibrationRule,
    targets: Sequence[BuildTarget],
    toolchains: Sequence[Toolchain],
    *,
    wanted: CalibrateWith | None,
    takers: Sequence[BuildTarget],
    restamp: bool,
) -> BuildTarget | None:
    """Where TensorRT calibrates; None for the reference calibrator.

    Without a wish it is TensorRT where one of the targets' own can, and where its table will do for all `takers`, the
    targets that are handed the table. Raises ToolchainError where only TensorRT would do and none here can.
    """
    if wanted is CalibrateWith.REFERENCE:
        return None
    able = [target for target in targets if any(_is(tool, target) and _can(tool, rule) for tool in toolchains)]
    needed = wanted is CalibrateWith.TENSORRT or not rule.before_fusion
    if not able and needed:
        able = [_on_its_gpu(tool) for tool in toolchains if _can(tool, rule)]
    if not able:
        if needed:
            raise _nobody(rule, toolchains)
        return None
    site = max(able, key=lambda target: (TensorRTVersion.parse(target.tensorrt), target.compute_capability))
    return site if needed or restamp or all(_same_line(site, taker) for taker in takers) else None


def _is(toolchain: Toolchain, target: BuildTarget) -> bool:
    return (toolchain.kind.value, toolchain.version) == (target.toolchain, target.tensorrt)


def _can(toolchain: Toolchain, rule: CalibrationRule) -> bool:
    can = toolchain.capabilities
    usable = toolchain.broken is None and toolchain.kind is ToolchainKind.TENSORRT and can.compute_capabilities
    return bool(usable) and rule.calibrator in can.calibrators


def _on_its_gpu(toolchain: Toolchain) -> BuildTarget:
    newest = max(toolchain.capabilities.compute_capabilities)
    return BuildTarget(compute_capability=str(newest), toolchain=toolchain.kind.value, tensorrt=toolchain.version)


def _same_line(site: BuildTarget, taker: BuildTarget) -> bool:
    one, other = TensorRTVersion.parse(site.tensorrt), TensorRTVersion.parse(taker.tensorrt)
    return (one.major, one.minor) == (other.major, other.minor)


def _nobody(rule: CalibrationRule, toolchains: Sequence[Toolchain]) -> ToolchainError:
    reasons = [f"{tool.name}: {_why_not(tool, rule)}" for tool in toolchains if tool.kind is ToolchainKind.TENSORRT]
    where = "" if rule.before_fusion else " after fusion"
    return ToolchainError(
        f"no TensorRT here calibrates with {rule.calibrator}{where}",
        cause="\n".join(reasons) or "no toolchain of the kind tensorrt is installed",
        remedy="calibrate before fusion with --calibrate-with reference, on any machine; or on one with an NVIDIA GPU: "
        "trtfarm toolchain install tensorrt==8.5.3.1",
    )


def _why_not(toolchain: Toolchain, rule: CalibrationRule) -> str:
    can = toolchain.capabilities
    if toolchain.broken is not None:
        return f"is broken: {toolchain.broken}"
    if not can.compute_capabilities:
        return can.lacking.get("gpu", "has no GPU")
    return f"has no calibrator {rule.calibrator}: it has {', '.join(can.calibrators) or 'none'}"
