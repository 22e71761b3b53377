"""From a step whose needs are met to the action it stands for, and to what a worker must know to do it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from trtfarm import actions
from trtfarm.actions import Action, ActionKind
from trtfarm.database.schema import DatasetRow, ModelRow, QuantizationRow, TableRow
from trtfarm.errors import NotFoundError
from trtfarm.planning import PRECISIONS, Step, SubmissionRequest

Row = TypeVar("Row")
#: Results of a submission's steps by step name: ids of rows, as `results.py` names them.
Results = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Work:
    """An action and the request of the job that would do it: plain JSON, rows named by id."""

    action: Action
    request: Mapping[str, Any]


def resolve(session: Session, request: SubmissionRequest, step: Step, results: Results) -> Work:
    """The work of a step; `results` holds those of the steps it needs."""
    return _RESOLVERS[step.kind](session, request, step, results)


def _calibrate(session: Session, request: SubmissionRequest, step: Step, results: Results) -> Work:  # noqa: ARG001
    model, dataset = row(session, ModelRow, request.model_id), row(session, DatasetRow, request.dataset_id)
    if request.rule is None:
        raise NotFoundError("the submission names no calibrator")
    return Work(
        action=actions.calibrate(model=model.digest, dataset=dataset.digest, rule=request.rule),
        request={"model_id": model.id, "dataset_id": dataset.id, "rule": request.rule.as_dict()},
    )


def _quantize(session: Session, request: SubmissionRequest, step: Step, results: Results) -> Work:  # noqa: ARG001
    model, table = row(session, ModelRow, request.model_id), row(session, TableRow, _table_id(request, results))
    options = dict(request.quantizer_options)
    return Work(
        action=actions.quantize(model=model.digest, scales=table.scales_digest, options=options),
        request={"model_id": model.id, "table_id": table.id, "options": options},
    )


def _convert(session: Session, request: SubmissionRequest, step: Step, results: Results) -> Work:
    model, source = row(session, ModelRow, request.model_id), _rewritten(session, step, results)
    options = dict(request.converter_options)
    return Work(
        action=actions.convert(**_content(model, source), options=options),
        request={
            "model_id": model.id,
            "quantization_id": source.id if source else None,
            "table_id": source.table_id if source else None,
            "options": options,
        },
    )


def _verify(session: Session, request: SubmissionRequest, step: Step, results: Results) -> Work:
    model = row(session, ModelRow, request.model_id)
    quantized = _rewritten(session, step, results)
    if quantized is None:
        raise NotFoundError("the submission has no model to compare with FP32")
    dataset = row(session, DatasetRow, request.test_dataset_id)
    return Work(
        action=actions.verify(model=model.digest, quantized=quantized.blob, dataset=dataset.digest),
        request={"model_id": model.id, "quantization_id": quantized.id, "dataset_id": dataset.id},
    )


def _build(session: Session, request: SubmissionRequest, step: Step, results: Results) -> Work:
    model = row(session, ModelRow, request.model_id)
    target = step.target
    if target is None:
        raise NotFoundError(f"step {step.name} names no target")
    wanted: dict[str, Any] = {
        "precision": request.precision,
        "toolchain": target.toolchain,
        "tensorrt": target.tensorrt,
        "compute_capability": target.compute_capability,
        "profiles": dict(request.profiles),
        "options": dict(request.build_options),
    }
    origin: dict[str, Any] = {"model_id": model.id, "quantization_id": None, "table_id": None, "calibrator": None}
    rewritten = _rewritten(session, step, results)
    if rewritten is not None:
        origin["quantization_id"] = rewritten.id
        if PRECISIONS[request.precision].quantized:
            table = row(session, TableRow, _table_id(request, results))
            origin |= {"table_id": table.id, "calibrator": table.calibrator}
    return Work(action=actions.build(**_content(model, rewritten), **wanted), request=origin | wanted)


def _rewritten(session: Session, step: Step, results: Results) -> QuantizationRow | None:
    """The rewritten model that a step needs; None where it takes the model as it was handed in."""
    for need in step.needs:
        if "quantization_id" in results[need]:
            return row(session, QuantizationRow, results[need]["quantization_id"])
    return None


def _content(model: ModelRow, rewritten: QuantizationRow | None) -> dict[str, Any]:
    """What stands in a key for all bytes that a builder reads; the digest of a model covers its weights."""
    if rewritten is None:
        return {"onnx": model.digest, "weights": None}
    return {"onnx": rewritten.blob, "weights": model.weights_blob}


def _table_id(request: SubmissionRequest, results: Results) -> str:
    return request.table_id or str(results["calibrate"]["table_id"])


def row(session: Session, kind: type[Row], row_id: str | None) -> Row:
    """The row with this id; a row that a submission names and that is gone is a NotFoundError."""
    found = session.get(kind, row_id) if row_id else None
    if found is None:
        raise NotFoundError(f"{kind.__name__.removesuffix('Row').lower()} {row_id} is gone", remedy="submit again")
    return found


_RESOLVERS: dict[ActionKind, Callable[[Session, SubmissionRequest, Step, Results], Work]] = {
    ActionKind.CALIBRATE: _calibrate,
    ActionKind.QUANTIZE: _quantize,
    ActionKind.CONVERT: _convert,
    ActionKind.VERIFY: _verify,
    ActionKind.BUILD: _build,
}
