"""Steps that load an engine: in the toolchain of its kind and exact version, on a GPU of its compute capability."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from trtfarm.compute_capability import ComputeCapability
from trtfarm.errors import ToolchainError
from trtfarm.settings import Settings
from trtfarm.signing.statement import EngineStatement
from trtfarm.submissions.engine_checks import check_run_by_farms
from trtfarm_worker.builder.request import BuilderAnswer
from trtfarm_worker.builder.supervisor import Listener
from trtfarm_worker.direct import direct_step
from trtfarm_worker.engines.named import NamedEngine
from trtfarm_worker.toolchains.toolchain import Toolchain, ToolchainKind


@contextmanager
def engine_step(
    settings: Settings,
    toolchain: Toolchain,
    engine: NamedEngine,
    step: str,
    args: Mapping[str, Any],
    *,
    on_event: Listener,
) -> Iterator[BuilderAnswer]:
    """The answer of a step that loads `engine`; its files are there until the block ends."""
    wanted = {"engine": str(engine.path), "compute_capability": engine.statement.compute_capability}
    with direct_step(settings, toolchain, step, {**wanted, **args}, on_event) as answer:
        yield answer


def toolchain_for(toolchains: Sequence[Toolchain], statement: EngineStatement, name: str) -> Toolchain:
    """The one that runs an engine, which `name` stands for in messages. Raises ToolchainError with the way out."""
    check_run_by_farms(statement, name)
    fit = [each for each in toolchains if (each.kind, each.version) == (statement.toolchain, statement.tensorrt)]
    working = next((each for each in fit if each.broken is None), None)
    if working is None:
        raise _no_toolchain(toolchains, fit, statement, name)
    _check_gpu(working, statement, name)
    return working


def _no_toolchain(
    toolchains: Sequence[Toolchain], fit: Sequence[Toolchain], statement: EngineStatement, name: str
) -> ToolchainError:
    if fit:
        return ToolchainError(
            f"the toolchain {fit[0].name}, which {name} needs, is broken",
            cause=fit[0].broken,
            remedy=f"trtfarm toolchain test {fit[0].name}",
        )
    others = [each.version for each in toolchains if each.kind is ToolchainKind.TENSORRT and each.broken is None]
    return ToolchainError(
        f"{name} runs in TensorRT {statement.tensorrt} alone, which this host has not",
        cause=f"here is TensorRT {', '.join(others)}" if others else "no TensorRT is installed here",
        remedy=f"trtfarm toolchain install tensorrt=={statement.tensorrt}"
        + (f", or build for what is here: trtfarm submit --tensorrt {others[-1]}" if others else ""),
    )


def _check_gpu(toolchain: Toolchain, statement: EngineStatement, name: str) -> None:
    here, target = toolchain.capabilities.compute_capabilities, ComputeCapability.parse(statement.compute_capability)
    if target in here:
        return
    elsewhere = f"run it on a host that has one: trtfarm engines pull {name}, and there trtfarm run FILE"
    if not here:
        raise ToolchainError(
            f"{name} needs a GPU ({target}), and here is none",
            cause=toolchain.capabilities.lacking.get("gpu", "the toolchain's test found none"),
            remedy=f"{elsewhere}; if there is one by now: trtfarm toolchain test {toolchain.name}",
        )
    raise ToolchainError(
        f"{name} is for {target}, and no GPU here is one",
        cause=f"here is {', '.join(map(str, here))}",
        remedy=f"{elsewhere}, or build for this one: trtfarm submit --target {here[0]}",
    )
