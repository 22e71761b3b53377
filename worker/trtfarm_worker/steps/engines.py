"""The row of an engine that a builder made: signed, with what is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trtfarm.database.schema import EngineRow
from trtfarm.ids import new_id
from trtfarm.signing.keys import SigningKey
from trtfarm.signing.seal import sealed_with
from trtfarm.signing.statement import EngineStatement
from trtfarm_worker.builder.request import BuilderAnswer, result_file
from trtfarm_worker.steps.hosts import check_device, check_version, toolchain_of
from trtfarm_worker.steps.rows import keep_file
from trtfarm_worker.steps.step import ResultRow, Task
from trtfarm_worker.steps.timing import keep_cache

_ORIGIN = ("model_id", "quantization_id", "table_id", "precision", "calibrator")
_WANTED = ("compute_capability", "profiles", "options")
#: What is kept of a builder's answer; builds without a GPU tell only some of it.
_FACTS = (
    "layers",
    "int8_layers",
    "int8_share",
    "int8_time_share",
    "io",
    "seconds",
    "build_seconds",
    "coverage",
    "device",
    "tactic_sources",
    "timing_cache_used",
    "warning",
)


def check_signing_key(task: Task) -> None:
    """A key that cannot be used is told before the builder runs, and not after an hour of building."""
    _signer(task)


def keep_engine(
    task: Task, answer: BuilderAnswer, result: Mapping[str, Any], request: Mapping[str, Any], key: str
) -> ResultRow:
    """Stores the engine that `result` tells of, a builder's answer or part of one; its row has the key of its build.

    `request` is that of the build. Raises ToolchainError where another TensorRT or GPU built it than was asked for.
    """
    check_version(task, result["tensorrt"])
    device = result.get("device")
    if device is not None:
        check_device(task, device)
    engine, log = (keep_file(task, result_file(answer.scratch, result[name])) for name in ("engine", "log"))
    known = {name: result[name] for name in _FACTS if name in result}
    values = {
        **{name: request[name] for name in (*_ORIGIN, *_WANTED)},
        "tensorrt": result["tensorrt"],
        "toolchain": toolchain_of(task).name,
        "gpu": device["name"] if device else None,
        "blob": engine.digest,
        "log_blob": log.digest,
        "size": engine.size,
        "facts": {"toolchain": request["toolchain"], "table_reuse": request.get("reuse"), **known},
    }
    seal = sealed_with(_signer(task), EngineStatement.of_values({"key": key, **values}))
    keep_cache(task, answer, result)
    signed = {**values, "signature": seal.signature, "signing_key": seal.key}
    return ResultRow(kind=EngineRow, values={"id": new_id("eng"), "key": key, **signed})


def _signer(task: Task) -> SigningKey:
    return task.shared.signer(task.farm.settings)
