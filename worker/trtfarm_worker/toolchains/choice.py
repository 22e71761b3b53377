"""Which toolchain builds an engine, and if none can, why not."""

from __future__ import annotations

from collections.abc import Sequence

from trtfarm.compute_capability import ComputeCapability
from trtfarm.errors import ToolchainError
from trtfarm.precisions import PRECISIONS, REST_IN_FLOAT16
from trtfarm.targets import BuildTarget
from trtfarm.versions import TensorRTVersion
from trtfarm_worker.toolchains.toolchain import Toolchain, ToolchainKind

#: What TensorRT-RTX 1.4 to 1.7 build for; only used to say which installation would help.
_TENSORRT_RTX_TARGETS = frozenset(ComputeCapability.parse(text) for text in ("75", "80", "86", "89", "120", "121"))
#: Versions from here on are TensorRT's; TensorRT-RTX's begin anew at 1.
_FIRST_OF_TENSORRT = TensorRTVersion(8)


def choose(
    toolchains: Sequence[Toolchain],
    *,
    target: ComputeCapability,
    precision: str,
    version: TensorRTVersion | None = None,
    kind: ToolchainKind | None = None,
    products: bool = True,
) -> Toolchain:
    """The newest toolchain that builds for `target` in `precision`; TensorRT before TensorRT-RTX of the same version.

    `version` may be short (1.7) and then takes any release of that line. `products` says whether the model has matrix
    products. A precision that something stands in for (`stands_in`) counts as one that the toolchain has. Raises
    ToolchainError, which says for each toolchain why it cannot, which targets there are, and what to install.
    """
    reasons = {
        toolchain.name: _why_not(toolchain, target, precision, version, kind, products=products)
        for toolchain in toolchains
        if toolchain.kind is not ToolchainKind.REFERENCE
    }
    fit = [toolchain for toolchain in toolchains if reasons.get(toolchain.name, "builds no engines") is None]
    if fit:
        return max(fit, key=lambda toolchain: (TensorRTVersion.parse(toolchain.version), toolchain.name))
    raise ToolchainError(
        f"no toolchain here builds {precision} engines for {target}{_asked(version, kind)}",
        cause="\n".join(f"{name}: {reason}" for name, reason in reasons.items()) or "no toolchain is installed",
        remedy=_other_precisions(toolchains, target, precision, version, kind)
        or _remedy(toolchains, target, precision, version, kind),
    )


def target_of(toolchain: Toolchain, wanted: ComputeCapability) -> BuildTarget:
    """An engine for `wanted`, built by this toolchain."""
    return BuildTarget(compute_capability=str(wanted), toolchain=toolchain.kind.value, tensorrt=toolchain.version)


def stands_in(toolchain: Toolchain, target: ComputeCapability, precision: str, *, products: bool = True) -> str | None:
    """Why the toolchain builds another precision in this one's stead for a target, and leaves the rest in float16.

    None where it has the precision itself, or none that could stand in for it.
    """
    instead = REST_IN_FLOAT16.get(precision)
    if instead not in toolchain.capabilities.precisions:
        return None
    if toolchain.capabilities.lack(instead, target, products=products) is not None:
        return None
    return toolchain.capabilities.lack(precision, target, products=products)


def _why_not(
    toolchain: Toolchain,
    target: ComputeCapability,
    precision: str,
    version: TensorRTVersion | None,
    kind: ToolchainKind | None,
    *,
    products: bool = True,
) -> str | None:
    can = toolchain.capabilities
    if kind is not None and toolchain.kind is not kind:
        return f"is {toolchain.kind}"
    if toolchain.broken is not None:
        return f"is broken: {toolchain.broken}"
    if version is not None and not TensorRTVersion.parse(toolchain.version).matches(version):
        return f"has version {toolchain.version}"
    if target not in can.compute_capabilities:
        return can.lacking.get("gpu") or f"builds for {_listed(can.compute_capabilities)}"
    if precision not in can.precisions:
        return f"has no {precision}: " + can.lacking.get(precision, f"it has {', '.join(can.precisions) or 'none'}")
    return _lack(toolchain, target, precision, products=products)


def _other_precisions(
    toolchains: Sequence[Toolchain],
    target: ComputeCapability,
    precision: str,
    version: TensorRTVersion | None,
    kind: ToolchainKind | None,
) -> str | None:
    """What to ask for instead, where a toolchain has the precision for other targets but not for this one."""
    others = {
        word: None
        for toolchain in toolchains
        if toolchain.capabilities.lack(precision, target, products=True) is not None
        for word in toolchain.capabilities.precisions
        if word.startswith("int8") == precision.startswith("int8")
        and _why_not(toolchain, target, word, version, kind) is None
    }
    return f"for {target} ask for --precision {' or '.join(others)}" if others else None


def _remedy(
    toolchains: Sequence[Toolchain],
    target: ComputeCapability,
    precision: str,
    version: TensorRTVersion | None,
    kind: ToolchainKind | None,
) -> str:
    # Over HTTP any word may be asked for.
    if precision in PRECISIONS and PRECISIONS[precision].by_flag and (version is None or version < _FIRST_OF_TENSORRT):
        return f"TensorRT 10 has {precision}: on a host with such a GPU, trtfarm toolchain install tensorrt==10.13"
    if version is not None and version >= _FIRST_OF_TENSORRT:
        return f"on a host with such a GPU: trtfarm toolchain install tensorrt=={version}"
    possible = sorted({found for toolchain in toolchains for found in toolchain.capabilities.compute_capabilities})
    if target in _TENSORRT_RTX_TARGETS and kind is not ToolchainKind.TENSORRT:
        return f"trtfarm toolchain install tensorrt-rtx{f'=={version}' if version else ''}"
    if possible:
        return f"choose among the targets that can be built here: {_listed(possible)}"
    return "on a host with such a GPU: trtfarm toolchain install tensorrt, or trtfarm toolchain add PYTHON"


def _lack(toolchain: Toolchain, target: ComputeCapability, precision: str, *, products: bool) -> str | None:
    reason = toolchain.capabilities.lack(precision, target, products=products)
    if reason is None or stands_in(toolchain, target, precision, products=products) is not None:
        return None
    of_all = toolchain.capabilities.lack(precision, target, products=False) is not None
    return f"has no {precision} for {target}{'' if of_all else ' with matrix products'}: {reason}"


def _asked(version: TensorRTVersion | None, kind: ToolchainKind | None) -> str:
    if version is None and kind is None:
        return ""
    return f" with {kind or 'TensorRT'}{f' {version}' if version else ''}"


def _listed(capabilities: Sequence[ComputeCapability]) -> str:
    return ", ".join(map(str, capabilities)) or "nothing"
