"""How an engine is built: from the model or what was made of it, with a table where its scales come from one."""

from __future__ import annotations

from typing import Any

from trtfarm import actions
from trtfarm.precisions import PRECISIONS
from trtfarm.submission_request import SubmissionRequest
from trtfarm.submissions.reuse import algorithm_of, described, reuse_of
from trtfarm.submissions.works.models import content_of
from trtfarm.submissions.works.ready_step import ReadyStep
from trtfarm.submissions.works.work import Work
from trtfarm.targets import BuildTarget


def build(ready: ReadyStep) -> Work:
    request, model, target, rewritten = ready.request, ready.model, ready.target, ready.rewritten
    wanted, implicit = wanted_of(request, target), request.implicit(target)
    origin: dict[str, Any] = {
        "model_id": model.id,
        "quantization_id": rewritten.id if rewritten else None,
        "table_id": None,
        "calibrator": None,
    }
    table = ready.table if PRECISIONS[request.precision].quantized else None
    if table is not None and (rewritten is not None or implicit):
        origin |= {"table_id": table.id, "calibrator": table.calibrator}
    handed = table if implicit else None
    scales: dict[str, Any] = {"scales": handed.scales_digest, "algorithm": algorithm_of(handed)} if handed else {}
    reuse = described(reuse_of(handed, target, restamp=request.restamp), handed) if handed else None
    return Work(
        action=actions.build(**content_of(model, rewritten), **wanted, **scales),
        request=origin | wanted | {"reuse": reuse, "timing_cache": request.timing_cache},
    )


def wanted_of(request: SubmissionRequest, target: BuildTarget) -> dict[str, Any]:
    """What a request asks of a target's engine, whatever it is built from."""
    return {
        "precision": request.precision_for(target),
        **vars(target),
        "profiles": dict(request.profiles),
        "options": dict(request.build_options),
    }
