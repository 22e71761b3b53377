"""How a model is rewritten: with Q/DQ nodes, with as few nodes left out as it takes, in float16."""

from __future__ import annotations

from typing import Any

from trtfarm import actions
from trtfarm.accuracy import measure
from trtfarm.database.schema import QuantizationRow
from trtfarm.errors import NotFoundError
from trtfarm.submissions.model_facts import ModelFacts
from trtfarm.submissions.works.ready_step import ReadyStep
from trtfarm.submissions.works.work import Work


def quantize(ready: ReadyStep) -> Work:
    model, table = ready.model, ready.table
    if table is None:
        raise NotFoundError("the submission names no table")
    options = dict(ready.request.quantizer_options)
    return Work(
        action=actions.quantize(model=model.digest, scales=table.scales_digest, options=options),
        request={"model_id": model.id, "table_id": table.id, "options": options},
    )


def search(ready: ReadyStep) -> Work:
    quantized, dataset = quantize(ready), ready.data
    labelled = ready.test_data.labels is not None
    aim: dict[str, Any] = {"allowed": ready.request.max_drop, "measure": measure(labelled=labelled)}
    content = {name: quantized.action.fields[name] for name in ("model", "scales", "options")}
    return Work(
        action=actions.search(**content, dataset=dataset.digest, **aim),
        request={**quantized.request, "dataset_id": dataset.id, **aim},
    )


def convert(ready: ReadyStep) -> Work:
    model, source = ready.model, ready.rewritten
    options = dict(ready.request.converter_options)
    return Work(
        action=actions.convert(**content_of(model, source), options=options),
        request={
            "model_id": model.id,
            "quantization_id": source.id if source else None,
            "table_id": source.table_id if source else None,
            "options": options,
        },
    )


def content_of(model: ModelFacts, rewritten: QuantizationRow | None) -> dict[str, Any]:
    """What stands in a key for all bytes that a builder reads; the digest of a model covers its weights."""
    if rewritten is None:
        return {"onnx": model.digest, "weights": None}
    return {"onnx": rewritten.blob, "weights": model.weights_blob}
