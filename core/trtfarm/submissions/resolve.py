"""From a step whose needs are met to the action it stands for, and to what a worker must know to do it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from trtfarm import actions
from trtfarm.accuracy import drop, measure
from trtfarm.actions import Action, ActionKind
from trtfarm.candidates import best, trial_of
from trtfarm.database.schema import (
    DatasetRow,
    EngineRow,
    ObservationRow,
    QuantizationRow,
    RecordingRow,
    TableRow,
    VerificationRow,
)
from trtfarm.errors import NotFoundError
from trtfarm.planning import Step, SubmissionRequest
from trtfarm.precisions import PRECISIONS
from trtfarm.submissions.model_facts import ModelFacts, model_facts
from trtfarm.submissions.reuse import algorithm_of, described, reuse_of
from trtfarm.targets import BuildTarget

Row = TypeVar("Row")
#: Results of a submission's steps by step name: ids of rows, as `results.py` names them.
Results = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Work:
    """An action and the request of the job that would do it: plain JSON, rows named by id.

    An action that takes no job has its `result` at once.
    """

    action: Action
    request: Mapping[str, Any]
    result: Mapping[str, Any] | None = None


def resolve(session: Session, request: SubmissionRequest, step: Step, results: Results) -> Work:
    """The work of a step; `results` holds those of the steps it needs."""
    return _RESOLVERS[step.kind](session, request, step, results)


def _observe(session: Session, request: SubmissionRequest, step: Step, results: Results) -> Work:
    model, dataset = model_facts(session, request.model_id), row(session, DatasetRow, request.dataset_id)
    if step.share is None:
        raise NotFoundError(f"step {step.name} names no share of the data")
    statistic, batch_size = step.share.statistic, request.rules[0].batch_size
    samples = step.share.samples(dataset.samples, batch_size)
    bases = row(session, ObservationRow, _observation_id(results, step.needs[0])) if step.needs else None
    return Work(
        action=actions.observe(
            model=model.digest,
            dataset=dataset.digest,
            statistic=statistic,
            batch_size=batch_size,
            samples=samples,
            bases=bases.blob if bases else None,
        ),
        request={
            "model_id": model.id,
            "dataset_id": dataset.id,
            "statistic": statistic,
            "batch_size": batch_size,
            "samples": list(samples),
            "bases_id": bases.id if bases else None,
        },
    )


def _observation_id(results: Results, step: str) -> str | None:
    """The statistics that a step gave; None where it has none, because the table was there without them."""
    return results.get(step, {}).get("observation_id")


def _calibrate(session: Session, request: SubmissionRequest, step: Step, results: Results) -> Work:
    """Of shares, the table that is made of what was observed of them; its key is that of a table made in one piece."""
    model, dataset = model_facts(session, request.model_id), row(session, DatasetRow, request.dataset_id)
    if step.rule is None:
        raise NotFoundError("the submission names no calibrator")
    target = request.calibrate_on
    place = {"tensorrt": target.tensorrt, "compute_capability": target.compute_capability} if target else {}
    return Work(
        action=actions.calibrate(model=model.digest, dataset=dataset.digest, rule=step.rule, **place),
        request={
            "model_id": model.id,
            "dataset_id": dataset.id,
            "rule": step.rule.as_dict(),
            **({"observations": [_observation_id(results, need) for need in step.needs]} if step.needs else {}),
            **({**vars(target), "timing_cache": request.timing_cache} if target else {}),
            **_along(request, model),
        },
    )


def _along(request: SubmissionRequest, model: ModelFacts) -> dict[str, Any]:
    """The build that the calibration's job does in the same go, if it can: its key lacks only the table's part."""
    target = request.in_one_go()
    if target is None:
        return {}
    wanted = _wanted(request, target)
    fields = actions.build(**_content(model, None), **wanted).fields
    return {"along": {"fields": dict(fields), "request": {"model_id": model.id, "quantization_id": None, **wanted}}}


def _choose(session: Session, request: SubmissionRequest, step: Step, results: Results) -> Work:  # noqa: ARG001
    trials = [trial_of(rule) for rule in request.candidates]
    checks = [row(session, VerificationRow, results[trial.verify]["verification_id"]) for trial in trials]
    drops = [drop(check.metrics) for check in checks]
    return Work(
        action=actions.choose(verifications=[check.key for check in checks]),
        request={},
        result={"table_id": results[trials[best(drops)].calibrate]["table_id"]},
    )


def _quantize(session: Session, request: SubmissionRequest, step: Step, results: Results) -> Work:
    model, table = model_facts(session, request.model_id), _table(session, request, step, results)
    if table is None:
        raise NotFoundError("the submission names no table")
    options = dict(request.quantizer_options)
    return Work(
        action=actions.quantize(model=model.digest, scales=table.scales_digest, options=options),
        request={"model_id": model.id, "table_id": table.id, "options": options},
    )


def _search(session: Session, request: SubmissionRequest, step: Step, results: Results) -> Work:
    quantized = _quantize(session, request, step, results)
    dataset = row(session, DatasetRow, request.dataset_id)
    test = row(session, DatasetRow, request.test_dataset_id)
    aim: dict[str, Any] = {"allowed": request.max_drop, "measure": measure(labelled=test.labels is not None)}
    fields = quantized.action.fields
    content = {name: fields[name] for name in ("model", "scales", "options")}
    return Work(
        action=actions.search(**content, dataset=dataset.digest, **aim),
        request={**quantized.request, "dataset_id": dataset.id, **aim},
    )


def _convert(session: Session, request: SubmissionRequest, step: Step, results: Results) -> Work:
    model, source = model_facts(session, request.model_id), _rewritten(session, step, results)
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
    model = model_facts(session, request.model_id)
    quantized = _rewritten(session, step, results)
    if quantized is None:
        raise NotFoundError("the submission has no model to compare with FP32")
    dataset = row(session, DatasetRow, request.test_dataset_id)
    return Work(
        action=actions.verify(model=model.digest, quantized=quantized.blob, dataset=dataset.digest),
        request={"model_id": model.id, "quantization_id": quantized.id, "dataset_id": dataset.id},
    )


def _build(session: Session, request: SubmissionRequest, step: Step, results: Results) -> Work:
    model, target = model_facts(session, request.model_id), _target(step)
    wanted = _wanted(request, target)
    origin: dict[str, Any] = {"model_id": model.id, "quantization_id": None, "table_id": None, "calibrator": None}
    rewritten = _rewritten(session, step, results)
    if rewritten is not None:
        origin["quantization_id"] = rewritten.id
    table = _table(session, request, step, results) if PRECISIONS[request.precision].quantized else None
    if table is not None and (rewritten is not None or request.implicit(target)):
        origin |= {"table_id": table.id, "calibrator": table.calibrator}
    handed = table if request.implicit(target) else None
    scales: dict[str, Any] = {"scales": handed.scales_digest, "algorithm": algorithm_of(handed)} if handed else {}
    reuse = described(reuse_of(handed, target, restamp=request.restamp), handed) if handed else None
    return Work(
        action=actions.build(**_content(model, rewritten), **wanted, **scales),
        request=origin | wanted | {"reuse": reuse, "timing_cache": request.timing_cache},
    )


def _wanted(request: SubmissionRequest, target: BuildTarget) -> dict[str, Any]:
    return {
        "precision": request.precision_for(target),
        **vars(target),
        "profiles": dict(request.profiles),
        "options": dict(request.build_options),
    }


def _record(session: Session, request: SubmissionRequest, step: Step, results: Results) -> Work:  # noqa: ARG001
    return record_work(model_facts(session, request.model_id), row(session, DatasetRow, request.test_dataset_id))


def _measure(session: Session, request: SubmissionRequest, step: Step, results: Results) -> Work:
    needed = {name: id_ for need in step.needs for name, id_ in results[need].items()}
    return measure_work(
        model_facts(session, request.model_id),
        row(session, DatasetRow, request.test_dataset_id),
        row(session, EngineRow, needed.get("engine_id")),
        row(session, RecordingRow, needed.get("recording_id")),
        _target(step),
    )


def record_work(model: ModelFacts, dataset: DatasetRow) -> Work:
    return Work(
        action=actions.record(model=model.digest, dataset=dataset.digest),
        request={"model_id": model.id, "dataset_id": dataset.id},
    )


def measure_work(
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


def _target(step: Step) -> BuildTarget:
    if step.target is None:
        raise NotFoundError(f"step {step.name} names no target")
    return step.target


def _rewritten(session: Session, step: Step, results: Results) -> QuantizationRow | None:
    """The rewritten model that a step needs; None where it takes the model as it was handed in."""
    for need in step.needs:
        if "quantization_id" in results[need]:
            return row(session, QuantizationRow, results[need]["quantization_id"])
    return None


def _content(model: ModelFacts, rewritten: QuantizationRow | None) -> dict[str, Any]:
    """What stands in a key for all bytes that a builder reads; the digest of a model covers its weights."""
    if rewritten is None:
        return {"onnx": model.digest, "weights": None}
    return {"onnx": rewritten.blob, "weights": model.weights_blob}


def _table(session: Session, request: SubmissionRequest, step: Step, results: Results) -> TableRow | None:
    """The table that the scales are from, of a candidate its own; None where they were all given by hand."""
    made = (results.get(name, {}).get("table_id") for name in (*step.needs, "choose", "calibrate"))
    table_id = request.table_id or next(filter(None, made), None)
    return None if table_id is None else row(session, TableRow, table_id)


def row(session: Session, kind: type[Row], row_id: str | None) -> Row:
    """The row with this id; a row that a submission names and that is gone is a NotFoundError."""
    found = session.get(kind, row_id) if row_id else None
    if found is None:
        raise NotFoundError(f"{kind.__name__.removesuffix('Row').lower()} {row_id} is gone", remedy="submit again")
    return found


_RESOLVERS: dict[ActionKind, Callable[[Session, SubmissionRequest, Step, Results], Work]] = {
    ActionKind.OBSERVE: _observe,
    ActionKind.CALIBRATE: _calibrate,
    ActionKind.QUANTIZE: _quantize,
    ActionKind.SEARCH: _search,
    ActionKind.CONVERT: _convert,
    ActionKind.VERIFY: _verify,
    ActionKind.BUILD: _build,
    ActionKind.RECORD: _record,
    ActionKind.MEASURE: _measure,
    ActionKind.CHOOSE: _choose,
}
