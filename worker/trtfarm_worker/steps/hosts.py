"""The toolchain of this host that a job asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trtfarm.errors import ToolchainError
from trtfarm_worker.steps.step import Task
from trtfarm_worker.toolchains.toolchain import Toolchain


def toolchain_of(task: Task) -> Toolchain:
    """The one of the kind and exact version that the job's request names. Raises ToolchainError."""
    request = task.job.request
    same = [
        tool for tool in task.toolchains if (tool.kind, tool.version) == (request["toolchain"], request["tensorrt"])
    ]
    for toolchain in same:
        if not toolchain.broken:
            return toolchain
    raise ToolchainError(
        f"this host has no working {request['toolchain']} {request['tensorrt']}",
        cause=next((f"{tool.name} is broken: {tool.broken}" for tool in same), None)
        or "it was removed after the submission, or the submission was made on another host",
        remedy=f"trtfarm toolchain install {request['toolchain']}=={request['tensorrt']}, then trtfarm jobs retry",
    )


def check_version(task: Task, version: str) -> None:
    """Raises ToolchainError where the builder had another TensorRT than the job asks for."""
    wanted, name = task.job.request["tensorrt"], toolchain_of(task).name
    if version != wanted:
        raise ToolchainError(
            f"toolchain {name} worked with TensorRT {version}",
            cause=f"it had {wanted} when it was last probed, and that is the one that was asked for",
            remedy=f"trtfarm toolchain test {name}, then submit again",
        )


def check_device(task: Task, device: Mapping[str, Any]) -> None:
    """Raises ToolchainError where the builder had another GPU than the job asks for."""
    wanted = task.job.request["compute_capability"]
    if device["compute_capability"] != wanted:
        raise ToolchainError(
            f"the job was done on a {device['name']}, which is {device['compute_capability']} and not {wanted}",
            cause="the toolchain was probed with another GPU in its place",
            remedy=f"trtfarm toolchain test {toolchain_of(task).name}, then submit again",
        )
