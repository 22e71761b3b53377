"""Building: ONNX -> an engine, by the toolchain of the kind and version that the plan named."""

from __future__ import annotations

from trtfarm.database.schema import EngineRow, ModelRow, QuantizationRow
from trtfarm.errors import ToolchainError
from trtfarm.ids import new_id
from trtfarm.signing.keyring import Keyring
from trtfarm.signing.seal import sealed
from trtfarm.signing.statement import EngineStatement
from trtfarm.submissions.resolve import row
from trtfarm_worker.builder.request import BuilderAnswer
from trtfarm_worker.steps.inputs import onnx_file
from trtfarm_worker.steps.rows import keep_file, put
from trtfarm_worker.steps.step import Commit, Invocation, Task
from trtfarm_worker.toolchains.toolchain import Toolchain, ToolchainKind

#: The builder's step for each kind of toolchain that builds.
_STEPS = {ToolchainKind.TENSORRT_RTX: "rtx-build"}
_FACTS = ("layers", "int8_layers", "io", "seconds")


def prepare(task: Task) -> Invocation:
    request = task.job.request
    toolchain = _toolchain(task)
    # A key that cannot be used is told now, and not after an hour of building.
    Keyring.of(task.farm.settings).signer()
    with task.farm.database.read() as session:
        model = row(session, ModelRow, request["model_id"])
        quantized = row(session, QuantizationRow, request["quantization_id"]) if request["quantization_id"] else None
    return Invocation(
        toolchain=toolchain,
        step=_STEPS[toolchain.kind],
        args={
            **request["options"],  # first: an option named `model` must not name another file
            "model": onnx_file(task, model, quantized),
            "compute_capability": request["compute_capability"],
            "precision": request["precision"],
            "profiles": request["profiles"],
        },
    )


def keep(task: Task, answer: BuilderAnswer) -> Commit:
    request = task.job.request
    if answer.result["tensorrt"] != request["tensorrt"]:
        raise ToolchainError(
            f"toolchain {_toolchain(task).name} built with TensorRT {answer.result['tensorrt']}",
            cause=f"it had {request['tensorrt']} when it was last probed, and the engine was asked for of that one",
            remedy=f"trtfarm toolchain test {_toolchain(task).name}, then submit again",
        )
    engine = keep_file(task, answer.file("engine"))
    log = keep_file(task, answer.file("log"))
    values = {
        **{name: request[name] for name in ("model_id", "quantization_id", "table_id", "precision", "calibrator")},
        **{name: request[name] for name in ("compute_capability", "profiles", "options")},
        "tensorrt": answer.result["tensorrt"],
        "toolchain": _toolchain(task).name,
        "blob": engine.digest,
        "log_blob": log.digest,
        "size": engine.size,
        "facts": {"toolchain": request["toolchain"], **{name: answer.result[name] for name in _FACTS}},
    }
    statement = EngineStatement.of_row(EngineRow(key=task.job.key, **values))
    seal = sealed(Keyring.of(task.farm.settings), statement)
    signed = {**values, "signature": seal.signature, "signing_key": seal.key}
    return lambda session: {"engine_id": put(session, task, EngineRow, [engine, log], id=new_id("eng"), **signed)}


def _toolchain(task: Task) -> Toolchain:
    """This host's toolchain of the wanted kind and exact version."""
    request = task.job.request
    for toolchain in task.toolchains:
        if (toolchain.kind, toolchain.version) == (request["toolchain"], request["tensorrt"]) and not toolchain.broken:
            return toolchain
    raise ToolchainError(
        f"this host has no working {request['toolchain']} {request['tensorrt']}",
        cause="it was removed after the submission, or the submission was made on another host",
        remedy=f"trtfarm toolchain install {request['toolchain']}=={request['tensorrt']}, then trtfarm jobs retry",
    )
