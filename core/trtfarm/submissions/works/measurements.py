"""How accuracy is measured: of a rewritten model on a CPU, and of an engine against what the model computes in FP32."""

from __future__ import annotations

from trtfarm import actions
from trtfarm.database.schema import DatasetRow, EngineRow, RecordingRow
from trtfarm.errors import NotFoundError
from trtfarm.submissions.model_facts import ModelFacts
from trtfarm.submissions.works.ready_step import ReadyStep
from trtfarm.submissions.works.work import Work
from trtfarm.targets import BuildTarget


def verify(ready: ReadyStep) -> Work:
    model, quantized = ready.model, ready.rewritten
    if quantized is None:
        raise NotFoundError("the submission has no model to compare with FP32")
    dataset = ready.test_data
    return Work(
        action=actions.verify(model=model.digest, quantized=quantized.blob, dataset=dataset.digest),
        request={"model_id": model.id, "quantization_id": quantized.id, "dataset_id": dataset.id},
    )


def record(ready: ReadyStep) -> Work:
    return recording_work(ready.model, ready.test_data)


def measure(ready: ReadyStep) -> Work:
    needed = {name: id_ for need in ready.step.needs for name, id_ in ready.results[need].items()}
    engine = ready.row(EngineRow, needed.get("engine_id"))
    recording = ready.row(RecordingRow, needed.get("recording_id"))
    return measuring_work(ready.model, ready.test_data, engine, recording, ready.target)


def recording_work(model: ModelFacts, dataset: DatasetRow) -> Work:
    return Work(
        action=actions.record(model=model.digest, dataset=dataset.digest),
        request={"model_id": model.id, "dataset_id": dataset.id},
    )


def measuring_work(
    model: ModelFacts,
    dataset: DatasetRow,
    engine: EngineRow,
    recording: RecordingRow,
    target: BuildTarget,
    *,
    profile: int | None = None,
) -> Work:
    """`target` says what the engine was built for, and so what runs it; `profile` the one that it is run in."""
    ran = {"tensorrt": target.tensorrt, "compute_capability": target.compute_capability}
    return Work(
        action=actions.measure(model=model.digest, dataset=dataset.digest, engine=engine.blob, **ran, profile=profile),
        request={
            "model_id": model.id,
            "dataset_id": dataset.id,
            "engine_id": engine.id,
            "recording_id": recording.id,
            "profile": profile,
            **vars(target),
        },
    )
