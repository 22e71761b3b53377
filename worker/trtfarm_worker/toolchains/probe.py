"""Finding out what a toolchain can do, by letting it try."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from trtfarm.calibrators import Calibrator
from trtfarm.compute_capability import ComputeCapability
from trtfarm.errors import BuilderError, ToolchainError, TrtfarmError
from trtfarm.scratch import temporary_folder
from trtfarm_worker.builder.events import LogLine, Progress
from trtfarm_worker.builder.request import BuilderRequest, Limits
from trtfarm_worker.builder.supervisor import run_builder
from trtfarm_worker.gpus.keeper import GpuKeeper, keeper_of_host
from trtfarm_worker.gpus.turns import Turn
from trtfarm_worker.logs import logger
from trtfarm_worker.toolchains.toolchain import Capabilities, Toolchain, ToolchainKind
from trtfarm_worker.toolchains.trials import tried_on_gpus

_log = logger()

Facts = Mapping[str, Any]
# Importing TensorRT from a cold network disk takes a minute; what a probe builds is tiny.
_LIMITS = Limits(wall_seconds=300, silent_seconds=300, memory_bytes=8 << 30)


def probed(
    toolchain: Toolchain,
    *,
    keeper: Callable[[], GpuKeeper] = keeper_of_host,
    again: bool = True,
) -> Toolchain:
    """The toolchain with what it can do on this host; a TensorRT, on each model of GPU here (`keeper`).

    One that fails comes back with `broken` saying why, and without capabilities. Models of GPU that it was tried on
    already are left out unless `again`.
    """
    step, describe = _PROBES[toolchain.kind]

    def ask(gpu: Turn | None) -> tuple[str, Capabilities]:
        return describe(_ask(toolchain, step, gpu))

    try:
        if toolchain.kind is ToolchainKind.TENSORRT:
            return tried_on_gpus(toolchain, keeper(), ask, tell=_log.info, again=again)
        version, capabilities = ask(None)
    except (ToolchainError, BuilderError) as error:
        return replace(toolchain, capabilities=Capabilities(), trials={}, broken=_reason(error))
    return replace(toolchain, version=version, capabilities=capabilities, broken=None)


def _reason(error: TrtfarmError) -> str:
    """Without the error's remedy, which is for whoever builds a model."""
    return f"{error.message}: {error.cause}" if error.cause else error.message


def _ask(toolchain: Toolchain, step: str, gpu: Turn | None) -> Facts:
    with temporary_folder() as scratch:
        request = BuilderRequest(toolchain=toolchain, step=step, args={}, limits=_LIMITS, scratch=scratch, gpu=gpu)
        return run_builder(request, on_event=_ignore).result


def _ignore(event: Progress | LogLine) -> None:
    """A probe's errors come back in its answer."""


def _reference(facts: Facts) -> tuple[str, Capabilities]:
    return facts["onnxruntime"], Capabilities(calibrators=tuple(Calibrator))


def _tensorrt_rtx(facts: Facts) -> tuple[str, Capabilities]:
    failures = {
        word: {target: str(reason) for target, reason in reasons.items() if reason is not None}
        for word, reasons in facts["precisions"].items()
    }
    lacking = {word for word, reasons in failures.items() if len(reasons) == len(facts["compute_capabilities"])}
    capabilities = Capabilities(
        compute_capabilities=_compute_capabilities(facts["compute_capabilities"]),
        precisions=tuple(word for word in failures if word not in lacking),
        lacking={word: next(iter(failures[word].values())) for word in failures if word in lacking},
        exceptions={word: reasons for word, reasons in failures.items() if reasons and word not in lacking},
        without_products={word: reasons for word, reasons in facts["without_products"].items() if reasons},
    )
    return facts["tensorrt"], capabilities


def _tensorrt(facts: Facts) -> tuple[str, Capabilities]:
    capabilities = Capabilities(
        compute_capabilities=_compute_capabilities({gpu["compute_capability"] for gpu in facts["gpus"]}),
        precisions=tuple(facts["precisions"]),
        calibrators=tuple(Calibrator(word) for word in facts["calibrators"]),
        lacking=dict(facts["lacking"]),
    )
    return facts["tensorrt"], capabilities


def _compute_capabilities(words: Iterable[str]) -> tuple[ComputeCapability, ...]:
    return tuple(sorted(ComputeCapability.parse(word) for word in words))


_PROBES: dict[ToolchainKind, tuple[str, Callable[[Facts], tuple[str, Capabilities]]]] = {
    ToolchainKind.REFERENCE: ("reference-probe", _reference),
    ToolchainKind.TENSORRT_RTX: ("rtx-probe", _tensorrt_rtx),
    ToolchainKind.TENSORRT: ("trt-probe", _tensorrt),
}
